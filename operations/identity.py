"""Somebody whom a trusted issuer vouches for becomes a user: linked to the account with their address, or a new one.

Once; from then on the pair of issuer and subject counts and no address. An issuer's word is enough to be somebody, and
not enough to become somebody who can do more than it was trusted with: an operator of the platform, or a person who
enrolled a second factor here. Who controls the issuer writes into the token what it likes, second factors included.
Whoever becomes an operator after they were linked is one in a session of ours only (`resolvers/actors.py`), and who
adds a second factor after it keeps the issuer as a way in that does not ask for it (`server/issuer_claims.py`).

An account that is found by its address may have been opened by somebody else, ahead of its owner and with a password of
their choosing: nobody's address is verified at a sign-up. The issuer verified it, so linking ends that password and
every session (Sudhodanan and Paverd, USENIX Security 2022: pre-hijacking). API keys go on: each acts for a membership
that it had before.

Row-level security needs no exception for it: it is written for nobody (`models/tenancy.py`), because users, identities
and factors belong to no tenant, and neither does its event, which is of the user's own chain. So a fault in here cannot
touch the rows of a practice or an agent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from authz.life import Party
from models.connection import Connection, read
from models.identifier import uuid7
from models.unit_of_work import unit_of_work
from operations.people import end_sessions, set_password
from operations.record import About, Who, record

_KNOWN = "SELECT 1 FROM identities WHERE issuer = $1 AND subject = $2"
_CREATE = """
INSERT INTO users (id, name, email, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (email) DO NOTHING RETURNING id
"""
# Locked first and looked at then, so that what happened while this waited is seen.
_LOCK = "SELECT id, name FROM users WHERE email = $1 FOR NO KEY UPDATE"
_MAY_BE_LINKED = """
SELECT 1 FROM users u WHERE u.id = $1 AND u.disabled_at IS NULL AND NOT u.operator
    AND NOT EXISTS (SELECT FROM identities i WHERE i.user_id = u.id AND i.issuer = $2)
    AND NOT EXISTS (
        SELECT FROM factors f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL AND f.removed_at IS NULL
    )
"""
_LINK = """
INSERT INTO identities (id, user_id, issuer, subject, linked_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (issuer, subject) DO NOTHING RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom an issuer vouches for. `email` only where it verified the address and may speak for it."""

    issuer: str
    subject: str = field(repr=False)
    email: str | None = field(repr=False)
    name: str | None = field(repr=False)


class _Outrun(Exception):
    """Another request has linked this identity since; what this one began is undone."""


async def make_known(
    who: Vouched, policy_digest: str, now: datetime, *, link_by_email: bool, create_users: bool
) -> bool:
    """Link or create, as far as the issuer may. Whether there is an identity now; of two at once one writes it.

    Nothing is changed where the identity is known already, be its user disabled. False where no address was verified,
    where the user with the address is disabled, an operator, has a second factor or is linked to somebody else there
    (an address that was given to the next person), or where the issuer may not.
    """
    if who.email is None or not (link_by_email or create_users):
        return False
    if await read(_KNOWN, who.issuer, who.subject):  # since a moment ago; or the user was disabled
        return True

    async def work(connection: Connection) -> None:
        created = await _create(connection, who, now) if create_users else None
        if created is not None:
            await _link(connection, who, created, policy_digest, now, "user.signed_up")
        elif link_by_email and (user := await _linkable(connection, who)) is not None:
            await set_password(connection, user[0], None)  # whoever opened the account may be another
            await end_sessions(connection, user[0], now)
            await _link(connection, who, user, policy_digest, now, "identity.linked")

    try:
        await unit_of_work(work)
    except _Outrun:
        return True
    return bool(await read(_KNOWN, who.issuer, who.subject))


async def _create(connection: Connection, who: Vouched, now: datetime) -> tuple[UUID, str] | None:
    """None where somebody has the address, also since a moment ago."""
    name = who.name or str(who.email).partition("@")[0]
    rows = await connection.execute_query_dict(_CREATE, [uuid7(), name, who.email, now])
    return (rows[0]["id"], name) if rows else None


async def _linkable(connection: Connection, who: Vouched) -> tuple[UUID, str] | None:
    rows = await connection.execute_query_dict(_LOCK, [who.email])
    if not rows or not await connection.execute_query_dict(_MAY_BE_LINKED, [rows[0]["id"], who.issuer]):
        return None
    return rows[0]["id"], rows[0]["name"]


async def _link(
    connection: Connection, who: Vouched, user: tuple[UUID, str], policy_digest: str, now: datetime, event: str
) -> None:
    user_id, name = user
    identity = uuid7()
    rows = await connection.execute_query_dict(_LINK, [identity, user_id, who.issuer, who.subject, now])
    if not rows:
        raise _Outrun
    after: dict[str, Any] = {"identity": str(identity), "issuer": who.issuer}
    actor = Who(name, user_id, Party.PLATFORM, policy_digest, now)
    await record(connection, actor, event, About(user_id=user_id), "came from a trusted issuer", after=after)
