"""Signing up, in and out. A session is an opaque 256-bit reference; only its sha256 is stored."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tortoise.exceptions import IntegrityError

from authz.actor import Actor
from authz.life import Party
from errors import SignInFailed
from models import Session, User
from models.connection import Connection, client
from models.unit_of_work import unit_of_work
from operations import second_factor, stretching, wording
from operations.attempts import Spender, forgive, network, rate_limited, spend
from operations.record import About, Who, record

_BY_EMAIL = """
SELECT id, name, password_hash, disabled_at, EXISTS (SELECT FROM factors f
    WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL AND f.removed_at IS NULL) AS has_factor
FROM users u WHERE email = $1
"""


@dataclass(frozen=True, slots=True)
class Visit:
    """Where and when somebody knocks who is not signed in yet, and how long a session may last."""

    address: str
    now: datetime
    policy_digest: str
    absolute_seconds: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session. `reference` goes into the cookie and nowhere else."""

    user_id: UUID
    reference: str

    def __repr__(self) -> str:
        return f"Opened({self.user_id})"


def reference_hash(reference: str) -> bytes:
    """sha256: a 256-bit random reference needs no slow hash."""
    return hashlib.sha256(reference.encode()).digest()


async def sign_up(visit: Visit, name: str, email: str, password: str, replaces: UUID | None = None) -> Opened:
    """Open an account and sign in; this browser's earlier session ends.

    Refuses, first match wins: InvalidInput, RateLimited, SignInFailed (the e-mail has an account already).
    """
    typed_name = wording.text("name", name, 200)
    address = wording.email("email", email)
    chosen = wording.password("password", password)
    await _count(visit, address)
    password_hash = await stretching.hash_password(chosen)

    async def work(connection: Connection) -> Opened:
        new = {"name": typed_name, "email": address, "password_hash": password_hash, "created_at": visit.now}
        user = await User.create(using_db=connection, **new)
        await forgive(connection, _spenders(visit, address))
        await _end(connection, replaces, visit.now)
        return await _open(connection, visit, user.id, user.name, "user.signed_up")

    try:
        return await unit_of_work(work)
    except IntegrityError:
        raise SignInFailed("this e-mail cannot be used for a new account; sign in instead") from None


async def sign_in(
    visit: Visit, email: str, password: str, replaces: UUID | None = None, factor: str | None = None
) -> Opened:
    """Sign in with e-mail, password and, where the account has one, a second factor; the browser's session before ends.

    An unknown e-mail, a wrong password and a disabled account get the same answer in the same time; that a second
    factor is needed is told only to whom the password was right. A `factor` that nobody needs is not looked at.
    Refuses, first match wins: RateLimited, SignInFailed, RateLimited (wrong second factors), SignInFailed.
    """
    address = _as_stored(email)
    await _count(visit, address)
    rows = await client().execute_query_dict(_BY_EMAIL, [address])
    user = rows[0] if rows else None
    matches = await stretching.password_matches(password, user["password_hash"] if user else None)
    if not matches or user is None or user["disabled_at"]:
        raise SignInFailed
    if user["has_factor"]:
        await second_factor.count(user["id"], factor, visit.now)

    async def work(connection: Connection) -> Opened:
        given = await second_factor.use(connection, user["id"], factor, visit.now) if user["has_factor"] else None
        await forgive(connection, _spenders(visit, address))
        return await enter(connection, visit, user["id"], user["name"], given, replaces)

    return await unit_of_work(work)


async def enter(
    connection: Connection, visit: Visit, user_id: UUID, name: str, factor: str | None, replaces: UUID | None
) -> Opened:
    """A session for somebody who has proved themselves, in place of the one that this browser had."""
    await _end(connection, replaces, visit.now)
    return await _open(connection, visit, user_id, name, "user.signed_in", factor)


async def reauthenticate(visit: Visit, actor: Actor, password: str, factor: str | None = None) -> Opened:
    """Check the password and second factor of the signed-in person again; renew the session under a new reference.

    Refuses as `sign_in`.
    """
    user = await User.get(id=actor.user_id)
    return await sign_in(visit, user.email, password, replaces=actor.session_id, factor=factor)


async def sign_out(session_id: UUID, who: Who) -> None:
    """End the caller's session. Ending an ended one changes nothing."""

    async def work(connection: Connection) -> None:
        if await _end(connection, session_id, who.now):
            await record(connection, who, "user.signed_out", About(user_id=who.user_id), "signed out")

    await unit_of_work(work)


async def _open(
    connection: Connection, visit: Visit, user_id: UUID, name: str, event: str, factor: str | None = None
) -> Opened:
    """`factor`: the kind of second factor that was given."""
    reference = secrets.token_urlsafe(32)
    session = await Session.create(
        using_db=connection,
        user_id=user_id,
        reference_hash=reference_hash(reference),
        started_at=visit.now,
        last_seen_at=visit.now,
        reauthenticated_at=visit.now,
        second_factor=factor is not None,
        expires_at=visit.now + timedelta(seconds=visit.absolute_seconds),
    )
    who = Who(name, user_id, Party.PLATFORM, visit.policy_digest, visit.now)
    after: dict[str, Any] = {"session": str(session.id)} | ({"second_factor": factor} if factor else {})
    await record(connection, who, event, About(user_id=user_id), "began a session", after=after)
    return Opened(user_id, reference)


async def _end(connection: Connection, session_id: UUID | None, now: datetime) -> bool:
    if session_id is None:
        return False
    ended = await Session.filter(id=session_id, ended_at=None).using_db(connection).update(ended_at=now)
    return bool(ended)


async def _count(visit: Visit, email: str) -> None:
    """Count an attempt before the password is looked at. Raises RateLimited."""
    spenders = _spenders(visit, email)
    exhausted = await unit_of_work(lambda connection: spend(connection, spenders, visit.now))
    if exhausted:
        raise rate_limited(exhausted.until, visit.now)


def _as_stored(email: str) -> str:
    """A typed address in the spelling of the accounts; "" for one with a NUL, which PostgreSQL takes in no text."""
    return "" if "\0" in email else email.strip().lower()[:254]


def _spenders(visit: Visit, email: str) -> tuple[Spender, ...]:
    """The account is named by a hash: the budgets hold no e-mail addresses."""
    account = hashlib.sha256(email.encode()).hexdigest()
    return Spender("password_address", network(visit.address)), Spender("password_account", account)
