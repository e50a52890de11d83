"""Subscriptions behind the real door, and clients of a WebSocket: a well-behaved one, and one of bytes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
import strawberry
from strawberry.extensions import FieldExtension
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

import errors
import limits
from resolvers.credential import of_session
from resolvers.execution import RequestFacts, Schema
from tests import http_door
from tests.http_door import NOW, SECRET, SESSION

PROTOCOL = "graphql-transport-ws"
PATIENCE = 5.0  # seconds; what takes longer is not going to come


@dataclass
class World:
    """What may change while somebody watches."""

    sessions: dict[str, str] = field(default_factory=lambda: {SESSION: "somebody"})
    permitted: bool = True
    away: bool = False  # the database
    events: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    started: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    produced: int = 0
    facts: list[RequestFacts] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def open_context(self, facts: RequestFacts) -> Context:
        self.facts.append(facts)
        if self.away:
            raise ConnectionError(SECRET)
        who = {of_session(reference): name for reference, name in self.sessions.items()}
        return Context(facts, who.get(facts.credential) if facts.credential else None, world=self)

    @contextlib.contextmanager
    def source(self, name: str) -> Any:
        self.started.append(name)
        try:
            yield
        finally:
            self.closed.append(name)


@dataclass
class Context(http_door.Context):
    world: World = field(default_factory=World)


class Permitted(FieldExtension):
    async def resolve_async(self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **given: Any) -> Any:
        if not info.context.world.permitted:
            raise errors.NotPermitted("agents.connect", ("owner",))
        return next_(source, info, **given)


@strawberry.type
class Event:
    name: str

    @strawberry.field
    def seen_by(self, info: strawberry.Info) -> str:
        return str(info.context.actor)

    @strawberry.field
    def broken(self) -> str | None:
        raise ValueError(SECRET)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, info: strawberry.Info, to: int) -> AsyncGenerator[int, None]:
        with info.context.world.source("count"):
            for number in range(to):
                yield number + 1

    @strawberry.subscription
    async def endless(self, info: strawberry.Info, size: int = 1) -> AsyncGenerator[str, None]:
        world = info.context.world
        with world.source("endless"):
            while True:
                world.produced += 1
                yield "x" * size

    @strawberry.subscription
    async def silent(self, info: strawberry.Info) -> AsyncGenerator[int, None]:
        with info.context.world.source("silent"):
            await asyncio.Event().wait()
            yield 0

    @strawberry.subscription
    async def failing(self, at: int) -> AsyncGenerator[int, None]:
        for number in range(1, at):
            yield number
        raise ValueError(SECRET)

    @strawberry.subscription
    async def refusing(self, at: int) -> AsyncGenerator[int, None]:
        for number in range(1, at):
            yield number
        raise errors.EngagementEnded(NOW, "REVOKED_BY_PRACTICE")

    @strawberry.subscription(extensions=[Permitted()])  # type: ignore[untyped-decorator]  # typed as Any
    async def guarded(self, info: strawberry.Info) -> AsyncGenerator[Event, None]:
        world = info.context.world
        with world.source("guarded"):
            while True:
                yield Event(name=await world.events.get())


@strawberry.type
class Query(http_door.Query):
    @strawberry.field
    async def wait(self, info: strawberry.Info) -> str:
        info.context.world.produced += 1
        await info.context.world.gate.wait()
        return "waited"


SCHEMA = Schema(Query, http_door.Mutation, Subscription)


def shorten(monkeypatch: pytest.MonkeyPatch, **changes: int) -> None:
    """Other limits than those of the table, for one test."""
    given = {f"SPAREKEY_LIMIT_{name.upper()}": str(value) for name, value in changes.items()}
    monkeypatch.setattr(limits, "LIMITS", limits.read(given))


@contextlib.asynccontextmanager
async def served(world: World | None = None, **changes: Any) -> AsyncIterator[int]:
    """The application behind a real uvicorn. Gives the port."""
    world = world or World()
    async with http_door.served(**{"schema": SCHEMA, "open_context": world.open_context} | changes) as port:
        yield port


@dataclass
class Peer:
    """Somebody with a WebSocket."""

    connection: ClientConnection

    async def say(self, *messages: Any) -> None:
        for message in messages:
            await self.connection.send(orjson.dumps(message).decode())

    async def subscribe(self, id_: str, query: str, **more: Any) -> None:
        await self.say({"id": id_, "type": "subscribe", "payload": {"query": query, **more}})

    async def hear(self) -> dict[str, Any]:
        """The next message, which has to be text."""
        async with asyncio.timeout(PATIENCE):
            text = await self.connection.recv()
        assert isinstance(text, str)
        heard: dict[str, Any] = orjson.loads(text)
        return heard

    async def hear_until(self, type_: str) -> list[dict[str, Any]]:
        heard = [await self.hear()]
        while heard[-1]["type"] != type_:
            heard.append(await self.hear())
        return heard

    async def closed(self) -> tuple[int, str]:
        """How the server closes the socket. What it still says before is passed over."""
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.connection.recv()
        received = self.connection.protocol.close_rcvd
        assert received is not None, "the connection was cut without a close"
        return received.code, received.reason

    async def is_well(self) -> bool:
        await self.say({"type": "ping"})
        return await self.hear() == {"type": "pong"}


@contextlib.asynccontextmanager
async def socket(
    port: int,
    *,
    begun: bool = True,
    cookie: str | None = f"sparekey={SESSION}",
    protocols: tuple[str, ...] = (PROTOCOL,),
    origin: str | None = None,
    headers: dict[str, str] | None = None,
) -> AsyncIterator[Peer]:
    sent = {**({"Cookie": cookie} if cookie else {}), **(headers or {})}
    async with connect(
        f"ws://127.0.0.1:{port}/graphql",
        subprotocols=[Subprotocol(each) for each in protocols] or None,
        origin=Origin(origin) if origin else None,
        additional_headers=sent,
        close_timeout=1,
        proxy=None,
    ) as connection:
        peer = Peer(connection)
        if begun:
            await peer.say({"type": "connection_init"})
            assert await peer.hear() == {"type": "connection_ack"}
        yield peer


HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Protocol: {PROTOCOL}\r\nCookie: sparekey={SESSION}\r\n"
)


def frame(opcode: int, payload: bytes = b"", *, last: bool = True) -> bytes:
    """As a client sends it: masked."""
    mask = b"mask"
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    length = len(payload)
    size = bytes([0x80 | length]) if length < 126 else bytes([0x80 | 126]) + length.to_bytes(2, "big")
    return bytes([(0x80 if last else 0) | opcode]) + size + mask + masked


def text(message: Any) -> bytes:
    return frame(1, orjson.dumps(message))


def subscribing(id_: str, query: str) -> bytes:
    return text({"id": id_, "type": "subscribe", "payload": {"query": query}})


INIT = text({"type": "connection_init"})


@contextlib.asynccontextmanager
async def raw(port: int, more: str = "") -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A socket of bytes, after its handshake, whose client reads only what a test reads."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write((HANDSHAKE + more + "\r\n").encode("latin-1"))
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101"), answer
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def codes(message: dict[str, Any]) -> list[str]:
    """Of a message of type error."""
    assert message["type"] == "error"
    return [each["extensions"]["code"] for each in message["payload"]]


async def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # what is waited for belongs to the server
            await asyncio.sleep(0.01)
