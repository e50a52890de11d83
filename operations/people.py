"""The accounts of people as other operations need them: taking turns."""

from __future__ import annotations

from uuid import UUID

from models.connection import Connection


async def take_turns(connection: Connection, user_id: UUID) -> None:
    """Let one person's transactions of a kind follow each other, so that counting what they own holds."""
    await connection.execute_query_dict("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE", [user_id])
