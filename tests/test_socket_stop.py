"""The end of the server: every socket is told, nothing holds it up."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Any

import uvicorn
from websockets.asyncio.client import unix_connect

from server.run import configuration
from tests import http_door
from tests.http_door import SESSION
from tests.socket_door import INIT, SCHEMA, World, raw, socket, subscribing, until

CHECKOUT = Path(__file__).resolve().parent.parent
ENDLESS = "subscription { endless(size: 10000) }"


async def test_a_stopping_server_tells_its_sockets_1001_and_ends_at_once() -> None:
    world = World()
    app = http_door.app(schema=SCHEMA, open_context=world.open_context)
    server = uvicorn.Server(configuration(app, port=0))
    running = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with socket(port) as peer, socket(port) as other, raw(port) as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(INIT + subscribing("1", ENDLESS))
        await peer.subscribe("1", "subscription { silent }")
        await other.subscribe("1", "subscription { endless }")
        await until(lambda: len(world.started) == 3)
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


async def test_sigterm_ends_a_process_with_sockets_within_two_seconds_and_they_hear_1001(tmp_path: Path) -> None:
    uds = str(tmp_path / "s")
    source = SERVED.format(uds=uds)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", source, cwd=CHECKOUT, stdout=pipe, stderr=pipe)
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"up\n"
    headers = {"Cookie": f"sparekey={SESSION}"}
    protocol: Any = ["graphql-transport-ws"]
    uri = "ws://localhost/graphql"
    async with unix_connect(uds, uri, subprotocols=protocol, additional_headers=headers) as connection:
        await connection.send('{"type": "connection_init"}')
        assert await connection.recv() == '{"type":"connection_ack"}'
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        await connection.wait_closed()
        assert connection.close_code == 1001
    _, complaints = await asyncio.wait_for(process.communicate(), 10)
    assert time.monotonic() - start < 2
    assert complaints == b""
