"""What is refused without being parsed: only what the long way would refuse too, and in the same words."""

from __future__ import annotations

import asyncio

import pytest

import limits
from server.early_refusal import EarlyRefusal
from server.envelope import SECURITY
from server.metrics import Metrics
from server.room import Room
from tests.http_door import app
from tests.sockets import HEAD, QUERY, Caller, behind_uvicorn, posted


class Full(Room):
    """Nobody gets in, and nobody has hope."""

    is_closed = property(lambda self: True)


def answer(received: bytes, room: Room | None = None) -> bytes | None:
    return EarlyRefusal(room or Full(), SECURITY, lambda: "0123").answer(received)


async def test_a_whole_request_is_refused_while_the_room_is_closed_and_counted() -> None:
    room = Full()
    assert (answer(posted(), room) or b"").startswith(b"HTTP/1.1 503 ")
    assert room.refused.total() == 1
    assert answer(posted(), Room()) is None


def test_what_was_found_of_a_clients_headers_holds_for_those_headers_only() -> None:
    refusal = EarlyRefusal(Full(), SECURITY, lambda: "0123")
    kinds = {accept: _kind(refusal.answer(posted(head=HEAD + accept))) for accept in 2 * [b"", b"Accept: */*\r\n"]}
    assert kinds == {b"": b"application/graphql-response+json", b"Accept: */*\r\n": b"application/json"}
    assert refusal.answer(posted() + b" ") is None, "the body is longer than the headers say"
    elsewhere = posted(head=HEAD + b"Origin: https://app.example.org\r\n")
    assert [refusal.answer(elsewhere) for _ in range(2)] == [None, None]


def _kind(refused: bytes | None) -> bytes:
    return (refused or b"").partition(b"content-type: ")[2].partition(b";")[0]


async def test_of_many_who_come_at_once_only_as_many_go_the_long_way_as_can_hope(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are all received before the first of them asks for a place."""
    small = {"SPAREKEY_LIMIT_REQUESTS_RUNNING": "3", "SPAREKEY_LIMIT_REQUESTS_WAITING": "4"}
    monkeypatch.setattr(limits, "LIMITS", limits.read({**small, "SPAREKEY_LIMIT_REQUESTS_RESERVED": "1"}))
    room = Room()
    at_once = [answer(posted(), room) for _ in range(20)]
    assert [each is None for each in at_once] == [True] * 7 + [False] * 13
    await asyncio.sleep(0)
    assert answer(posted(), room) is None, "none of them asked, so there is room for the next"


@pytest.mark.parametrize(
    "received",
    [
        posted(b'{"query": "mutation { revokeAgent }"}'),
        posted(b'{"operationName": "RevokeAgent", "documentId": "0"}'),
        posted(b'{"query": "mutation { leavePractice }"}'),
        posted(b'{"operationName": "DepartMember", "documentId": "0"}'),
        posted().replace(b"/graphql", b"/access/v1/evaluation"),
        posted().replace(b"POST", b"GET"),
        posted().replace(b"HTTP/1.1", b"HTTP/1.0"),
        posted(QUERY, length=len(QUERY) + 1),
        posted() + b"G",
        posted() + posted(),
        posted(head=HEAD + b"Transfer-Encoding: chunked\r\n"),
        posted(head=HEAD + b"Content-Length: 34\r\n"),
        posted(head=HEAD + b"Content-Length : 5\r\n"),
        posted(head=HEAD + b"X: a\n b\r\n"),
        posted(head=HEAD + b"Connection: close\r\n"),
        posted(head=HEAD + b"Expect: 100-continue\r\n"),
        posted(head=HEAD + b"Origin: https://app.example.org\r\n"),
        posted(head=HEAD + b"X-Request-ID: mine\r\n"),
        posted(head=HEAD + b"Upgrade: websocket\r\n"),
        posted()[:-60],
        b"",
    ],
)
def test_everything_in_doubt_goes_the_long_way(received: bytes) -> None:
    assert answer(received) is None


@pytest.mark.parametrize("accept", [b"", b"Accept: */*\r\n", b"Accept: application/graphql-response+json\r\n"])
async def test_both_ways_say_the_same_with_the_same_headers_and_the_connection_stays(
    accept: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = Metrics()
    monkeypatch.setattr(metrics, "room", Full())
    metrics.room._taken = limits.of("requests_running")
    async with behind_uvicorn(app(metrics=metrics)) as port:
        caller = await Caller.on(port)
        said = []
        for named in (b"", b"X-Request-ID: mine\r\n"):  # early, and the long way
            caller.writer.write(posted(head=HEAD + accept + named))
            assert await caller.status() == 503
            lines = (line.partition(b": ") for line in caller.head.lower().split(b"\r\n"))
            changing = (b"date", b"x-request-id")
            said.append((caller.body, {name: "" if name in changing else value for name, _, value in lines}))
        metrics.room._taken = 0
        assert set(said[1][1]) - set(said[0][1]) <= {b"date"}
        said[1][1].pop(b"date")
        assert said[0] == said[1]
        assert metrics.room.refused.total() == 2


async def test_a_refused_connection_is_idle_from_its_last_refusal_and_not_for_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "LIMITS", limits.read({"SPAREKEY_LIMIT_IDLE_SECONDS": "1"}))
    metrics = Metrics()
    monkeypatch.setattr(metrics, "room", Full())
    async with behind_uvicorn(app(metrics=metrics)) as port:
        caller = await Caller.on(port, posted())
        assert await caller.status() == 503
        assert not await caller.closed(0.6)
        caller.writer.write(posted())
        assert await caller.status() == 503
        assert not await caller.closed(0.6), "that the first was more than a second ago does not count"
        assert await caller.closed(0.8)
