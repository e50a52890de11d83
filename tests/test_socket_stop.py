"""The end of the server: every socket is told, nothing holds it up."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from websockets.asyncio.client import unix_connect

from server.run import configuration
from server.socket_protocol import BoundedSocketProtocol
from tests import http_door
from tests.http_door import SESSION
from tests.socket_door import HANDSHAKE, INIT, SCHEMA, World, frame, raw, socket, subscribing, text, until

CHECKOUT = Path(__file__).resolve().parent.parent
ENDLESS = "subscription { endless(size: 10000) }"


def connections(server: uvicorn.Server) -> list[BoundedSocketProtocol]:
    return [each for each in server.server_state.connections if isinstance(each, BoundedSocketProtocol)]


async def test_a_stopping_server_tells_its_sockets_1001_and_ends_at_once() -> None:
    world = World()
    app = http_door.app(schema=SCHEMA, open_context=world.open_context)
    server = uvicorn.Server(configuration(app, port=0))
    running = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with socket(port) as peer, socket(port) as other, raw(port) as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport too
        writer.write(INIT + subscribing("1", ENDLESS))
        await peer.subscribe("1", "subscription { silent }")
        await other.subscribe("1", "subscription { endless }")
        await until(lambda: len(world.started) == 3)
        await until(lambda: any(not each.writable.is_set() for each in connections(server)))
        start = time.monotonic()
        server.should_exit = True
        assert (await peer.closed())[0] == 1001
        assert (await other.closed())[0] == 1001
        await running
    assert time.monotonic() - start < 4  # the one that reads nothing is cut off
    assert sorted(world.closed) == ["endless", "endless", "silent"]
    assert server.server_state.connections == set()


SERVED = """
from server.run import serve
from tests import http_door
from tests.socket_door import SCHEMA, World
app = http_door.app(schema=SCHEMA, open_context=World().open_context)
serve(app, uds={uds!r}, started=lambda: print("up", flush=True))
"""


@contextlib.asynccontextmanager
async def process(uds: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A server as `sparekey serve` runs it, with its event loop."""
    pipe = asyncio.subprocess.PIPE
    source = SERVED.format(uds=uds)
    started = await asyncio.create_subprocess_exec(sys.executable, "-c", source, cwd=CHECKOUT, stdout=pipe, stderr=pipe)
    assert started.stdout is not None
    assert await asyncio.wait_for(started.stdout.readline(), 20) == b"up\n"
    yield started
    if started.returncode is None:
        started.terminate()
    _, complaints = await asyncio.wait_for(started.communicate(), 10)
    assert complaints == b""


def connected(uds: str) -> Any:
    protocols: Any = ["graphql-transport-ws"]
    headers = {"Cookie": f"sparekey={SESSION}"}
    return unix_connect(uds, "ws://localhost/graphql", subprotocols=protocols, additional_headers=headers)


async def test_sigterm_ends_a_process_with_sockets_within_two_seconds_and_they_hear_1001(tmp_path: Path) -> None:
    uds = str(tmp_path / "s")
    async with process(uds) as server:
        async with connected(uds) as connection:
            await connection.send('{"type": "connection_init"}')
            assert await connection.recv() == '{"type":"connection_ack"}'
            start = time.monotonic()
            server.terminate()
            await connection.wait_closed()
            assert connection.close_code == 1001
        await asyncio.wait_for(server.wait(), 10)
        assert time.monotonic() - start < 2


async def test_clients_that_vanish_in_the_middle_leave_nothing_in_the_log(tmp_path: Path) -> None:
    uds = str(tmp_path / "s")
    pings, messages = frame(9, b"x" * 125) * 3000, text({"type": "ping"}) * 3000
    async with process(uds):
        for sent in (pings, messages, pings + messages) * 10:
            reader, writer = await asyncio.open_unix_connection(uds)
            writer.write((HANDSHAKE + "\r\n").encode())
            await reader.readuntil(b"\r\n\r\n")
            writer.write(INIT + sent)
            await asyncio.sleep(0.005)
            writer.transport.abort()
