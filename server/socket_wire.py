"""One socket, as far as bytes are concerned: what is sent, in order and in time, and how it ends.

Sending waits until the client reads (uvicorn holds back beyond 64 KiB), so whoever produces waits with it. A client
that reads nothing for `socket_send_seconds` is gone. Once the socket is closing nothing more is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.types import Message as Event
from starlette.types import Receive, Send

import limits
from server import socket_messages
from server.socket_messages import Closing, Message


class Gone(Exception):
    """Nobody is there any more."""


class Wire:
    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._turn = asyncio.Lock()
        self._lost = asyncio.Event()
        self._over = False

    async def read(self) -> Message:
        """The next message. Raises Closing, or Gone. However many there are, others get their turn in between."""
        await asyncio.sleep(0)
        event = await self._receive()
        if event["type"] != "websocket.receive":
            self._over = True
            raise Gone
        return socket_messages.read(event.get("text"))

    async def tell(self, message: Mapping[str, Any], *, wanted: Callable[[], bool] = lambda: True) -> None:
        """Send a message, unless it is not `wanted` any more when its turn has come. Raises Gone."""
        text = orjson.dumps(message).decode()
        async with self._turn:
            if self._over:
                raise Gone
            if wanted():
                await self._put({"type": "websocket.send", "text": text})

    async def close(self, closing: Closing) -> None:
        """Once; what waits for its turn is dropped."""
        if self._over:
            return
        self._over = True
        async with self._turn:
            await self._put({"type": "websocket.close", "code": int(closing.code), "reason": closing.reason})

    async def _put(self, event: Event) -> None:
        try:
            async with asyncio.timeout(limits.of("socket_send_seconds")):
                await self._send(event)
        except OSError:  # disconnected, or out of time: TimeoutError is one
            self._over = True
            self._lost.set()
            raise Gone from None

    async def lost(self) -> None:
        """Raises Gone once the client has stopped reading. Otherwise it never returns."""
        await self._lost.wait()
        raise Gone
