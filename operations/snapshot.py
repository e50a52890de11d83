"""An engagement as it stands, in a form that the record keeps: everything that its life depends on.

Every event about an engagement carries one, so that who could do what on an earlier day follows from the record alone,
whatever happened to the tables since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from authz.agreement import AgreementFacts
from authz.life import Facts, Grant
from models.connection import Connection
from operations.facts import COLUMNS, TABLES, facts

_ENGAGEMENTS = f"""
SELECT {COLUMNS}, (SELECT jsonb_agg(jsonb_build_object('member', s.member_id, 'user', m.user_id, 'cap', s.cap)
    ORDER BY s.member_id) FROM assignments s JOIN agent_members m ON m.id = s.member_id
    WHERE s.engagement_id = e.id AND s.removed_at IS NULL) AS assigned
FROM {TABLES} WHERE e.id = ANY ($1)
"""  # noqa: S608  (our own text)
_DAYS = ("effective_on", "expires_on", "covered_until", "training_completed_on")
_OF_GRANT = ("role", "granted_at", "confirmed_at", "expires_at", "granted_by")


class Assigned(NamedTuple):
    """A member of the agent who worked there; `cap`: the roles they were narrowed to, None for all."""

    member: UUID
    user: UUID
    cap: frozenset[str] | None


async def snapshots(connection: Connection, engagement_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Of these engagements, as this transaction sees them. JSON of strings, booleans, lists and objects."""
    rows = await connection.execute_query_dict(_ENGAGEMENTS, [list(engagement_ids)])
    return {row["id"]: snapshot(facts(row), orjson.loads(row["assigned"] or "[]")) for row in rows}


def snapshot(found: Facts, assigned: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        **_plain(found._asdict()),
        "grants": [{name: _json(getattr(grant, name)) for name in _OF_GRANT} for grant in found.grants],
        "agreement": None if found.agreement is None else _plain(found.agreement._asdict()),
        "assigned": [dict(each) for each in assigned],
    }


def restored(stored: Mapping[str, Any]) -> tuple[Facts, tuple[Assigned, ...]]:
    """What a snapshot was made of."""
    plain: dict[str, Any] = {name: stored.get(name) for name in Facts._fields}
    moments: dict[str, Any] = {
        name: _time(value) if name.endswith(("_at", "_since")) else value for name, value in plain.items()
    }
    agreement = stored.get("agreement")
    return (
        Facts(**moments | {"grants": tuple(map(_grant, stored["grants"])), "agreement": _agreement(agreement)}),
        tuple(map(_assigned, stored["assigned"])),
    )


def _grant(stored: Mapping[str, Any]) -> Grant:
    times: dict[str, Any] = {name: _time(stored[name]) for name in ("granted_at", "confirmed_at", "expires_at")}
    return Grant(role=stored["role"], granted_by=stored["granted_by"], **times)


def _agreement(stored: Mapping[str, Any] | None) -> AgreementFacts | None:
    if stored is None:
        return None
    days = {name: date.fromisoformat(stored[name]) for name in _DAYS if stored.get(name)}
    times = {name: _time(value) for name, value in stored.items() if name.endswith("_at")}
    return AgreementFacts(**{**stored, **times, **days})


def _assigned(stored: Mapping[str, Any]) -> Assigned:
    cap = stored["cap"]
    return Assigned(UUID(stored["member"]), UUID(stored["user"]), None if cap is None else frozenset(cap))


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _json(value) for name, value in values.items()}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else value


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
