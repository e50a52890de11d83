"""Many who connect at once are all let in soon, however busy the server is."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import ExitStack

import uvloop
from starlette.types import Receive, Scope, Send

from server.run import HANDLES, Server, configuration

MANY = 64


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()


async def turns_until_all_are_in() -> int:
    config = configuration(silent, port=0)
    config.lifespan = "off"
    server = Server(config, lambda: None)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  (uvicorn has no event for it)
        await asyncio.sleep(0.005)
    port, turns = server.servers[0].sockets[0].getsockname()[1], 0
    with ExitStack() as opened:
        for _ in range(MANY):
            opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        while len(server.server_state.connections) < MANY and turns < 2 * MANY:
            time.sleep(0.001)  # noqa: ASYNC251  (the loop is busy)
            await asyncio.sleep(0)
            turns += 1
    server.should_exit = True
    await serving
    return turns


def test_in_each_turn_of_a_busy_loop_several_connections_are_accepted() -> None:
    assert uvloop.run(turns_until_all_are_in()) <= 2 + 2 * MANY // HANDLES
