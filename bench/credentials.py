"""What it costs to know who is asking, by each kind of credential: in process, with a real database and a real issuer.

*First*: nothing about the credential is remembered; its token is verified, its person read. *Again*: from memory, once
the database has been asked whether that still holds. *At once*: the same by 64 requests together, which share that
question. Statements are counted by the driver. Beside them verifying alone, without a database, and signing in with a
password, which is slow on purpose.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
from joserfc import jwt
from joserfc.jwk import Key

from authz.load import load
from authz.policy import Policy
from bench import credentials_data, page_data, results, servers
from bench.credentials_data import AUDIENCE, NOW, PASSWORD, SUBJECT, People
from models import connection
from models.tenancy import SERVICE
from operations import pepper, session
from operations.session import Visit
from resolvers.context import Context, Sessions, open_context
from resolvers.execution import RequestFacts
from resolvers.remembered import Remembered
from server import credentials
from server.credentials import Shown
from server.embedded import Embedded
from server.issuer_settings import TrustedIssuer
from server.issuers import TrustedIssuers

ROUNDS, SIGN_INS, TOGETHER = 300, 15, 64
ENGAGEMENTS = 1_000
SESSIONS = Sessions(idle_seconds=900, absolute_seconds=43_200)
POLICIES = servers.CHECKOUT / "policies"


@dataclass
class Place:
    """A worker's memory, its issuers and its policy. `statements` is what the database was asked."""

    policy: Policy
    remembered: Remembered
    issuers: TrustedIssuers
    now: datetime
    statements: list[str] = field(default_factory=list)

    async def ask(self, shown: Shown) -> Context:
        """The way of a request from its headers to a person."""
        found = await credentials.credential(shown, self.issuers, self.now)
        facts = RequestFacts(found, "127.0.0.1", self.now, "bench")
        context = await open_context(facts, self.policy, self.now, SESSIONS, remembered=self.remembered)
        if context.actor is None:
            raise SystemExit("nobody was found")
        return context

    def forget(self) -> None:
        self.remembered.changes.anything_may_have()
        self.issuers._verified.clear()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sparekey-bench-") as name:
        os.chmod(name, 0o755)  # noqa: S103  (the embedded PostgreSQL of a root shell runs as another account)
        embedded = Embedded(Path(name))
        embedded.start()
        try:
            table = asyncio.run(_measured(embedded))
            versions = [results.postgresql(embedded.url)]
        finally:
            embedded.stop()
    results.keep("credentials", table, ("asyncpg", "joserfc", "cryptography", "argon2-cffi"), versions)


async def _measured(embedded: Embedded) -> list[str]:
    town = await page_data.fill(embedded, ENGAGEMENTS)
    pepper.use(secrets.token_bytes(32))
    await connection.connect(town.application_url, acting=SERVICE)
    try:
        with credentials_data.issuer() as (url, keys):
            people = await credentials_data.add(url)
            return await _table(_place(town.application_url, url), people, keys)
    finally:
        await connection.disconnect()


def _place(database: str, issuer: str) -> Place:
    issuers = TrustedIssuers([TrustedIssuer(issuer, AUDIENCE)], https_only=False)
    return Place(load(POLICIES), Remembered(database), issuers, NOW)


async def _table(place: Place, people: People, keys: dict[str, Key]) -> list[str]:
    kinds = {
        "session": Shown(cookie=people.reference),
        "API key": Shown(bearer=people.key),
        "access token": Shown(bearer=people.token),
        **{f"issuer's token, {alg}": Shown(bearer=_token(people.issuer, alg, key)) for alg, key in keys.items()},
    }
    table = [f"{'one request, median of ' + str(ROUNDS):<36} {'first':>9} {'asked':>6} {'again':>9} {'asked':>6}"]
    table[0] += f" {f'{TOGETHER} at once':>11} {'asked':>6}"
    try:
        for name, shown in kinds.items():
            table.append(f"{name:<36} {await _costs(place, shown)}")
        table += ["", f"{'without a database':<36} {'first':>9}        {'again':>9}"]
        for name, shown in list(kinds.items())[3:]:
            table.append(f"{name + ', claims':<36} {await _verifying(place, str(shown.bearer))}")
        table += ["", f"{'one sign-in, median of ' + str(SIGN_INS):<36}", await _sign_in(place, people)]
    finally:
        await place.remembered.close()
        await place.issuers.stop()
    return [*table, "", "microseconds; asked: statements, the question whether memory still holds among them"]


def _token(issuer: str, alg: str, key: Key) -> str:
    at = int(NOW.timestamp())
    claims = {"iss": issuer, "aud": AUDIENCE, "sub": SUBJECT, "iat": at, "exp": at + 3_600}
    return jwt.encode({"alg": alg, "kid": alg}, claims, key, algorithms=[alg])


async def _costs(place: Place, shown: Shown) -> str:
    async def first() -> None:
        place.forget()
        await place.ask(shown)

    async def again() -> None:
        await place.ask(shown)

    async def together() -> None:
        await asyncio.gather(*(place.ask(shown) for _ in range(TOGETHER)))

    cells = []
    for width, ask, times in ((9, first, 1), (9, again, 1), (11, together, TOGETHER)):
        took, asked = await _median(place, ask)
        cells.append(f"{took / times:>{width},.0f} {asked / times:>6.2g}")
    return " ".join(cells)


async def _median(place: Place, ask: Callable[[], Awaitable[None]], rounds: int = ROUNDS) -> tuple[float, float]:
    """Microseconds, and statements in a round."""
    for _ in range(5):
        await ask()
    took = []
    with _noted(place):
        for _ in range(rounds):
            began = time.perf_counter_ns()
            await ask()
            took.append((time.perf_counter_ns() - began) / 1000)
        await asyncio.sleep(0)  # the driver reports in the next turn of the loop
        asked = len(place.statements)
    return statistics.median(took), asked / rounds


@contextmanager
def _noted(place: Place) -> Iterator[None]:
    """Every statement on every connection that is open."""
    open_ones = [
        *connection.readers()._idle,
        place.remembered.freshness._connection,
        *_pooled(),
    ]
    place.statements.clear()

    def note(logged: Any) -> None:
        # The pool's own, at each return; and for whom it asks, which no table is read for.
        if not any(
            words in logged.query for words in ("pg_advisory_unlock_all", "SET SESSION sparekey", "SET LOCAL sparekey")
        ):
            place.statements.append(logged.query)

    for each in open_ones:
        each.add_query_logger(note)
    try:
        yield
    finally:
        for each in open_ones:
            each.remove_query_logger(note)


def _pooled() -> list[asyncpg.Connection]:
    pool = connection.client()._pool
    return [holder._con for holder in pool._holders if holder._con is not None] if pool is not None else []


async def _verifying(place: Place, token: str) -> str:
    async def first() -> None:
        place.issuers._verified.clear()
        await place.issuers.claims(token, place.now)

    async def again() -> None:
        await place.issuers.claims(token, place.now)

    return f"{(await _median(place, first))[0]:>9,.1f}        {(await _median(place, again))[0]:>9,.1f}"


async def _sign_in(place: Place, people: People) -> str:
    async def ask() -> None:
        visit = Visit("127.0.0.1", "bench", place.now, place.policy.digest, SESSIONS.absolute_seconds)
        await session.sign_in(visit, people.email, PASSWORD)

    took, asked = await _median(place, ask, SIGN_INS)
    return f"{'password, argon2id':<36} {took:>9,.0f} {asked:>6.2g}"
