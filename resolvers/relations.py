"""Edges to one object or to a short list: each loaded together for all parents that ask."""

from __future__ import annotations

from uuid import UUID

import strawberry

from authz.actor import Place
from authz.agreement import AgreementFacts, agreement_state
from authz.decide import permissions
from authz.life import Facts, Grant, grant_status
from models.connection import Row
from models.identifier import parse
from models.memory import hold_until
from resolvers import objects, policy_objects
from resolvers.context import Context
from resolvers.edges import edge, to_one
from resolvers.lists import Beside, Condition, Listing, Selection
from resolvers.paging import Cut
from schema.agent import Agent, AgentMember, ConnectToken
from schema.engagement import Agreement, Engagement, RoleGrant
from schema.kinds import AgreementRequirement, AgreementState, ComplianceBasis, GrantStatus
from schema.person import StaffMember, User, Viewer
from schema.policy import Permission, Policy, Role
from schema.practice import Practice
from schema.problem import AlreadyEngaged, NotPermitted, StaleVersion

TOKENS = Listing("tokens", "k.*", "connect_tokens k", "k.id", "k.agent_id")
_GRANT_STATUSES = {status.value: status for status in GrantStatus}
MOST_TOKENS = 100  # the newest ones; older tokens are history that the audit keeps


def _practice(context: Context, row: Row) -> Practice:
    return objects.practice(row)


def _user(context: Context, row: Row) -> User:
    return objects.user(row)


def _agent(context: Context, row: Row) -> Agent:
    return objects.agent(row)


def _member(context: Context, row: Row) -> AgentMember:
    return objects.member(row)


def _engagement(context: Context, row: Row) -> Engagement:
    return context.engagement(row)


to_one(StaffMember, "practice", "practice", "practice_id", _practice)
to_one(StaffMember, "user", "user", "user_id", _user)
to_one(AgentMember, "agent", "agent", "agent_id", _agent)
to_one(AgentMember, "user", "user", "user_id", _user)
to_one(ConnectToken, "issued_by", "member", "issued_by_id", _member)
to_one(ConnectToken, "engagement", "engagement", "engagement_id", _engagement)
to_one(Engagement, "previous", "engagement", "previous_id", _engagement)
to_one(RoleGrant, "granted_by", "user", "granted_by_id", _user)


@edge(Viewer, "user")
async def user_of_viewer(context: Context, viewer: Viewer) -> User:
    return objects.user(await context.the("user", viewer.actor.user_id))


@edge(Viewer, "permissions")
def permissions_of_viewer(context: Context, viewer: Viewer, practice_id: str) -> list[strawberry.ID]:
    """What the viewer holds in a practice; nothing for one that they have nothing to do with."""
    practice = parse(practice_id)
    if practice is None:
        return []
    place = Place(frozenset({practice}))
    platform = [seat for seat in viewer.actor.own if seat.held_by == "platform"]
    held = permissions(viewer.actor.policy, [*viewer.actor.seats(place), *platform])
    return [strawberry.ID(key) for key in sorted(held)]


@edge(StaffMember, "roles")
def roles_of_staff(context: Context, staff: StaffMember) -> list[Role]:
    return [role_named(context, key) for key in staff.row["roles"]]


@edge(Agent, "tokens")
async def tokens(context: Context, agent: Agent, live: bool | None) -> list[ConnectToken]:
    """Newest first. Live ones are those that a practice could still use."""
    attempts = context.policy.tokens.attempts
    usable = Condition("k.state = 'issued' AND k.expires_at > %s AND k.attempts < %s", (context.now, attempts))
    selection = Selection(TOKENS, UUID(agent.id), () if live is False else (usable,))
    newest = await context.lists.page(selection, Cut(MOST_TOKENS, backwards=True, after=None, before=None))
    return [objects.token(row, attempts, context.now) for row in reversed(newest.rows)]


@edge(Engagement, "practice")
def practice_of_engagement(context: Context, engagement: Engagement) -> Practice:
    return objects.practice(Beside(engagement.row, "practice_"))


@edge(Engagement, "agent")
def agent_of_engagement(context: Context, engagement: Engagement) -> Agent:
    return objects.agent(Beside(engagement.row, "agent_"))


@edge(Engagement, "external_ref")
def external_ref(context: Context, engagement: Engagement) -> str | None:
    """The agent's own client number is nobody else's business."""
    own = context.actor is not None and engagement.row["agent_id"] in context.actor.agents
    return engagement.row["external_ref"] if own else None


@edge(Engagement, "roles")
def roles_of_engagement(context: Context, engagement: Engagement) -> list[RoleGrant]:
    hold_until(engagement.until)
    return [grant(stored, grant_status(stored, context.request.now)) for stored in engagement.facts.grants]


def grant(stored: Grant, status: str) -> RoleGrant:
    return RoleGrant(
        row={"role": stored.role, "granted_by_id": stored.granted_by},
        status=_GRANT_STATUSES[status],
        granted_at=stored.granted_at,
        expires_at=stored.expires_at,
    )


@edge(RoleGrant, "role")
def role_of_grant(context: Context, grant: RoleGrant) -> Role:
    return role_named(context, grant.row["role"])


@edge(Engagement, "agreement")
def agreement(context: Context, engagement: Engagement) -> Agreement:
    hold_until(engagement.until)
    stored = engagement.facts
    state = agreement_state(stored.agreement, context.policy, context.request.now)
    recorded = (stored.agreement or AgreementFacts())._asdict()
    return Agreement(
        requirement=_requirement(context, stored),
        basis=ComplianceBasis(recorded.pop("basis")),
        state=AgreementState(state.value),
        **recorded,
    )


@edge(Policy, "permissions")
def permissions_of_policy(context: Context, policy: Policy) -> list[Permission]:
    return [policy_objects.permission(found) for _, found in sorted(context.policy.permissions.items())]


@edge(Policy, "roles")
def roles_of_policy(context: Context, policy: Policy) -> list[Role]:
    return [policy_objects.role(found) for _, found in sorted(context.policy.roles.items())]


@edge(Role, "includes")
def included(context: Context, role: Role) -> list[Role]:
    found = context.policy.roles.get(role.key)
    return [role_named(context, key) for key in (found.includes if found else ())]


@edge(Role, "permissions")
def permissions_of_role(context: Context, role: Role) -> list[Permission]:
    found = context.policy.roles.get(role.key)
    return [
        policy_objects.permission(context.policy.permissions[key]) for key in sorted(found.permissions if found else ())
    ]


@edge(NotPermitted, "held_by")
def held_by(context: Context, problem: NotPermitted) -> list[Role]:
    return [role_named(context, key) for key in problem.refusal.fields["held_by"]]


@edge(AlreadyEngaged, "engagement")
async def standing(context: Context, problem: AlreadyEngaged) -> Engagement:
    return _engagement(context, await context.the("engagement", problem.refusal.fields["engagement_id"]))


@edge(StaleVersion, "current")
async def current(context: Context, problem: StaleVersion) -> Engagement:
    return _engagement(context, await context.the("engagement", problem.refusal.fields["engagement_id"]))


def role_named(context: Context, key: str) -> Role:
    """The same few roles stand all over a page."""
    if key not in context.roles:
        found = context.policy.roles.get(key)
        context.roles[key] = policy_objects.role(found) if found else policy_objects.unknown_role(key)
    return context.roles[key]


def _requirement(context: Context, stored: Facts) -> AgreementRequirement:
    kind = context.policy.agents.get(stored.agent_kind)
    return AgreementRequirement(kind.agreement) if kind else AgreementRequirement.REQUIRED
