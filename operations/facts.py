"""An engagement's stored facts: the one query for them, for reads and for changes alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from authz.actor import Access
from authz.life import AgreementFacts, Facts, Grant, Life, life
from errors import EngagementEnded, NotFound, StaleVersion
from models.connection import Connection

# Everything that an engagement's life depends on, one row each: `e` is the engagement, `a` the agent, `p` the practice.
COLUMNS = """
e.*, a.kind AS agent_kind, a.legal_name AS agent_name, a.suspended_at AS agent_suspended_at,
a.closed_at AS agent_closed_at, p.closed_at AS practice_closed_at,
(SELECT jsonb_agg(to_jsonb(g) ORDER BY g.role) FROM role_grants g
    WHERE g.engagement_id = e.id AND g.removed_at IS NULL) AS grants,
(SELECT to_jsonb(s) FROM agreements s WHERE s.engagement_id = e.id AND s.superseded_at IS NULL
    ORDER BY s.id DESC LIMIT 1) AS agreement
"""
TABLES = "engagements e JOIN agents a ON a.id = e.agent_id JOIN practices p ON p.id = e.practice_id"

_LOCK = "SELECT id FROM engagements WHERE id = $1 FOR UPDATE"
_READ = f"SELECT {COLUMNS} FROM {TABLES} WHERE e.id = $1"  # noqa: S608  (our own text)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredGrant:
    id: UUID
    role: str
    granted_by: UUID
    granted_at: datetime
    confirmed_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Held:
    """An engagement that this transaction holds: its row, its grants and what they mean now."""

    row: Row
    grants: tuple[StoredGrant, ...]
    life: Life

    @property
    def id(self) -> UUID:
        return UUID(str(self.row["id"]))

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
    return Held(rows[0], grants(rows[0]), life(facts(rows[0]), access.policy, access.now))


async def hold_to_change(connection: Connection, access: Access, engagement_id: UUID, expected: int) -> Held:
    """The same for a change that says which version it saw.

    Refuses, first match wins: NotFound, EngagementEnded, StaleVersion.
    """
    held = await hold(connection, access, engagement_id)
    if held.life.ended_at:
        raise EngagementEnded(held.life.ended_at, held.life.end_reason or "expired")
    if held.row["version"] != expected:
        raise StaleVersion(held.id)
    return held


def facts(row: Row) -> Facts:
    """The facts in a row of COLUMNS."""
    return Facts(
        started_at=row["started_at"],
        expires_at=row["expires_at"],
        agent_kind=row["agent_kind"],
        grants=tuple(Grant(g.role, g.granted_at, g.confirmed_at, g.expires_at) for g in grants(row)),
        agreement=_agreement(row["agreement"]),
        suspended_at=row["suspended_at"],
        ended_at=row["ended_at"],
        end_reason=row["end_reason"],
        agent_suspended_at=row["agent_suspended_at"],
        agent_closed_at=row["agent_closed_at"],
        practice_closed_at=row["practice_closed_at"],
    )


def grants(row: Row) -> tuple[StoredGrant, ...]:
    """The grants of a row that are not removed, by role."""
    return tuple(
        StoredGrant(
            UUID(stored["id"]),
            stored["role"],
            UUID(stored["granted_by_id"]),
            datetime.fromisoformat(stored["granted_at"]),
            _time(stored["confirmed_at"]),
            _time(stored["expires_at"]),
        )
        for stored in _json(row["grants"]) or ()
    )


def _agreement(stored: Any) -> AgreementFacts | None:
    row = _json(stored)
    if row is None:
        return None
    return AgreementFacts(
        basis=row["basis"],
        requested_at=_time(row["requested_at"]),
        agent_signed_at=_time(row["agent_signed_at"]),
        practice_signed_at=_time(row["practice_signed_at"]),
        effective_on=_day(row["effective_on"]),
        expires_on=_day(row["expires_on"]),
        document_ref=row["document_ref"],
        document_sha256=row["document_sha256"],
        waived_at=_time(row["waived_at"]),
        terminated_at=_time(row["terminated_at"]),
    )


def _json(value: Any) -> Any:
    """asyncpg gives JSON as text."""
    return orjson.loads(value) if isinstance(value, str | bytes) else value


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
