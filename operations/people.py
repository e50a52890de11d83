"""The accounts of people as other operations need them: found, prepared for an invitation, or taking turns."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from models import User
from models.connection import Connection
from models.identifier import uuid7


async def person(connection: Connection, name: str, email: str, now: datetime) -> User:
    """The user with this e-mail, or a new one without a password, which signing up with it completes.

    The row is locked until the transaction ends, so that a person signing up meanwhile is seen.
    """
    await connection.execute_query_dict(
        "INSERT INTO users (id, name, email, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (email) DO NOTHING",
        [uuid7(), name, email, now],
    )
    return await User.filter(email=email).using_db(connection).select_for_update().get()


async def take_turns(connection: Connection, user_id: UUID) -> None:
    """Let one person's transactions of a kind follow each other, so that counting what they own holds."""
    await connection.execute_query_dict("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE", [user_id])
