"""Practices, agents and people to try the product with. In development only: every password is known.

They are made through the same operations as real ones, so that their records are whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import strawberry

from authz.actor import Access, Actor, Place
from authz.decide import Seat
from authz.policy import Policy
from models import User
from models.connection import client
from operations import agent, idempotency, member, practice, staff, stretching
from operations.acceptance import accept_invitation
from operations.invitation import Invited
from schema.inputs import AddStaffInput, CreatePracticeInput, InviteMemberInput, RegisterAgentInput
from schema.kinds import AgentKind, PracticeKind

PASSWORD = "demo-password"  # noqa: S105  (known on purpose, in development only)
OPERATOR = "operator@sparekey.example"


@dataclass(frozen=True, slots=True)
class DemoPractice:
    name: str
    domain: str
    kind: PracticeKind
    incorporated: bool = False
    group_tax_id: str | None = None


@dataclass(frozen=True, slots=True)
class DemoAgent:
    legal_name: str
    kind: AgentKind
    city: str
    admin: str
    members: tuple[str, ...] = ()


PRACTICES = (
    DemoPractice("Elm Street Therapy", "elm.example", PracticeKind.INDEPENDENT_THERAPIST),
    DemoPractice("Harbour Counselling", "harbour.example", PracticeKind.SHARED_OFFICE_MEMBER),
    DemoPractice("Northside Group", "northside.example", PracticeKind.TRUE_GROUP, True, "12-3456789"),
)
AGENTS = (
    DemoAgent("ACME Billing", AgentKind.BILLING_COMPANY, "Dayton", "admin@acme.example", ("member@acme.example",)),
    DemoAgent(
        "Clearwater Practice Management",
        AgentKind.PRACTICE_MANAGEMENT_COMPANY,
        "Spokane",
        "admin@clearwater.example",
    ),
    DemoAgent("Front Desk by Dana", AgentKind.FRONT_OFFICE_WORKER, "Salem", "desk@frontdesk.example"),
)
STAFF = ("manager", "scheduler")


def accounts() -> list[str]:
    """The e-mail addresses of everybody, in the order in which a person would try them."""
    of_practices = [f"{role}@{p.domain}" for p in PRACTICES for role in ("owner", *STAFF)]
    of_agents = [email for a in AGENTS for email in (a.admin, *a.members)]
    return [*of_practices, *of_agents, OPERATOR]


async def load_demo(policy: Policy, now: datetime) -> bool:
    """Fill an empty database; True if it was empty. Half a demo is not left behind unseen: users come last to be
    looked for, so a start that was killed leaves a database that is not empty."""
    (row,) = await client().execute_query_dict("SELECT EXISTS (SELECT 1 FROM users) AS filled")
    if row["filled"]:
        return False
    people = await _people(now)
    for demo in PRACTICES:
        await _practice(demo, people, policy, now)
    for described in AGENTS:
        await _agent(described, people, policy, now)
    return True


async def _people(now: datetime) -> dict[str, User]:
    """One hash for all of them: they share the password, and hashing takes a while."""
    password_hash = await stretching.hash_password(PASSWORD)
    people = {}
    for email in accounts():
        people[email] = await User.create(
            name=_name(email), email=email, password_hash=password_hash, operator=email == OPERATOR, created_at=now
        )
    return people


def _name(email: str) -> str:
    """manager@elm.example → Manager Elm."""
    person, _, domain = email.partition("@")
    return f"{person} {domain.split('.')[0]}".title()


def _access(user: User, policy: Policy, now: datetime, permission: str, place: Place, *seats: Seat) -> Access:
    """The proof that this person may, given that they sit on these seats at the place."""
    at = dict.fromkeys(place.practices, seats)
    agents = {place.agent: seats} if place.agent else {}
    own = (Seat("user", frozenset({"account_holder"})), *(seats if place == Place() else ()))
    actor = Actor(user.id, user.name, policy, now, reauthenticated_at=now, own=own, practices=at, agents=agents)
    return actor.access(permission, place)


def _once(access: Access) -> idempotency.Request:
    return idempotency.Request(access.actor.user_id, access.now)


async def _practice(demo: DemoPractice, people: dict[str, User], policy: Policy, now: datetime) -> None:
    owner = people[f"owner@{demo.domain}"]
    founding = _access(owner, policy, now, "practices.create", Place())
    described = CreatePracticeInput(
        name=demo.name, kind=demo.kind, incorporated=demo.incorporated, group_tax_id=demo.group_tax_id
    )
    practice_id = await practice.create_practice(founding, described, _once(founding))
    place = Place(frozenset({practice_id}))
    hiring = _access(owner, policy, now, "staff.add", place, Seat("staff", frozenset({"owner"})))
    for role in STAFF:
        email = f"{role}@{demo.domain}"
        invited = await staff.add_staff(hiring, _new_staff(practice_id, email, role), _once(hiring))
        await _accept(people[email], policy, now, invited)


def _new_staff(practice_id: UUID, email: str, role: str) -> AddStaffInput:
    return AddStaffInput(
        practice_id=strawberry.ID(str(practice_id)), email=email, name=_name(email), roles=[strawberry.ID(role)]
    )


async def _agent(demo: DemoAgent, people: dict[str, User], policy: Policy, now: datetime) -> None:
    admin = people[demo.admin]
    registering = _access(admin, policy, now, "agents.register", Place())
    described = RegisterAgentInput(
        kind=demo.kind,
        legal_name=demo.legal_name,
        address="1 Example Street",
        city=demo.city,
        phone="+1 555 0100",
        email=demo.admin,
    )
    agent_id = await agent.register_agent(registering, described, _once(registering))
    vouching = _access(
        people[OPERATOR], policy, now, "agents.verify", Place(), Seat("platform", frozenset({"operator"}))
    )
    await agent.verify_agent(vouching, agent_id, _once(vouching))
    inviting = _access(
        admin, policy, now, "members.invite", Place(agent=agent_id), Seat("member", frozenset({"agent_admin"}))
    )
    for email in demo.members:
        typed = InviteMemberInput(agent_id=strawberry.ID(str(agent_id)), email=email, name=_name(email))
        invited = await member.invite_member(inviting, agent_id, typed, _once(inviting))
        await _accept(people[email], policy, now, invited)


async def _accept(user: User, policy: Policy, now: datetime, invited: Invited) -> None:
    accepting = _access(user, policy, now, "account.invitations.accept", Place())
    await accept_invitation(accepting, invited.code, _once(accepting))
