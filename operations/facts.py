"""An engagement's stored facts: the one query for them, for reads and for changes alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from authz.actor import Access
from authz.agreement import AgreementFacts
from authz.life import Facts, Grant, Life, life
from authz.outline import SOME_DAY, Outline
from errors import EngagementEnded, NotFound, StaleVersion
from models.connection import Connection

# Everything that an engagement's life depends on, one row each: `e` is the engagement, `a` the agent, `p` the practice.
# With them come the rows of the agent and of the practice, because almost nobody asks for an engagement without one.
COLUMNS = """
e.*, a.kind AS agent_kind, a.legal_name AS agent_legal_name, a.city AS agent_city, a.address AS agent_address,
a.phone AS agent_phone, a.email AS agent_email, a.verified_at AS agent_verified_at,
a.suspended_at AS agent_suspended_at, a.closed_at AS agent_closed_at,
p.name AS practice_name, p.kind AS practice_kind, p.incorporated AS practice_incorporated,
p.closed_at AS practice_closed_at,
(SELECT json_agg(json_build_array(g.role, g.granted_at, g.confirmed_at, g.expires_at, g.id, g.granted_by_id)
    ORDER BY g.role) FROM role_grants g WHERE g.engagement_id = e.id AND g.removed_at IS NULL) AS grants,
(SELECT json_build_array(s.basis, s.requested_at, s.agent_signed_at, s.practice_signed_at, s.effective_on, s.expires_on,
    s.document_ref, s.document_sha256, s.waived_at, s.terminated_at, s.covered_until, s.training_completed_on,
    s.waive_reason)
    FROM agreements s WHERE s.engagement_id = e.id AND s.superseded_at IS NULL
    ORDER BY s.id DESC LIMIT 1) AS agreement,
(SELECT CASE WHEN count(*) = count(s.removed_at) THEN coalesce(max(s.removed_at), e.started_at) END
    FROM assignments s WHERE s.engagement_id = e.id) AS unassigned_since
"""
TABLES = "engagements e JOIN agents a ON a.id = e.agent_id JOIN practices p ON p.id = e.practice_id"

# The same of the engagement alone, as far as the status depends on it (`authz/outline.py`): of grants and agreement the
# database keeps one text beside it (migration 0013 says how it is made), and in two instants engagements differ that
# are alike otherwise. Those are seconds since 1970: numbers are read in a fraction of the time that dates take, and are
# only compared. Who extends itself never expires.
OUTLINE = {
    "outline": "e.outline",
    "ended": "e.ended_at IS NOT NULL",
    "suspended": "e.suspended_at IS NOT NULL",
    "runs_out_at": "CASE WHEN e.auto_extend THEN 'infinity' ELSE date_part('epoch', e.expires_at) END",
    "last_reviewed_at": "date_part('epoch', coalesce(e.reviewed_at, e.started_at))",
}

_LOCK = "SELECT id FROM engagements WHERE id = $1 FOR UPDATE"
_LOCK_ALL = "SELECT e.id FROM engagements e WHERE e.ended_at IS NULL AND ("
_IN_ORDER = "ORDER BY e.id FOR UPDATE"  # of all that lock engagements, so that nobody waits in a circle
_READ_ALL = f"SELECT {COLUMNS} FROM {TABLES} WHERE e.id = ANY ($1) ORDER BY e.id"  # noqa: S608  (our own text)
_READ = f"SELECT {COLUMNS} FROM {TABLES} WHERE e.id = $1"  # noqa: S608  (our own text)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """An engagement that this transaction holds: its row, its grants and what they mean now."""

    row: Row
    grants: tuple[Grant, ...]
    life: Life

    @property
    def id(self) -> UUID:
        return UUID(str(self.row["id"]))

    @property
    def practice_id(self) -> UUID:
        return UUID(str(self.row["practice_id"]))

    @property
    def agent_id(self) -> UUID:
        return UUID(str(self.row["agent_id"]))


async def hold(connection: Connection, access: Access, engagement_id: UUID) -> Held:
    """Lock the engagement, then read: a statement that waited for the lock would still see old grants.

    Raises NotFound.
    """
    await connection.execute_query_dict(_LOCK, [engagement_id])
    rows = await connection.execute_query_dict(_READ, [engagement_id])
    if not rows:
        raise NotFound
    stored = facts(rows[0])
    return Held(rows[0], stored.grants, life(stored, access.policy, access.now))


async def hold_live(connection: Connection, access: Access, chosen: str, value: UUID) -> list[Held]:
    """Lock the engagements that `chosen` (SQL with $1) names and that have not ended, in the order of their ids."""
    locked = await connection.execute_query_dict(f"{_LOCK_ALL}{chosen}) {_IN_ORDER}", [value])
    rows = await connection.execute_query_dict(_READ_ALL, [[row["id"] for row in locked]])
    found = [(row, facts(row)) for row in rows]
    held = [Held(row, stored.grants, life(stored, access.policy, access.now)) for row, stored in found]
    return [each for each in held if not each.life.ended_at]


async def hold_open(connection: Connection, access: Access, engagement_id: UUID) -> Held:
    """The same for a change that needs no version. Refuses, first match wins: NotFound, EngagementEnded."""
    held = await hold(connection, access, engagement_id)
    refuse_ended(held.life)
    return held


async def hold_to_change(connection: Connection, access: Access, engagement_id: UUID, expected: int) -> Held:
    """The same for a change that says which version it saw.

    Refuses, first match wins: NotFound, EngagementEnded, StaleVersion.
    """
    held = await hold_open(connection, access, engagement_id)
    if held.row["version"] != expected:
        raise StaleVersion(held.id)
    return held


def refuse_ended(found: Life) -> None:
    """Raises EngagementEnded."""
    if found.ended_at:
        raise EngagementEnded(found.ended_at, found.end_reason or "expired")


def facts(row: Row) -> Facts:
    """The facts in a row of COLUMNS. By position, because a page makes many: the fields in the order of `Facts`."""
    return Facts(
        row["started_at"],
        row["expires_at"],
        row["agent_kind"],
        _grants(row["grants"]),
        _agreement(row["agreement"]),
        row["suspended_at"],
        row["ended_at"],
        row["end_reason"],
        row["agent_suspended_at"],
        row["agent_closed_at"],
        row["practice_closed_at"],
        row["auto_extend"],
        row["reviewed_at"] or row["started_at"],
        row["unassigned_since"],
        row["suspended_by_platform"],
    )


def outline(kind: str, kept: str, over: bool, suspended: bool) -> Outline:
    """Of an engagement of this kind of agent, from the text that the database keeps. `over` and `suspended` are about
    both sides."""
    held, _, agreement = kept.partition(";")
    grants = tuple(map(_grant, held.split(","))) if held else ()
    return Outline(kind, grants, over, suspended, *(_outlined(*agreement.split()) if agreement else ()))


def _outlined(basis: str, marks: str, *days: str) -> tuple[Any, ...]:
    return basis, *(mark in marks for mark in "apwt"), *(None if day == "-" else _day(day) for day in days)


def _grant(text: str) -> Grant:
    role, *rest = text.split()
    confirmed = None if "?" in rest else SOME_DAY
    return Grant(role, SOME_DAY, confirmed, next((_at(end) for end in rest if end != "?"), None))


def _grants(stored: Any) -> tuple[Grant, ...]:
    """Those that are not removed, by role."""
    if stored is None:
        return ()
    found = _json(stored)
    return tuple([Grant(role, _at(at), _time(yes), _time(end), key, by) for role, at, yes, end, key, by in found])


def _agreement(stored: Any) -> AgreementFacts | None:
    if stored is None:
        return None
    basis, requested, by_agent, by_practice, effective, expires, *rest = _json(stored)
    ref, sha256, waived, terminated, covered, trained, reason = rest
    signed = (_time(requested), _time(by_agent), _time(by_practice))
    dates, over = (_day(effective), _day(expires)), (_time(waived), _time(terminated))
    return AgreementFacts(basis, *signed, *dates, ref, sha256, *over, _day(covered), _day(trained), reason)


def _json(value: Any) -> Any:
    """asyncpg gives JSON as text."""
    return orjson.loads(value) if isinstance(value, str | bytes) else value


_at = datetime.fromisoformat


def _time(text: str | None) -> datetime | None:
    return None if text is None else _at(text)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
