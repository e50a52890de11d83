"""Many of everything at once, written past the API: for pages, for counting statements, for ids by the dozen.

One owner has many practices; one agent works for all of them; many agents work for the first one. Every list of
the API is then as long as the crowd is large.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from authz.life import Party
from models import (
    Agent,
    AgentMember,
    Agreement,
    AuditEvent,
    ConnectToken,
    Engagement,
    Practice,
    RoleGrant,
    StaffMember,
    User,
)
from models.connection import Connection
from models.identifier import uuid7
from models.unit_of_work import unit_of_work
from operations.record import About, Event, Who, record, record_all
from tests.town import Client, Town


@dataclass
class Crowd:
    """`owner` is staff everywhere, `admin` a member of every agent. Ids are in the order of the lists."""

    town: Town
    owner: Client
    admin: Client
    practices: list[UUID]
    agents: list[UUID]
    staff: list[UUID]
    members: list[UUID]

    @property
    def practice(self) -> str:
        return str(self.practices[0])

    @property
    def agent(self) -> str:
        return str(self.agents[0])


async def build(town: Town, size: int) -> Crowd:
    owner, admin = await town.person("owner@elm.example"), await town.person("admin@acme.example")
    practices = await _practices(town, owner, size)
    agents = await _agents(town, admin, size)
    people = await _people(town, size - 1)
    staff = await _staff(town, "scheduler", [(practices[0], person) for person in people])
    members = await _members(town, False, [(agents[0], person) for person in people])
    pairs = [(practices[0], agent) for agent in agents] + [(practice, agents[0]) for practice in practices[1:]]
    await _engage(town, owner, pairs)
    await note(town, practices[0], size)
    own = await StaffMember.get(practice_id=practices[0], user_id=owner.user_id)
    mine = await AgentMember.get(agent_id=agents[0], user_id=admin.user_id)
    return Crowd(town, owner, admin, practices, agents, sorted([own.id, *staff]), sorted([mine.id, *members]))


async def note(town: Town, practice: UUID, times: int) -> None:
    """So many events in the practice's record."""
    by = Who("Somebody", None, Party.PRACTICE, town.policy.digest, town.clock.now)

    async def work(connection: Connection) -> None:
        for number in range(times):
            await record(connection, by, "test.noted", About(practice_id=practice), f"note {number}")

    await unit_of_work(work)


async def _practices(town: Town, owner: Client, size: int) -> list[UUID]:
    made = [
        Practice(
            id=uuid7(),
            name=f"Practice {number:02}",
            kind="independent_therapist",
            incorporated=False,
            created_at=town.clock.now,
            created_by_id=owner.user_id,
        )
        for number in range(size)
    ]
    made.sort(key=lambda practice: practice.id)
    await Practice.bulk_create(made)
    await _staff(town, "owner", [(practice.id, UUID(owner.user_id)) for practice in made])
    return [practice.id for practice in made]


async def _agents(town: Town, admin: Client, size: int) -> list[UUID]:
    made = [
        Agent(
            id=uuid7(),
            kind="billing_company",
            legal_name=f"Agent {number:02}",
            address="1 Example Street",
            city="Dayton",
            phone="+1 555 0100",
            email="office@acme.example",
            registered_at=town.clock.now,
            registered_by_id=admin.user_id,
            verified_at=town.clock.now,
        )
        for number in range(size)
    ]
    made.sort(key=lambda agent: agent.id)
    await Agent.bulk_create(made)
    await _members(town, True, [(agent.id, UUID(admin.user_id)) for agent in made])
    return [agent.id for agent in made]


async def _people(town: Town, size: int, prefix: str = "p") -> list[UUID]:
    """Everybody has a name of their own, so that no loader gets away with loading one for all."""
    made = [
        User(
            id=uuid7(),
            name=f"Person {number}",
            email=f"{prefix}{number}-{uuid7()}@elm.example",
            created_at=town.clock.now,
        )
        for number in range(size)
    ]
    await User.bulk_create(made)
    return [person.id for person in made]


async def _staff(town: Town, role: str, pairs: list[tuple[UUID, UUID]]) -> list[UUID]:
    """Practices and people."""
    made = [
        StaffMember(
            id=uuid7(),
            practice_id=practice,
            user_id=person,
            roles=[role],
            added_at=town.clock.now,
            added_by_id=person,
        )
        for practice, person in pairs
    ]
    await StaffMember.bulk_create(made)
    return [each.id for each in made]


async def _members(town: Town, admin: bool, pairs: list[tuple[UUID, UUID]]) -> list[UUID]:
    """Agents and people."""
    now = town.clock.now
    made = [
        AgentMember(
            id=uuid7(),
            agent_id=agent,
            user_id=person,
            admin=admin,
            invited_at=now,
            invited_by_id=person,
            joined_at=now,
        )
        for agent, person in pairs
    ]
    await AgentMember.bulk_create(made)
    return [each.id for each in made]


async def _engage(town: Town, owner: Client, pairs: list[tuple[UUID, UUID]]) -> None:
    """Engagements with two roles and an agreement, and one before each that ended, which lists show behind it."""
    now = town.clock.now
    before, standing, granters, grants, agreements = [], [], [], [], []
    for practice, agent in pairs:
        first, second = sorted([uuid7(), uuid7()])
        terms: dict[str, Any] = {
            "practice_id": practice,
            "agent_id": agent,
            "purpose": "contracted_service",
            "started_at": now - timedelta(days=9),
            "started_by_id": owner.user_id,
            "expires_at": now + timedelta(days=99),
        }
        before.append(Engagement(id=second, **terms, ended_at=now, end_reason="left_by_agent"))
        standing.append(Engagement(id=first, **terms, previous_id=second))
        for role, confirmed in (("biller", now), ("manager", None)):
            granter = User(id=uuid7(), name=role, email=f"{uuid7()}@elm.example", created_at=now)
            dates: dict[str, Any] = {"granted_at": now, "confirmed_at": confirmed, "granted_by_id": granter.id}
            granters.append(granter)
            grants.append(RoleGrant(id=uuid7(), engagement_id=first, role=role, **dates))
        agreements.append(Agreement(id=uuid7(), engagement_id=first, basis="baa", requested_at=now))
    await User.bulk_create(granters)
    await Engagement.bulk_create(before)
    await Engagement.bulk_create(standing)
    await RoleGrant.bulk_create(grants)
    await Agreement.bulk_create(agreements)


async def tokens(crowd: Crowd, size: int) -> None:
    """So many tokens of the first agent that are over."""
    member = await AgentMember.get(agent_id=crowd.agent, user_id=crowd.admin.user_id)
    now = crowd.town.clock.now
    issued: dict[str, Any] = {"agent_id": crowd.agent, "issued_by_id": member.id, "issued_at": now, "expires_at": now}
    opened: dict[str, Any] = {"letters": "BCDF", "salt": b"s", "code_hash": b"h", "state": "released"}
    await ConnectToken.bulk_create([ConnectToken(id=uuid7(), **issued, **opened) for _ in range(size)])


async def tell(crowd: Crowd) -> None:
    """Something about every engagement of the first agent, in its feed."""
    by = Who("Somebody", None, Party.PRACTICE, crowd.town.policy.digest, crowd.town.clock.now)
    found = await Engagement.filter(agent_id=crowd.agent)
    about = [About(each.practice_id, each.agent_id, each.id) for each in found]  # type: ignore[attr-defined]  # tortoise makes the _id attributes
    await unit_of_work(lambda connection: record_all(connection, [Event(by, "test.noted", one, "") for one in about]))


async def hire(crowd: Crowd, key: UUID) -> None:
    """One more person on the first practice's staff, at the place in the list that the id `key` has."""
    (person,) = await _people(crowd.town, 1, "new")
    by: dict[str, Any] = {"added_at": crowd.town.clock.now, "added_by_id": person}
    await StaffMember.create(id=key, practice_id=crowd.practice, user_id=person, roles=["scheduler"], **by)


async def all_engagements(**of: Any) -> list[UUID]:
    return [found.id for found in await Engagement.filter(**of)]


async def all_events(practice: str) -> list[UUID]:
    return [found.id for found in await AuditEvent.filter(chain_id=practice)]


async def memberships(user_id: str) -> list[UUID]:
    return [found.id for found in await AgentMember.filter(user_id=user_id)]
