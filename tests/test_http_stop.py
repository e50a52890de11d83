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
import uvicorn
from starlette.types import Receive, Scope, Send

import limits
from server.run import configuration
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


async def test_a_websocket_outlives_the_time_for_headers_and_is_told_1001_when_the_server_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def accept(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    monkeypatch.setattr(limits, "LIMITS", limits.read({"SPAREKEY_LIMIT_HEADER_SECONDS": "1"}))
    config = configuration(accept, port=0)
    config.lifespan = "off"
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await until(lambda: asyncio.sleep(0, server.started))
    port = server.servers[0].sockets[0].getsockname()[1]
    caller = await Caller.on(port, UPGRADE)
    assert await caller.status() == 101
    await asyncio.sleep(1.2)
    server.should_exit = True
    assert await asyncio.wait_for(caller.reader.readexactly(4), 2) == b"\x88\x02\x03\xe9"  # close, 2 bytes: 1001
    await caller.leave()
    await task


UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
