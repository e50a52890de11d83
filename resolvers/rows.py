"""Rows by id: one statement a kind for all that are asked for at the same moment, and what is noted of them."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from models.connection import Row, watched_read
from models.memory import note, spoil
from operations.facts import COLUMNS, TABLES
from resolvers import invited, objects

# One statement each, by id. An engagement comes with everything its life depends on.
QUERIES = {
    "user": "SELECT * FROM users WHERE id = ANY ($1)",
    "session": "SELECT * FROM sessions WHERE id = ANY ($1)",
    "practice": "SELECT * FROM practices WHERE id = ANY ($1)",
    "staff": "SELECT * FROM staff_members WHERE id = ANY ($1)",
    "agent": "SELECT * FROM agents WHERE id = ANY ($1)",
    "member": "SELECT * FROM agent_members WHERE id = ANY ($1)",
    "token": "SELECT * FROM connect_tokens WHERE id = ANY ($1)",
    "api_key": f"SELECT {objects.API_KEY_COLUMNS} FROM api_keys k WHERE k.id = ANY ($1)",  # noqa: S608  (our own text)
    "invitation": f"SELECT {invited.COLUMNS} FROM invitations i WHERE i.id = ANY ($1)",  # noqa: S608  (our own text)
    "engagement": f"SELECT {COLUMNS} FROM {TABLES} WHERE e.id = ANY ($1)",  # noqa: S608  (our own text)
    "review": "SELECT * FROM reviews WHERE id = ANY ($1)",
    "uses": "SELECT engagement_id AS id, jsonb_object_agg(role, last_used_at) AS uses FROM role_uses"
    " WHERE engagement_id = ANY ($1) GROUP BY engagement_id",
    "receipt": "SELECT * FROM revocation_receipts WHERE id = ANY ($1)",
    "audit_event": "SELECT * FROM audit_events WHERE id = ANY ($1)",
}
# The tables whose rows are noted by id when they change.
WATCHED = {
    "user": "users.id",
    "practice": "practices.id",
    "staff": "staff_members.id",
    "agent": "agents.id",
    "member": "agent_members.id",
    "engagement": "engagements.id",
}


async def load_rows(kind: str, keys: list[UUID]) -> list[Row | None]:
    return in_order(keys, await watched_read(QUERIES[kind], keys), "id")


def note_rows(kind: str, keys: Iterable[UUID]) -> None:
    if kind in WATCHED:
        note(*((WATCHED[kind], key) for key in keys))
    else:
        spoil()


def in_order(keys: list[UUID], rows: Iterable[Row], column: str) -> list[Row | None]:
    found = {row[column]: row for row in rows}
    return [found.get(key) for key in keys]
