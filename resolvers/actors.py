"""Who is asking: one query from a session's reference to a person with every seat they hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from authz.actor import Actor
from authz.decide import Seat
from authz.life import Facts, Life, Status, changes_at, is_in_force, life
from authz.policy import Policy
from models.connection import client, watched_read
from models.memory import hold_until, note
from operations.facts import COLUMNS, TABLES, facts
from operations.last_use import LastUses
from operations.session import reference_hash

_SESSION = """
SELECT s.id, s.reauthenticated_at, s.last_seen_at, s.expires_at, u.id AS user_id, u.name, u.operator,
    (SELECT max(number) FROM policy_activations) AS activation,
    (SELECT jsonb_agg(jsonb_build_object('practice', t.practice_id, 'roles', t.roles, 'open', p.closed_at IS NULL))
        FROM staff_members t JOIN practices p ON p.id = t.practice_id
        WHERE t.user_id = u.id AND t.removed_at IS NULL) AS staff,
    (SELECT jsonb_agg(jsonb_build_object('id', m.id, 'agent', m.agent_id, 'admin', m.admin, 'kind', a.kind,
            'active', m.suspended_at IS NULL AND a.closed_at IS NULL))
        FROM agent_members m JOIN agents a ON a.id = m.agent_id
        WHERE m.user_id = u.id AND m.joined_at IS NOT NULL AND m.departed_at IS NULL) AS members
FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.reference_hash = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND s.last_seen_at > $3
    AND u.disabled_at IS NULL
"""
_ENGAGEMENTS = f"""
SELECT {COLUMNS},
    EXISTS (SELECT 1 FROM assignments s WHERE s.engagement_id = e.id AND s.member_id = m.id AND s.removed_at IS NULL)
        AS assigned,
    (SELECT s.cap FROM assignments s WHERE s.engagement_id = e.id AND s.member_id = m.id AND s.removed_at IS NULL)
        AS cap,
    m.admin AS member_admin, m.suspended_at AS member_suspended_at
FROM {TABLES} JOIN agent_members m ON m.agent_id = e.agent_id
WHERE m.id = ANY ($1) AND e.ended_at IS NULL
"""  # noqa: S608  (our own text)
_SEEN = "UPDATE sessions SET last_seen_at = $2 WHERE id = $1"
SEEN_EVERY = timedelta(seconds=60)  # how coarsely the last use is kept: a write per request would be one too many


async def load_actor(
    reference: str,
    policy_at: Callable[[int], Awaitable[Policy]],
    now: datetime,
    *,
    address: str,
    idle_seconds: int,
    attended: bool = True,
    uses: LastUses | None = None,
) -> tuple[Actor, datetime] | None:
    """The person behind a session's reference as of `now`, and the last use that is written down. None where the
    session is over or unknown.

    The same statement reads which activation of a policy is the newest; `policy_at` gives the set of that number,
    so that nobody is judged by one that was replaced before the question was asked. Only an attended request counts
    as use of the session: a page that somebody left open must not keep it alive. `uses` writes it down later.
    """
    since = now - timedelta(seconds=idle_seconds)
    if uses is not None:
        await uses.catch_up(now)
    rows = await watched_read(_SESSION, reference_hash(reference), now, since)
    if not rows:
        return None
    (row,) = rows
    seen = row["last_seen_at"]
    if attended and now - seen >= SEEN_EVERY:
        await _used(row["id"], now, uses)
        seen = now
    note(("sessions.id", row["id"]), ("users.id", row["user_id"]))
    hold_until(min(row["expires_at"], seen + timedelta(seconds=idle_seconds)))
    return await _actor(row, await policy_at(row["activation"] or 0), now, address), seen


async def _used(session: UUID, now: datetime, uses: LastUses | None) -> None:
    if uses is None:
        await client().execute_query_dict(_SEEN, [session, now])
    else:
        uses.note(session, now)


async def _actor(row: Mapping[str, Any], policy: Policy, now: datetime, address: str) -> Actor:
    members = orjson.loads(row["members"] or "[]")
    practices = _staff_seats(orjson.loads(row["staff"] or "[]"))
    note(("staff_members.user_id", row["user_id"]), ("agent_members.user_id", row["user_id"]))
    note(*(("practices.id", practice) for practice in practices))
    for practice, seat in await _engagement_seats(members, policy, now):
        practices[practice].append(seat)
    return Actor(
        user_id=row["user_id"],
        name=row["name"],
        session_id=row["id"],
        reauthenticated_at=row["reauthenticated_at"],
        policy=policy,
        now=now,
        address=address,
        own=_own_seats(row["operator"]),
        practices={practice: tuple(seats) for practice, seats in practices.items()},
        agents={UUID(member["agent"]): (_member_seat(member),) for member in members},
        members={UUID(member["agent"]): UUID(member["id"]) for member in members},
    )


def _own_seats(operator: bool) -> tuple[Seat, ...]:
    """What everybody signed in has, and what the platform's operators have everywhere."""
    account = Seat("user", frozenset({"account_holder"}))
    return (account, Seat("platform", frozenset({"operator"}))) if operator else (account,)


def _staff_seats(staff: Iterable[Mapping[str, Any]]) -> defaultdict[UUID, list[Seat]]:
    seats: defaultdict[UUID, list[Seat]] = defaultdict(list)
    for membership in staff:
        seat = Seat("staff", frozenset(membership["roles"]), active=membership["open"])
        seats[UUID(membership["practice"])].append(seat)
    return seats


def _member_seat(member: Mapping[str, Any]) -> Seat:
    """In the own agent. A suspended agent still sees itself; what it may do outside is asked elsewhere."""
    role = "agent_admin" if member["admin"] else "agent_member"
    return Seat("member", frozenset({role}), active=member["active"])


async def _engagement_seats(
    members: Iterable[Mapping[str, Any]], policy: Policy, now: datetime
) -> list[tuple[UUID, Seat]]:
    """A seat in each practice through each engagement that has not ended."""
    ids = [UUID(member["id"]) for member in members]
    if not ids:
        return []
    for member in members:
        agent = UUID(member["agent"])
        note(("agents.id", agent), ("engagements.agent_id", agent))
    lives = [(row, _life(row, policy, now)) for row in await watched_read(_ENGAGEMENTS, ids)]
    return [(row["practice_id"], engagement_seat(row, found)) for row, found in lives if not found.ended_at]


def _life(row: Mapping[str, Any], policy: Policy, now: datetime) -> Life:
    stored = facts(row)
    note(("practices.id", row["practice_id"]))
    hold_until(changes_at(stored, policy, now))
    return life(stored, policy, now)


def engagement_seat(row: Mapping[str, Any], found: Life) -> Seat:
    """The seat of one member in one engagement. A front-office worker is its own member."""
    own_member = row["agent_kind"] == "front_office_worker" and row["member_admin"]
    return Seat(
        "agent",
        found.live_roles,
        active=_is_open(found.status) and row["member_suspended_at"] is None and row["agent_verified_at"] is not None,
        agent_kind=row["agent_kind"],
        agreement_in_force=found.agreement_in_force,
        assigned=own_member or row["assigned"],
        cap=None if row["cap"] is None else frozenset(row["cap"]),
    )


def organisation_seat(stored: Facts, policy: Policy, now: datetime) -> Seat:
    """The widest that anybody of the agent can have in the engagement: no member, no cap."""
    found = life(stored, policy, now)
    in_force = is_in_force(found.agreement)
    return Seat("agent", found.live_roles, _is_open(found.status), stored.agent_kind, in_force)


def _is_open(status: Status) -> bool:
    """Whether time and suspension let the engagement give anything; roles and agreement are asked by `decide`."""
    return status not in (Status.ENDED, Status.EXPIRED, Status.SUSPENDED)
