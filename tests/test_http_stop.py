"""SIGTERM to a real `sparekey serve`: what was accepted finishes, what is new is refused, and it ends in time."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.policy_workers import Worker, serving, signed_in, until
from tests.sockets import HEAD, Caller, posted

POLICIES = Path(__file__).parent.parent / "policies"
SECONDS = 4
HELD_UP = "SELECT FROM pg_locks WHERE NOT granted"


@asynccontextmanager
async def held_up(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Nobody's session can be read until the transaction ends."""
    session = await asyncpg.connect(url)
    transaction = session.transaction()
    try:
        await transaction.start()
        await session.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
        yield session
    finally:
        await session.close()


async def seconds_to_the_end(worker: Worker, began: float) -> float:
    async with asyncio.timeout(15):
        await worker.process.wait()
    return time.monotonic() - began


async def refused(port: int) -> bool:
    try:
        await Caller.on(port)
    except ConnectionRefusedError:
        return True
    return False


@pytest.fixture
async def worker(own_url: str, tmp_path: Path) -> AsyncIterator[Worker]:
    own = {"SPAREKEY_LIMIT_SHUTDOWN_SECONDS": str(SECONDS)}
    async with serving(own_url, POLICIES, tmp_path / "data", **own) as found:
        yield found


async def test_what_was_accepted_is_answered_and_new_connections_are_refused(own_url: str, worker: Worker) -> None:
    reference, port = await signed_in(own_url), int(worker.http.base_url.port or 0)
    idle = await Caller.on(port)
    async with held_up(own_url) as lock:
        accepted = asyncio.ensure_future(worker.ask(reference=reference))
        await until(lambda: lock.fetch(HELD_UP))
        began = time.monotonic()
        worker.signal(signal.SIGTERM)
        assert await idle.closed(1)
        await until(lambda: refused(port), 1)
        await lock.execute("ROLLBACK")
        answer = await accepted
    assert answer.status_code == 200
    assert answer.json()["data"]
    assert await seconds_to_the_end(worker, began) < 3
    assert worker.process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in worker.log
    await idle.leave()


async def test_requests_that_hang_and_bodies_that_never_come_do_not_hold_it_up(own_url: str, worker: Worker) -> None:
    reference, port = await signed_in(own_url), int(worker.http.base_url.port or 0)
    silent = await Caller.on(port, posted(b"{", length=100, head=HEAD))
    async with held_up(own_url) as lock:
        hanging = asyncio.ensure_future(worker.ask(reference=reference))
        await until(lambda: lock.fetch(HELD_UP))
        began = time.monotonic()
        worker.signal(signal.SIGTERM)
        assert await silent.closed(2)
        assert await seconds_to_the_end(worker, began) < SECONDS
    await asyncio.gather(hanging, return_exceptions=True)
    await silent.leave()
