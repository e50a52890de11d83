"""The root of every query."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import UNSET, argument

from authz.actor import Access, Reach
from resolvers import changes, explain, history, objects, pages, places, policy_objects
from resolvers import nodes as any_nodes
from resolvers.context import context_of
from resolvers.guard import Hidden, requires
from resolvers.onboarding import OnboardingQuery
from resolvers.role_preview import RolePreviewQuery
from schema.agent import Agent, AgentConnection
from schema.change import ChangePage
from schema.edges import After, Before, First, Last
from schema.engagement import Engagement
from schema.explanation import Explanation
from schema.history import HistoricalAccess
from schema.node import Node
from schema.person import Viewer
from schema.policy import Policy, Role
from schema.practice import Practice, PracticeConnection

Id = Annotated[strawberry.ID, argument(description="The object's id, a UUID.")]
Ids = Annotated[list[strawberry.ID], argument(description="At most 100 ids; the answer has the same order.")]
PracticeId = Annotated[strawberry.ID, argument(description="The practice's id.")]
Instant = Annotated[datetime, argument(description="The instant, with its offset from UTC.")]
Key = Annotated[strawberry.ID, argument(description="The role's key, for example `biller`.")]
PermissionKey = Annotated[strawberry.ID, argument(description="The permission's key, for example `claims.submit`.")]
Member = Annotated[
    strawberry.ID | None,
    argument(description="One of the agent's people. Left out: the widest that anybody of the agent can have."),
]
Search = Annotated[str | None, argument(description="A part of the legal name; upper and lower case are the same.")]
Behind = Annotated[
    str | None,
    argument(
        description="The `cursor` of the last page, or of the last change dealt with. Left out: from the beginning."
    ),
]
Most = Annotated[int | None, argument(description="How many to return: 1 to 100; 20 if left out.")]
Grantable = Annotated[
    bool | None, argument(description="True: only roles that agents can have. False: only the others. All if left out.")
]


def _page(first: int | None, after: str | None, last: int | None, before: str | None) -> dict[str, int | str | None]:
    asked = {"first": first, "after": after, "last": last, "before": before}
    return {name: None if value is UNSET else value for name, value in asked.items()}


@strawberry.type(description="Everything that can be read.")
class Query(RolePreviewQuery, OnboardingQuery):
    @strawberry.field(
        description="You: where you belong and what you can do. Null never; nobody signed in is refused.",
        extensions=requires("account.read"),
    )
    async def viewer(self, access: Access) -> Viewer:
        return Viewer(actor=access.actor)

    @strawberry.field(
        description="Any object by its id. Null for an id that is unknown or hidden from you.",
        extensions=[*requires("account.read"), Hidden()],
    )
    async def node(self, info: strawberry.Info, access: Access, id: Id) -> Node | None:
        return await any_nodes.node(context_of(info), id)

    @strawberry.field(
        description="Several objects by their ids, in the same order. Null for each that you may not see.",
        extensions=requires("account.read"),
    )
    async def nodes(self, info: strawberry.Info, access: Access, ids: Ids) -> list[Node | None]:
        return await any_nodes.nodes(context_of(info), ids)

    @strawberry.field(
        description="A practice that you belong to or work for. Null for any other.",
        extensions=[*requires("practice.profile.read", places.practice), Hidden()],
    )
    async def practice(self, info: strawberry.Info, access: Access, id: Id) -> Practice | None:
        return await pages.practice(context_of(info), access.place.practice, info)

    @strawberry.field(
        description="The practices whose profile you may read, in the order in which they were founded.",
        extensions=requires("practice.profile.read"),
    )
    async def practices(
        self,
        info: strawberry.Info,
        reach: Reach,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> PracticeConnection:
        return await pages.practices(context_of(info), reach, **_page(first, after, last, before))

    @strawberry.field(
        description="An agent that you work for, or that a practice of yours engaged. Null for any other.",
        extensions=[*requires("agents.read", places.agent), Hidden()],
    )
    async def agent(self, info: strawberry.Info, access: Access, id: Id) -> Agent | None:
        row = await context_of(info).row("agent", UUID(id))
        return objects.agent(row) if row else None

    @strawberry.field(
        description="The agents you may see: your own, and those your practices engaged. A platform operator sees all.",
        extensions=requires("agents.read"),
    )
    async def agents(
        self,
        info: strawberry.Info,
        reach: Reach,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        search: Search = UNSET,
    ) -> AgentConnection:
        words = None if search is UNSET else search
        return await pages.agents(context_of(info), reach, words, **_page(first, after, last, before))

    @strawberry.field(
        description="An engagement of your practice or of your agent. Null for any other.",
        extensions=[*requires("engagements.read", places.engagement), Hidden()],
    )
    async def engagement(self, info: strawberry.Info, access: Access, id: Id) -> Engagement | None:
        context = context_of(info)
        return context.engagement(await context.the("engagement", UUID(id)))

    @strawberry.field(
        description="A role of the policy. Null for a key that the policy does not have.",
        extensions=requires("policy.read"),
    )
    async def role(self, access: Access, key: Key) -> Role | None:
        found = access.policy.roles.get(key)
        return policy_objects.role(found) if found else None

    @strawberry.field(description="The roles of the policy, by key.", extensions=requires("policy.read"))
    async def roles(self, access: Access, grantable_to_agents: Grantable = UNSET) -> list[Role]:
        roles = [policy_objects.role(found) for _, found in sorted(access.policy.roles.items())]
        wanted = (True, False) if grantable_to_agents in (None, UNSET) else (grantable_to_agents,)
        return [role for role in roles if role.grantable_to_agents in wanted]

    @strawberry.field(
        description="Who could do what in a practice at an earlier instant, from its record and from the policy that "
        "was in force then: every engagement that had begun and not ended. A time to come is an error with the code "
        "INVALID_INPUT.",
        extensions=requires("audit.read", places.practice),
    )
    async def access_as_of(
        self, info: strawberry.Info, access: Access, practice_id: PracticeId, at: Instant
    ) -> list[HistoricalAccess]:
        return await history.access_as_of(context_of(info), access.place.practice, at)

    @strawberry.field(
        description="Why the agent of an engagement may or may not do something there, now. Everybody who sees the "
        "engagement may ask. A member of another agent is an error with the code NOT_FOUND.",
        extensions=requires("engagements.read", places.engagement),
    )
    async def explain_access(
        self,
        info: strawberry.Info,
        access: Access,
        engagement_id: Id,
        permission: PermissionKey,
        member_id: Member = UNSET,
    ) -> Explanation:
        member = None if member_id is UNSET else member_id
        return await explain.explain_access(context_of(info), UUID(engagement_id), permission, member)

    @strawberry.field(
        description="What happened to the agent's engagements, as a durable feed for partner platforms: every change "
        "once, in one order, without a gap, for as long as the service exists. A cursor that is none of this agent's "
        "feed, or lies ahead of it, is an error with the code INVALID_INPUT.",
        extensions=requires("changes.read", places.agent),
    )
    async def changes(
        self, info: strawberry.Info, access: Access, agent_id: Id, after: Behind = UNSET, first: Most = UNSET
    ) -> ChangePage:
        size, place = None if first is UNSET else first, None if after is UNSET else after
        return await changes.page(context_of(info), UUID(agent_id), size, place)

    @strawberry.field(description="The policy in force.", extensions=requires("policy.read"))
    async def policy(self, info: strawberry.Info, access: Access) -> Policy:
        context = context_of(info)
        found = access.policy
        return Policy(
            name=found.name, version=found.version, digest=found.digest, activated_at=context.policy_activated_at
        )
