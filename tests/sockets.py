"""Callers without an HTTP client, who can therefore do everything wrong: half a body, no headers, silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from server.run import configuration
from tests.http_door import SESSION, served

QUERY = b'{"query": "{ practice { name } }"}'
HEAD = (
    b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Cookie: sparekey=" + SESSION.encode() + b"\r\n"
)


def posted(body: bytes = QUERY, length: int | None = None, head: bytes = HEAD) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n%s" % (len(body) if length is None else length, body)


_callers: list[Caller] = []


class Caller:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = self.body = b""
        _callers.append(self)

    @classmethod
    async def on(cls, port: int, sent: bytes = b"") -> Caller:
        caller = cls(*await asyncio.open_connection("127.0.0.1", port))
        caller.writer.write(sent)
        return caller

    async def status(self, seconds: float = 3) -> int:
        """Of the next answer, which is read to its end; 0 when the server closes without one."""
        try:
            async with asyncio.timeout(seconds):
                self.head = await self.reader.readuntil(b"\r\n\r\n")
                lines = self.head.lower().split(b"\r\n")
                length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
                self.body = await self.reader.readexactly(length)
        except (ConnectionError, asyncio.IncompleteReadError):
            return 0
        return int(self.head.split()[1])

    async def closed(self, seconds: float) -> bool:
        """Whether the server closes the connection in time; what it says before is read."""
        try:
            async with asyncio.timeout(seconds):
                while await self.reader.read(65_536):
                    pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True

    async def leave(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


async def callers(port: int, number: int, sent: bytes = b"") -> list[Caller]:
    return list(await asyncio.gather(*(Caller.on(port, sent) for _ in range(number))))


async def leave(those: list[Caller]) -> None:
    await asyncio.gather(*(each.leave() for each in those))


@asynccontextmanager
async def open_door(**changes: Any) -> AsyncIterator[int]:
    """As `http_door.served`; all callers leave at the end."""
    async with served(**changes) as port:
        try:
            yield port
        finally:
            await leave(_callers)
            _callers.clear()


@asynccontextmanager
async def behind_plain_uvicorn(app: ASGIApp, protocol: Any) -> AsyncIterator[int]:
    """An application behind uvicorn as it comes, with this HTTP protocol. Gives the port."""
    config = uvicorn.Config(app, port=0, http=protocol, lifespan="off", log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.005)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


@asynccontextmanager
async def behind_uvicorn(app: ASGIApp) -> AsyncIterator[int]:
    """Any application behind the server as it is configured in production, but for the lifespan. Gives the port."""
    config = configuration(app, port=0)
    config.lifespan = "off"
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.005)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        await leave(_callers)
        _callers.clear()
        server.should_exit = True
        await task
