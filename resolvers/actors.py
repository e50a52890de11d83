"""Who is asking: one query from a credential to a person with every seat they hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import orjson

from authz.actor import Actor
from authz.decide import Seat
from authz.life import Facts, Life, Status, changes_at, life
from authz.policy import Policy
from models.connection import Row, watched_read
from models.memory import hold_until, note
from operations.facts import COLUMNS, TABLES, facts
from operations.last_use import LastUses, used_by
from resolvers.credential import Claims, Credential, Kind

# What a credential says by itself: one row, or none where it is unknown or over.
_SESSION = """
SELECT s.id, s.user_id, s.id AS session_id, NULL::uuid AS api_key_id, NULL::uuid AS member_id, NULL::text[] AS scopes,
    s.reauthenticated_at, s.second_factor, s.last_seen_at, s.expires_at
FROM sessions s WHERE s.reference_hash = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND s.last_seen_at > $3
"""
_OF_KEY = """
m.user_id, NULL::uuid AS session_id, k.id AS api_key_id, k.member_id"""
# A key ends where its member's or its agent's work does. People still see their own suspended agent; programs need not.
_AT_WORK = """
JOIN agent_members m ON m.id = k.member_id AND m.joined_at IS NOT NULL AND m.departed_at IS NULL
    AND m.suspended_at IS NULL
JOIN agents a ON a.id = k.agent_id AND a.id = m.agent_id AND a.suspended_at IS NULL AND a.closed_at IS NULL"""
_PROVES_NOTHING = "NULL::timestamptz AS reauthenticated_at, FALSE AS second_factor"
_API_KEY = f"""
SELECT k.id, {_OF_KEY}, k.scopes, {_PROVES_NOTHING}, k.last_used_at AS last_seen_at, k.expires_at
FROM api_keys k {_AT_WORK}
WHERE k.secret_hash = $1 AND k.revoked_at IS NULL AND k.expires_at > $2
"""  # noqa: S608  (our own text)
_ACCESS_TOKEN = f"""
SELECT t.id, {_OF_KEY}, t.scopes, {_PROVES_NOTHING}, k.last_used_at AS last_seen_at,
    least(t.expires_at, k.expires_at) AS expires_at
FROM access_tokens t JOIN api_keys k ON k.id = t.api_key_id {_AT_WORK}
WHERE t.token_hash = $1 AND k.revoked_at IS NULL AND least(t.expires_at, k.expires_at) > $2
"""  # noqa: S608  (our own text)
_ISSUER = f"""
SELECT i.id, i.user_id, NULL::uuid AS session_id, NULL::uuid AS api_key_id, NULL::uuid AS member_id,
    NULL::text[] AS scopes, {_PROVES_NOTHING}, NULL::timestamptz AS last_seen_at, $3::timestamptz AS expires_at
FROM identities i WHERE i.issuer = $1 AND i.subject = $2
"""  # noqa: S608  (our own text)
# The person with every seat, in the same statement: one row for each engagement, the rest of the person in the first.
# A key acts for one member of one agent: its person's staff and other memberships are not its own.
# The memberships come first and their agents' engagements then, whatever the planner believes (OFFSET 0): while a young
# table is not analysed it takes them for a handful, works everybody's engagements out and picks the person's own last.
# With 50 members of agents that have 400 engagements each a first request took half a second.
_ENGAGED = TABLES.replace(
    "engagements e", "(SELECT * FROM engagements k WHERE k.agent_id = m.agent_id AND k.ended_at IS NULL OFFSET 0) e", 1
)
_PERSON = f"""
WITH shown AS MATERIALIZED ({{}}), person AS MATERIALIZED (
    SELECT w.*, u.name, u.operator AND w.member_id IS NULL AS operator,
        (SELECT max(number) FROM policy_activations) AS activation,
        (SELECT jsonb_agg(jsonb_build_object('practice', t.practice_id, 'roles', t.roles, 'open', p.closed_at IS NULL))
            FROM staff_members t JOIN practices p ON p.id = t.practice_id
            WHERE t.user_id = u.id AND t.removed_at IS NULL AND w.member_id IS NULL) AS staff,
        (SELECT jsonb_agg(jsonb_build_object('id', m.id, 'agent', m.agent_id, 'admin', m.admin, 'kind', a.kind,
                'active', m.suspended_at IS NULL AND a.closed_at IS NULL))
            FROM agent_members m JOIN agents a ON a.id = m.agent_id
            WHERE m.user_id = u.id AND m.joined_at IS NOT NULL AND m.departed_at IS NULL
                AND m.id = coalesce(w.member_id, m.id)) AS members
    FROM shown w JOIN users u ON u.id = w.user_id WHERE u.disabled_at IS NULL
)
SELECT w.id AS who_id, w.user_id AS who_user_id, w.session_id, w.api_key_id, w.scopes, w.reauthenticated_at,
    w.second_factor, w.last_seen_at, w.expires_at AS who_expires_at, w.name, w.operator, w.activation,
    CASE WHEN row_number() OVER () = 1 THEN w.staff END AS staff,
    CASE WHEN row_number() OVER () = 1 THEN w.members END AS members, f.*
FROM person w LEFT JOIN LATERAL (
    SELECT {COLUMNS},
        s.id IS NOT NULL AS assigned, s.cap, m.admin AS member_admin, m.suspended_at AS member_suspended_at
    FROM (
        SELECT * FROM agent_members k WHERE k.user_id = w.user_id AND k.joined_at IS NOT NULL
            AND k.departed_at IS NULL AND k.id = coalesce(w.member_id, k.id) OFFSET 0
    ) m CROSS JOIN LATERAL {_ENGAGED}
    LEFT JOIN assignments s ON s.engagement_id = e.id AND s.member_id = m.id AND s.removed_at IS NULL
) f ON TRUE
"""  # noqa: S608  (our own text)
_BY = {Kind.SESSION: _SESSION, Kind.API_KEY: _API_KEY, Kind.ACCESS_TOKEN: _ACCESS_TOKEN, Kind.ISSUER: _ISSUER}
_STATEMENTS = {kind: _PERSON.format(shown) for kind, shown in _BY.items()}
_TABLES = {kind: f"{kind.value}s.id" for kind in _BY} | {Kind.ISSUER: "identities.id"}
LONG_AGO = datetime.min.replace(tzinfo=UTC)
SEEN_EVERY = timedelta(seconds=60)  # how coarsely the last use is kept: a write per request would be one too many


async def load_actor(
    credential: Credential,
    policy_at: Callable[[int], Awaitable[Policy]],
    now: datetime,
    *,
    address: str,
    idle_seconds: int,
    attended: bool = True,
    uses: LastUses | None = None,
) -> tuple[Actor, datetime] | None:
    """The person behind a credential as of `now`, and the last use that is written down. None where the credential is
    over or unknown.

    The same statement reads which activation of a policy is the newest; `policy_at` gives the set of that number,
    so that nobody is judged by one that was replaced before the question was asked. Only an attended request counts
    as use of a session: a page that somebody left open must not keep it alive. `uses` writes it down later.
    """
    if credential.claims is not None and credential.claims.until <= now:  # on a connection that stays
        return None
    idle = timedelta(seconds=idle_seconds)
    if uses is not None:
        await uses.catch_up(now)
    rows = await watched_read(_STATEMENTS[credential.kind], *_asked(credential, now, now - idle))
    if not rows:
        return None
    row = rows[0]
    seen = row["last_seen_at"] or LONG_AGO
    if attended and now - seen >= SEEN_EVERY:
        await _used(row, now, uses)
        seen = now
    note((_TABLES[credential.kind], row["who_id"]), ("users.id", row["who_user_id"]))
    if row["api_key_id"] is not None:  # an access token ends with its key
        note(("api_keys.id", row["api_key_id"]))
    hold_until(min(row["who_expires_at"], seen + idle) if row["session_id"] else row["who_expires_at"])
    if credential.claims is not None and credential.claims.confirmed_until is not None:
        hold_until(credential.claims.confirmed_until)
    return _actor(rows, credential.claims, await policy_at(row["activation"] or 0), now, address), seen


def _asked(credential: Credential, now: datetime, idle_since: datetime) -> tuple[Any, ...]:
    """The values of the statement for this kind of credential."""
    if credential.claims is not None:
        return credential.claims.issuer, credential.claims.subject, credential.claims.until
    return (credential.name, now, idle_since) if credential.kind is Kind.SESSION else (credential.name, now)


async def _used(row: Row, now: datetime, uses: LastUses | None) -> None:
    """Of whom a trusted issuer vouches for nothing is written down."""
    used = used_by(row["session_id"], row["api_key_id"])
    if used is None:
        return
    writer = uses or LastUses()
    writer.note(*used, now)
    if uses is None:
        await writer.close()


def _actor(rows: Sequence[Row], claims: Claims | None, policy: Policy, now: datetime, address: str) -> Actor:
    row = rows[0]
    members = orjson.loads(row["members"] or "[]")
    scopes = None if row["scopes"] is None else frozenset(row["scopes"])
    practices = _staff_seats(orjson.loads(row["staff"] or "[]"))
    note(("staff_members.user_id", row["who_user_id"]), ("agent_members.user_id", row["who_user_id"]))
    note(*(("practices.id", practice) for practice in practices))
    for member in members:
        note(("agents.id", UUID(member["agent"])), ("engagements.agent_id", UUID(member["agent"])))
    engaged: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for practice, seat, engagement in _engagement_seats(rows, policy, now):
        practices[practice].append(seat)
        engaged[practice].append(engagement)
    second_factor = claims.second_factor if claims else row["second_factor"]
    wanting = policy.sign_in.second_factor != "optional" and not second_factor and row["api_key_id"] is None
    as_shown = partial(_carried, scopes=scopes, proven=not wanting)
    seated = {practice: as_shown(seats) for practice, seats in practices.items()}
    return Actor(
        user_id=row["who_user_id"],
        name=row["name"],
        policy=policy,
        now=now,
        session_id=row["session_id"],
        api_key_id=row["api_key_id"],
        reauthenticated_at=claims.authenticated_at if claims else row["reauthenticated_at"],
        second_factor=second_factor,
        address=address,
        own=as_shown(_own_seats(row["operator"] and claims is None)),
        practices=seated,
        agents={UUID(member["agent"]): as_shown((_member_seat(member),)) for member in members},
        members={UUID(member["agent"]): UUID(member["id"]) for member in members},
        engaged={key: tuple(zip(seated[key][-len(ids) :], ids, strict=True)) for key, ids in engaged.items()},
    )


def _carried(seats: Iterable[Seat], scopes: frozenset[str] | None, proven: bool) -> tuple[Seat, ...]:
    """The seats as far as an API key carries them, or a sign-in without a second factor; else as they are."""
    if scopes is None and proven:
        return tuple(seats)
    return tuple(replace(seat, scopes=scopes, proven=proven) for seat in seats)


def _own_seats(operator: bool) -> tuple[Seat, ...]:
    """What everybody signed in has, and what the platform's operators have everywhere. An operator is past every
    tenant's wall: whoever controls an issuer must not be one, so its tokens carry nothing of that."""
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


def _engagement_seats(rows: Iterable[Row], policy: Policy, now: datetime) -> list[tuple[UUID, Seat, UUID]]:
    """A seat in each practice through each engagement that has not ended, with its id. Who has none has one row all the
    same."""
    lives = [(row, _life(row, policy, now)) for row in rows if row["practice_id"] is not None]
    live = [(row, found) for row, found in lives if not found.ended_at]
    return [(row["practice_id"], engagement_seat(row, found), row["id"]) for row, found in live]


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
    return Seat("agent", found.live_roles, _is_open(found.status), stored.agent_kind, found.agreement_in_force)


def _is_open(status: Status) -> bool:
    """Whether time and suspension let the engagement give anything; roles and agreement are asked by `decide`."""
    return status not in (Status.ENDED, Status.EXPIRED, Status.SUSPENDED)
