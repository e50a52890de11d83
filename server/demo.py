"""Practices, agents and people to try the product with. In development only: every password is known.

They are made through the same operations as real ones, so that their records are whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import strawberry

from authz.actor import Place
from authz.policy import Policy
from models import User
from models.connection import client
from operations import agent, member, practice, staff, stretching
from operations.acceptance import Accepted, accept_invitation
from operations.invitation import Invited
from schema.inputs import AddStaffInput, CreatePracticeInput, InviteMemberInput, RegisterAgentInput
from schema.kinds import AgentKind, PracticeKind
from server import demo_acting
from server.demo_acting import Stage, access, once
from server.demo_engagements import Agency, House, load_engagements

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
    stage, people = Stage(policy, now), await _people(now)
    houses = [await _practice(stage, demo, people) for demo in PRACTICES]
    agencies = [await _agent(stage, described, people) for described in AGENTS]
    await load_engagements(stage, houses, agencies)
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


async def _practice(stage: Stage, demo: DemoPractice, people: dict[str, User]) -> House:
    owner = people[f"owner@{demo.domain}"]
    founding = access(stage, owner, "practices.create", Place())
    described = CreatePracticeInput(
        name=demo.name, kind=demo.kind, incorporated=demo.incorporated, group_tax_id=demo.group_tax_id
    )
    practice_id = await practice.create_practice(founding, described, once(founding))
    hiring = access(stage, owner, "staff.add", Place(frozenset({practice_id})), demo_acting.OWNER)
    for role in STAFF:
        email = f"{role}@{demo.domain}"
        invited = await staff.add_staff(hiring, _new_staff(practice_id, email, role), once(hiring))
        await _accept(stage, people[email], invited)
    return House(practice_id, owner)


def _new_staff(practice_id: UUID, email: str, role: str) -> AddStaffInput:
    return AddStaffInput(
        practice_id=strawberry.ID(str(practice_id)), email=email, name=_name(email), roles=[strawberry.ID(role)]
    )


async def _agent(stage: Stage, demo: DemoAgent, people: dict[str, User]) -> Agency:
    admin = people[demo.admin]
    registering = access(stage, admin, "agents.register", Place())
    described = RegisterAgentInput(
        kind=demo.kind,
        legal_name=demo.legal_name,
        address="1 Example Street",
        city=demo.city,
        phone="+1 555 0100",
        email=demo.admin,
    )
    agent_id = await agent.register_agent(registering, described, once(registering))
    vouching = access(stage, people[OPERATOR], "agents.verify", Place(), demo_acting.OPERATOR)
    await agent.verify_agent(vouching, agent_id, once(vouching))
    inviting = access(stage, admin, "members.invite", Place(agent=agent_id), demo_acting.ADMIN)
    members = []
    for email in demo.members:
        typed = InviteMemberInput(agent_id=strawberry.ID(str(agent_id)), email=email, name=_name(email))
        invited = await member.invite_member(inviting, agent_id, typed, once(inviting))
        members.append((await _accept(stage, people[email], invited)).member_id)
    return Agency(agent_id, admin, [key for key in members if key])


async def _accept(stage: Stage, user: User, invited: Invited) -> Accepted:
    accepting = access(stage, user, "account.invitations.accept", Place())
    return await accept_invitation(accepting, invited.code, once(accepting))
