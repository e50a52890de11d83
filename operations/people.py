"""The accounts of people as other operations need them: taking turns, a password stored, sessions ended."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from models.connection import Connection

_TURN = "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE"  # nobody who only refers to the person waits
_SET_PASSWORD = "UPDATE users SET password_hash = $2 WHERE id = $1"  # noqa: S105  (a statement)
_END_SESSIONS = """
UPDATE sessions SET ended_at = $2
WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 AND id IS DISTINCT FROM $3 RETURNING id
"""


async def take_turns(connection: Connection, user_id: UUID) -> None:
    """Let one person's transactions of a kind follow each other, so that counting what they own holds."""
    await connection.execute_query_dict(_TURN, [user_id])


async def set_password(connection: Connection, user_id: UUID, password_hash: str | None) -> None:
    """Without one nobody signs in by password."""
    await connection.execute_query_dict(_SET_PASSWORD, [user_id, password_hash])


async def end_sessions(connection: Connection, user_id: UUID, now: datetime, but: UUID | None = None) -> list[UUID]:
    """End every session of a person that is not over, `but` one; the ids of those that were ended."""
    ended = await connection.execute_query_dict(_END_SESSIONS, [user_id, now, but])
    return [row["id"] for row in ended]
