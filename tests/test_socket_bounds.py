"""What a client may cost that means no good: silence, floods, and not reading."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from server.socket_protocol import BoundedSocketProtocol
from tests.http_door import JSON, SESSION
from tests.socket_door import HANDSHAKE, INIT, World, frame, raw, served, shorten, socket, subscribing, until

HEAD = f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nCookie: sparekey={SESSION}\r\n"
ENDLESS = "subscription { endless(size: 10000) }"


def resident() -> int:
    """Of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def protocols(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The server's side of every socket that is opened meanwhile."""
    made: list[BoundedSocketProtocol] = []
    original = BoundedSocketProtocol.connection_made

    def remember(self: BoundedSocketProtocol, transport: Any) -> None:
        made.append(self)
        original(self, transport)

    with monkeypatch.context() as patch:
        patch.setattr(BoundedSocketProtocol, "connection_made", remember)
        yield made


async def answered(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = b'{"query": "{ practice { name } }"}'
    writer.write(f"{HEAD}Connection: close\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer.startswith(b"HTTP/1.1 200")


async def test_300_silent_sockets_are_closed_in_time_and_others_are_served_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = int(os.environ.get("SPAREKEY_SILENT_SOCKETS", "300"))
    shorten(monkeypatch, socket_init_seconds=2)
    async with served() as port, contextlib.AsyncExitStack() as stack:
        gc.collect()
        before = resident()
        opened = [await stack.enter_async_context(raw(port)) for _ in range(many)]
        grown = resident() - before
        start = time.monotonic()
        assert await answered(port)
        assert time.monotonic() - start < 1
        closes = [await asyncio.wait_for(reader.read(4), 10) for reader, _ in opened]
    print(f"{many} silent sockets: {grown / many / 1024:.0f} KiB each, both sides")
    assert {each[2:] for each in closes} == {(4408).to_bytes(2, "big")}
    assert grown < many * 100_000


async def test_a_client_that_reads_nothing_stops_its_own_subscriptions_and_nobody_elses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shorten(monkeypatch, socket_send_seconds=2)
    world = World()
    with protocols(monkeypatch) as made:
        async with served(world) as port, raw(port) as (_, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport too
            writer.write(INIT + b"".join(subscribing(str(number), ENDLESS) for number in range(20)))
            await until(lambda: len(world.started) == 20)
            await until(lambda: not made[0].writable.is_set())
            await asyncio.sleep(0.3)
            produced = world.produced
            await asyncio.sleep(0.3)
            assert world.produced - produced <= 20
            assert made[0].transport.get_write_buffer_size() < 200_000
            async with socket(port) as other:
                assert await other.is_well()
            await until(lambda: len(world.closed) == 20)
            await until(lambda: made[0].transport.is_closing())


async def test_a_flood_of_operations_from_a_client_that_reads_nothing_is_not_read_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flood = b"".join(subscribing(str(number), "{ practice { name } }") for number in range(2000))
    with protocols(monkeypatch) as made:
        async with served() as port, raw(port) as (_, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport too
            writer.write(INIT)
            before = resident()
            for _ in range(50):  # 10 MB
                writer.write(flood)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(writer.drain(), 0.02)
            protocol = made[0]
            assert protocol.queue.qsize() < 200
            assert len(protocol._unparsed) < 600_000
            assert protocol.transport.get_write_buffer_size() < 400_000
            assert resident() - before < 60_000_000  # the client's own buffer among it
            assert await answered(port)


async def test_pings_that_are_never_read_back_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    pings = frame(9, b"x" * 125) * 2000
    with protocols(monkeypatch) as made:
        async with served() as port, raw(port) as (_, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport too
            writer.write(INIT)
            for _ in range(50):  # 13 MB
                writer.write(pings)
                await asyncio.wait_for(writer.drain(), 5)
            assert made[0].transport.get_write_buffer_size() < 800_000
            assert await answered(port)


async def test_many_small_messages_at_once_are_kept_as_bytes_until_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 0
    with protocols(monkeypatch) as made:
        async with served() as port, raw(port) as (reader, writer):
            await until(lambda: len(made) == 1)
            put = made[0].queue.put_nowait

            def watch(event: Any) -> None:
                nonlocal most
                put(event)
                most = max(most, made[0].queue.qsize())

            monkeypatch.setattr(made[0].queue, "put_nowait", watch)
            writer.write(frame(1, b'{"type":"ping"}') * 4_000)
            heard = 0
            async with asyncio.timeout(5):
                while heard < 4_000:
                    heard += (await reader.read(65_536)).count(b"pong")
    assert 0 < most < 300


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ("X-Long: " + "x" * 9_000 + "\r\n", b"431"),
        ("".join(f"X-{n}: 1\r\n" for n in range(200)), b"431"),
        ("Content-Length: 5\r\n", b""),
    ],
)
async def test_a_handshake_that_the_library_refuses_is_answered_and_over(
    more: str, status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write((HANDSHAKE + more + "\r\n").encode())
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 " + status) if status else answer == b""
    assert caplog.records == []


@pytest.mark.parametrize("line", [b"POST /graphql HTTP/1.1", b"GET /graphql?\xff HTTP/1.1", b"GET /nothing HTTP/1.1"])
async def test_a_handshake_of_another_kind_is_refused_and_nothing_is_logged(
    line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(line + HANDSHAKE.encode().partition(b"HTTP/1.1")[2] + b"\r\n")
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert not answer.startswith((b"HTTP/1.1 101", b"HTTP/1.1 5"))
        assert await answered(port)
    assert [record.getMessage() for record in caplog.records] == []


async def test_a_connection_cannot_become_a_socket_while_it_is_answered() -> None:
    content = orjson.dumps({"query": "{ wait }"})
    world = World()
    async with served(world) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{HEAD}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        await until(lambda: world.produced == 1)
        writer.write((HANDSHAKE + "\r\n").encode())
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        world.gate.set()
