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
from operations.attempts import Spender, forgive, network
from operations.blocklist import refuse_guessable
from operations.password_attempts import count_password, count_sign_up
from operations.people import set_password
from operations.record import About, Who, record

_BY_EMAIL = """
SELECT id, name, email, password_hash, disabled_at, EXISTS (SELECT FROM factors f
    WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL AND f.removed_at IS NULL) AS has_factor
FROM users u WHERE email = $1
"""
# Signing in and changing the password take turns, so that no session begins with a password that was changed meanwhile.
_HOLD = "SELECT id FROM users WHERE id = $1 AND password_hash = $2 FOR NO KEY UPDATE"


@dataclass(frozen=True, slots=True)
class Visit:
    """Where and when somebody knocks who is not signed in yet, and how long a session may last.

    `browser`: what it says that it is.
    """

    address: str
    browser: str
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


@dataclass(frozen=True, slots=True)
class Proof:
    """A right password of somebody who may come in. What it rests on must still hold when it is used (`accept`)."""

    user_id: UUID
    name: str
    email: str
    password_hash: str
    has_factor: bool
    spenders: tuple[Spender, ...]

    def __repr__(self) -> str:
        return f"Proof({self.user_id})"


async def sign_up(visit: Visit, name: str, email: str, password: str, replaces: UUID | None = None) -> Opened:
    """Open an account and sign in; this browser's earlier session ends.

    That an e-mail has an account can be told from an account that was not opened: no mail is sent that could tell
    its owner alone. So the answer takes as long as the other and says the same as a failed sign-in, and a network may
    ask only `sign_ups_address_hour` times (OWASP ASVS 5.0 §6.3.8).
    Refuses, first match wins: InvalidInput, RateLimited, SignInFailed (the e-mail has an account already).
    """
    typed_name = wording.text("name", name, 200)
    address = wording.email("email", email)
    chosen = wording.password("password", password)
    await refuse_guessable("password", chosen, (typed_name, address))
    await count_sign_up(visit.address, visit.now)
    password_hash = await stretching.hash_password(chosen)

    async def work(connection: Connection) -> Opened:
        new = {"name": typed_name, "email": address, "password_hash": password_hash, "created_at": visit.now}
        user = await User.create(using_db=connection, **new)
        await _end(connection, replaces, visit.now)
        return await begin(connection, visit, user.id, user.name, "user.signed_up")

    try:
        return await unit_of_work(work)
    except IntegrityError:
        raise SignInFailed from None


async def sign_in(
    visit: Visit, email: str, password: str, replaces: UUID | None = None, factor: str | None = None
) -> Opened:
    """Sign in with e-mail, password and, where the account has one, a second factor; the browser's session before ends.

    An unknown e-mail, a wrong password and a disabled account get the same answer in the same time; that a second
    factor is needed is told only to whom the password was right. A `factor` that nobody needs is not looked at. A hash
    that was made with other parameters than today's is made anew.
    Refuses, first match wins: RateLimited, SignInFailed, RateLimited (wrong second factors), SignInFailed.
    """
    proof = await prove(visit, email, password, factor)
    fresh = await stretching.renewed(password, proof.password_hash)

    async def work(connection: Connection) -> Opened:
        given = await accept(connection, proof, factor, visit.now)
        if fresh:
            await set_password(connection, proof.user_id, fresh)
        return await enter(connection, visit, proof.user_id, proof.name, given, replaces)

    return await unit_of_work(work)


async def prove(visit: Visit, email: str, password: str, factor: str | None) -> Proof:
    """Look at the password; a second factor is counted here and used in `accept`. Refuses as `sign_in`."""
    address = _as_stored(email)
    spenders = await count_password(address, visit.address, visit.now)
    rows = await client().execute_query_dict(_BY_EMAIL, [address])
    user = rows[0] if rows else None
    matches = await stretching.password_matches(password, user["password_hash"] if user else None)
    if not matches or user is None or user["disabled_at"]:
        raise SignInFailed
    if user["has_factor"]:
        await second_factor.count(user["id"], factor, visit.now)
    known = {name: user[name] for name in ("name", "email", "password_hash", "has_factor")}
    return Proof(user_id=user["id"], spenders=spenders, **known)


async def accept(connection: Connection, proof: Proof, factor: str | None, now: datetime) -> str | None:
    """Use the proof up, unless the password was changed meanwhile. The kind of second factor. Raises SignInFailed."""
    if not await connection.execute_query_dict(_HOLD, [proof.user_id, proof.password_hash]):
        raise SignInFailed
    given = await second_factor.use(connection, proof.user_id, factor, now) if proof.has_factor else None
    await forgive(connection, proof.spenders)
    return given


async def enter(
    connection: Connection, visit: Visit, user_id: UUID, name: str, factor: str | None, replaces: UUID | None
) -> Opened:
    """A session for somebody who has proved themselves, in place of the one that this browser had."""
    await _end(connection, replaces, visit.now)
    return await begin(connection, visit, user_id, name, "user.signed_in", factor)


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


async def begin(
    connection: Connection, visit: Visit, user_id: UUID, name: str, event: str, factor: str | None = None
) -> Opened:
    """A new session, with its event. `factor`: the kind of second factor that was given."""
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
        address=network(visit.address),
        browser=visit.browser or None,
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


def _as_stored(email: str) -> str:
    """A typed address in the spelling of the accounts; "" for one with a NUL, which PostgreSQL takes in no text."""
    return "" if "\0" in email else email.strip().lower()[:254]
