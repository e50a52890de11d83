"""How a person stands in a practice, with what stands behind each seat in words: what explanations are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from authz.decide import Seat
from authz.explain import Background
from authz.life import Life, life
from authz.policy import Policy
from models.connection import read
from operations.facts import COLUMNS, TABLES, facts
from resolvers.actors import engagement_seat

STOPPED = ("expired", "suspended", "agent_suspended")
AGREEMENT = ("agreement_missing", "agreement_expired")
ROLES = ("role_confirmation_pending", "unknown_role")
# What is asked about a member beside the engagement: `m` is the member, `e` the engagement, `a` the agent.
MEMBER = """
m.admin AS member_admin, m.suspended_at AS member_suspended_at, m.joined_at AS member_joined_at,
m.departed_at AS member_departed_at,
EXISTS (SELECT 1 FROM assignments s WHERE s.engagement_id = e.id AND s.member_id = m.id AND s.removed_at IS NULL)
    AS assigned,
(SELECT s.cap FROM assignments s WHERE s.engagement_id = e.id AND s.member_id = m.id AND s.removed_at IS NULL) AS cap
"""
_MEMBER = f"""
SELECT {MEMBER} FROM engagements e JOIN agents a ON a.id = e.agent_id JOIN agent_members m ON m.agent_id = a.id
WHERE e.id = $1 AND m.id = $2
"""  # noqa: S608  (our own text)
# One row for each engagement of each person, and one for who has none; $1 is the practice, $2 the person or null for
# everybody who stands in it. A person or practice that is not there leaves its columns null.
_PEOPLE = f"""
WITH work AS (
    SELECT {COLUMNS}, {MEMBER}, m.user_id AS member_user_id,
        (SELECT jsonb_object_agg(g.role, b.name) FROM role_grants g JOIN users b ON b.id = g.granted_by_id
            WHERE g.engagement_id = e.id AND g.removed_at IS NULL) AS granter_names
    FROM {TABLES} JOIN agent_members m ON m.agent_id = e.agent_id
    WHERE m.joined_at IS NOT NULL AND m.departed_at IS NULL
)
SELECT h.id AS house_id, h.name AS house_name, h.closed_at AS house_closed_at, u.id AS user_id, u.name AS user_name,
    u.email AS user_email, u.operator, u.disabled_at, t.roles AS staff_roles, w.*
FROM practices h
LEFT JOIN users u ON u.email = lower($2) OR u.id::text = $2 OR ($2::text IS NULL AND (
    u.operator
    OR EXISTS (SELECT 1 FROM staff_members s WHERE s.user_id = u.id AND s.practice_id = h.id AND s.removed_at IS NULL)
    OR EXISTS (SELECT 1 FROM work o WHERE o.member_user_id = u.id AND o.practice_id = h.id)))
LEFT JOIN staff_members t ON t.user_id = u.id AND t.practice_id = h.id AND t.removed_at IS NULL
LEFT JOIN work w ON w.member_user_id = u.id AND w.practice_id = h.id
WHERE h.id::text = $1 OR lower(h.name) = lower($1)
ORDER BY h.id, u.name, u.id, w.id
"""  # noqa: S608  (our own text)


@dataclass(slots=True)
class Standing:
    """A person in a practice. `ended`: what they had there and have no longer."""

    user_id: UUID
    name: str
    email: str
    seats: dict[Seat, Background] = field(default_factory=dict)
    ended: str = ""


@dataclass(frozen=True, slots=True)
class House:
    """A practice with the people that were asked about."""

    id: UUID
    name: str
    people: tuple[Standing, ...]


async def people(where: str, who: str | None, policy: Policy, now: datetime) -> tuple[House, ...]:
    """The practices of this id or name, each with the person of this e-mail or id, or with everybody there."""
    rows = await read(_PEOPLE, where, who)
    houses: dict[UUID, dict[UUID, Standing]] = {}
    names = {row["house_id"]: row["house_name"] for row in rows}
    for row in rows:
        found = houses.setdefault(row["house_id"], {})
        if row["user_id"] is not None:
            standing = found.setdefault(
                row["user_id"], Standing(row["user_id"], row["user_name"], row["user_email"], _own(row))
            )
            _add_engagement(standing, row, policy, now)
    return tuple(House(key, names[key], tuple(found.values())) for key, found in houses.items())


def _own(row: Mapping[str, Any]) -> dict[Seat, Background]:
    """The seats that a person has once: on the staff, and on the platform."""
    disabled = row["disabled_at"] is not None
    inactive = "the account is disabled" if disabled else "the practice is closed"
    seats = {}
    if row["staff_roles"] is not None:
        active = row["house_closed_at"] is None and not disabled
        seats[Seat("staff", frozenset(row["staff_roles"]), active)] = Background(inactive)
    if row["operator"]:
        seats[Seat("platform", frozenset({"operator"}), not disabled)] = Background(inactive)
    return seats


def _add_engagement(standing: Standing, row: Mapping[str, Any], policy: Policy, now: datetime) -> None:
    if row["id"] is None:
        return
    found = life(facts(row), policy, now)
    if found.ended_at:
        standing.ended = f"the engagement of {row['agent_legal_name']} ended on {found.ended_at:%Y-%m-%d}"
        return
    seat, known = engagement_seat(row, found), background(row, found)
    if row["disabled_at"] is not None:
        seat, known = replace(seat, active=False), replace(known, inactive="the account is disabled")
    standing.seats[seat] = known


async def member_seat(
    row: Mapping[str, Any], member_id: UUID, policy: Policy, now: datetime
) -> tuple[Seat, Background] | None:
    """The seat of one member in an engagement; None for somebody who is not of its agent."""
    rows = await read(_MEMBER, row["id"], member_id)
    if not rows:
        return None
    whole = {**row, **rows[0]}
    found = life(facts(row), policy, now)
    return seat_of_member(whole, found), background(whole, found)


def seat_of_member(whole: Mapping[str, Any], found: Life) -> Seat:
    """From the row of an engagement with the columns of MEMBER."""
    seat = engagement_seat(whole, found)
    works = whole["member_joined_at"] is not None and whole["member_departed_at"] is None
    return replace(seat, active=seat.active and works)


def background(row: Mapping[str, Any], found: Life) -> Background:
    """What stands behind the seat of an engagement; without a member's columns, of the organisation."""
    granters = orjson.loads(row.get("granter_names") or "{}")
    return Background(
        inactive="; ".join(_stopped(row, found)) or Background().inactive,
        agreement=_messages(found, AGREEMENT),
        roles=_messages(found, ROLES),
        granted={
            grant.role: f"granted{_by(granters.get(grant.role))} on {grant.granted_at:%Y-%m-%d}"
            for grant in facts(row).grants
        },
    )


def _stopped(row: Mapping[str, Any], found: Life) -> Iterable[str]:
    if found.ended_at:
        yield f"the engagement ended on {found.ended_at:%Y-%m-%d}"
    if any(blocker.code in STOPPED for blocker in found.blockers):
        yield _messages(found, STOPPED)
    if row.get("member_departed_at"):
        yield "the member has left the agent"
    elif "member_joined_at" in row and row["member_joined_at"] is None:
        yield "the member has not accepted the invitation"
    if row.get("member_suspended_at"):
        yield "the agent has suspended the member"
    if row["agent_verified_at"] is None:
        yield "the platform has not verified the agent"


def _messages(found: Life, codes: tuple[str, ...]) -> str:
    return "; ".join(blocker.message for blocker in found.blockers if blocker.code in codes)


def _by(name: str | None) -> str:
    return f" by {name}" if name else ""
