"""Connections that say nothing, half of something, or do not listen: the rest of the world is served meanwhile."""

from __future__ import annotations

import asyncio
import time

import pytest
from starlette.types import Receive, Scope, Send

import limits
from tests.sockets import QUERY, Caller, behind_uvicorn, callers, open_door, posted

HALF_A_HEADER = b"POST /graphql HTTP/1.1\r\nHost: a\r\nX-Ha"
GET = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"


def limited(monkeypatch: pytest.MonkeyPatch, **values: int) -> None:
    table = {f"SPAREKEY_LIMIT_{name.upper()}": str(value) for name, value in values.items()}
    monkeypatch.setattr(limits, "LIMITS", limits.read(table))


async def test_1000_sockets_that_never_say_anything_keep_nobody_waiting_and_are_closed_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limited(monkeypatch, header_seconds=2)
    async with open_door() as port:
        silent = await callers(port, 500)
        half = await callers(port, 500, HALF_A_HEADER)
        began = time.monotonic()
        honest = await Caller.on(port, posted())
        assert await honest.status() == 200
        assert time.monotonic() - began < 0.2
        assert set(await asyncio.gather(*(each.status(4) for each in half))) == {408}
        assert all(await asyncio.gather(*(each.closed(1) for each in silent)))
        assert time.monotonic() - began < 4


async def test_headers_that_trickle_in_must_be_complete_in_time_also_on_a_connection_that_was_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limited(monkeypatch, header_seconds=1)

    async def trickle(before: bytes, drops: bytes) -> float:
        caller = await Caller.on(port, before)
        closing, began = asyncio.ensure_future(caller.closed(3)), time.monotonic()
        while not closing.done():
            caller.writer.write(drops)
            await asyncio.sleep(0.1)
        assert await closing
        return time.monotonic() - began

    async with open_door() as port:
        cases = [
            (HALF_A_HEADER, b"x"),
            (b"\r\n", b"\r\n"),
            (GET, b"\r\n"),
            (GET + HALF_A_HEADER, b"x"),
            (GET + HALF_A_HEADER, b""),
        ]
        took = await asyncio.gather(*(trickle(*case) for case in cases))
    assert min(took) > 0.9
    assert max(took) < 1.6


async def test_a_connection_is_kept_for_the_next_request_longer_than_headers_may_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limited(monkeypatch, header_seconds=1)
    async with open_door() as port:
        caller = await Caller.on(port, GET)
        assert await caller.status() == 200
        await asyncio.sleep(1.2)
        caller.writer.write(GET)
        assert await caller.status() == 200


async def test_a_body_that_goes_on_after_its_refusal_does_not_keep_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limited(monkeypatch, header_seconds=1)
    async with behind_uvicorn(refuse_at_once) as port:
        caller = await Caller.on(port, posted(b"x", length=10**9))
        assert await caller.status() == 400
        closing = asyncio.ensure_future(caller.closed(3))
        while not closing.done():
            caller.writer.write(b"x")
            await asyncio.sleep(0.1)
        assert await closing


async def refuse_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 400, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


async def test_when_there_are_too_many_connections_the_longest_silent_one_makes_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limited(monkeypatch, connections=20)
    release = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/graphql":
            await receive()
            await release.wait()
        await refuse_at_once(scope, receive, send)

    async with behind_uvicorn(app) as port:
        at_work = await callers(port, 5, posted())
        silent = [await callers(port, 5, sent) for sent in (b"", HALF_A_HEADER, posted(QUERY[:5], length=50))]
        newcomers = [await Caller.on(port, GET) for _ in range(15)]
        assert all(await asyncio.gather(*(each.closed(1) for group in silent for each in group)))
        assert [await each.status() for each in newcomers[-10:]] == [400] * 10
        release.set()
        assert [await each.status() for each in at_work] == [400] * 5


async def test_an_answer_that_nobody_reads_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, answer_seconds=1)

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        size = 50_000_000
        headers = [(b"content-length", b"%d" % size)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * size})

    async with behind_uvicorn(large) as port:
        caller = await Caller.on(port, GET)
        await asyncio.sleep(2)
        received = 0
        try:
            while part := await caller.reader.read(1_000_000):
                received += len(part)
        except ConnectionError:
            pass
        assert received < 50_000_000
