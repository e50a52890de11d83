"""Challenges for passkeys: random, five minutes long, for one purpose and person, used up by the first answer.

They lie in the database, because the answer may reach another worker. A wrong answer uses a challenge up, too: it is
taken in a transaction of its own, before anything is verified (WebAuthn Level 3 §13.4.3).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import limits
from models import PasskeyChallenge
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations.attempts import network, rate_limited

BYTES = 32  # WebAuthn Level 3 §13.4.3 asks for 16 or more
ENROL, SIGN_IN, REAUTHENTICATE = "enrol", "sign_in", "reauthenticate"

_FORGET = "DELETE FROM passkey_challenges WHERE expires_at <= $1"
_REPLACE = "DELETE FROM passkey_challenges WHERE user_id = $1 AND purpose = $2"
# One at a time for each network, so that the count holds. The lock goes with the transaction.
_HOLD = "SELECT pg_advisory_xact_lock(hashtextextended('passkey_challenges ' || $1, 0))"
_OPEN = "SELECT count(*) AS open, min(expires_at) AS first_end FROM passkey_challenges WHERE address = $1"
_TAKE = """
DELETE FROM passkey_challenges WHERE id = $1 AND purpose = $2 AND user_id IS NOT DISTINCT FROM $3
RETURNING challenge, expires_at
"""


@dataclass(frozen=True, slots=True)
class Challenge:
    id: UUID
    content: bytes

    def __repr__(self) -> str:
        return f"Challenge({self.id})"


async def of_person(connection: Connection, user_id: UUID, purpose: str, now: datetime) -> Challenge:
    """Somebody signed in has one open for each purpose: a new one ends the one before."""
    await connection.execute_query_dict(_FORGET, [now])
    await connection.execute_query_dict(_REPLACE, [user_id, purpose])
    return await _make(connection, now, purpose=purpose, user_id=user_id)


async def of_stranger(address: str, now: datetime) -> Challenge:
    """For signing in. Raises RateLimited where a network has as many open as it may."""
    where = network(address)

    async def work(connection: Connection) -> Challenge:
        await connection.execute_query_dict(_FORGET, [now])
        await connection.execute_query_dict(_HOLD, [where])
        (row,) = await connection.execute_query_dict(_OPEN, [where])
        if row["open"] >= limits.of("challenges_per_address"):
            raise rate_limited(row["first_end"], now)
        return await _make(connection, now, purpose=SIGN_IN, address=where)

    return await unit_of_work(work)


async def take(challenge_id: UUID | None, purpose: str, user_id: UUID | None, now: datetime) -> bytes | None:
    """Use it up. None for one that is unknown, used, over, for another purpose or another person's."""
    rows = await unit_of_work(lambda connection: connection.execute_query_dict(_TAKE, [challenge_id, purpose, user_id]))
    return bytes(rows[0]["challenge"]) if rows and rows[0]["expires_at"] > now else None


async def _make(
    connection: Connection, now: datetime, *, purpose: str, user_id: UUID | None = None, address: str | None = None
) -> Challenge:
    content = secrets.token_bytes(BYTES)
    made = await PasskeyChallenge.create(
        using_db=connection,
        user_id=user_id,
        address=address,
        purpose=purpose,
        challenge=content,
        made_at=now,
        expires_at=now + timedelta(seconds=limits.of("challenge_seconds")),
    )
    return Challenge(made.id, content)
