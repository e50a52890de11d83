"""Server-sent events: the protocol's form, the checks of every POST, and every way in which a stream ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import orjson
import pytest
import uvicorn
from starlette.datastructures import Headers

from server import event_stream
from server.run import configuration
from tests import http_door
from tests.http_door import GRAPHQL, JSON, SESSION
from tests.socket_door import PATIENCE, SCHEMA, World, served, shorten, until

STREAM = "text/event-stream"
SOON = 1.5  # a second, on a busy machine


@dataclass
class Stream:
    response: httpx2.Response
    lines: AsyncIterator[str]

    async def line(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return await anext(self.lines)

    async def event(self) -> tuple[str, Any]:
        """The next one, comments passed over."""
        while not (line := await self.line()).startswith("event: "):
            assert line in ("", ":"), line
        data = (await self.line()).removeprefix("data:").strip()
        assert await self.line() == ""
        return line.removeprefix("event: "), orjson.loads(data) if data else None

    async def events(self) -> list[tuple[str, Any]]:
        """All of them, to the end of the stream."""
        found = []
        with contextlib.suppress(StopAsyncIteration):
            while True:
                found.append(await self.event())
        return found


@contextlib.asynccontextmanager
async def streamed(
    port: int, query: str, variables: Any = None, *, cookie: str | None = SESSION, **headers: str
) -> AsyncIterator[Stream]:
    sent = {"Content-Type": JSON, "Accept": STREAM} | {name.replace("_", "-"): each for name, each in headers.items()}
    if cookie:
        sent["Cookie"] = f"sparekey={cookie}"
    content = orjson.dumps({"query": query, "variables": variables})
    async with httpx2.AsyncClient(timeout=PATIENCE, trust_env=False, verify=False) as client:
        url = f"http://127.0.0.1:{port}/graphql"
        async with client.stream("POST", url, content=content, headers=sent) as response:
            yield Stream(response, aiter(response.aiter_lines()))


async def refusal(stream: Stream) -> tuple[int, str]:
    content = orjson.loads(await stream.response.aread())
    assert stream.response.headers["content-type"].startswith(JSON)
    return stream.response.status_code, content["errors"][0]["extensions"]["code"]


def codes(result: dict[str, Any]) -> list[str]:
    return [each["extensions"]["code"] for each in result["errors"]]


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (STREAM, True),
        ("Text/Event-Stream; charset=utf-8", True),
        (f"{STREAM}, */*", True),
        (f"{STREAM}, {JSON}", True),
        (f"{STREAM}, multipart/mixed", True),
        (f"{JSON}, {STREAM}", False),
        (f"{JSON};q=0.5, {STREAM}", True),
        (f"{STREAM};q=0.5, {JSON}", False),
        (f"{GRAPHQL}, {JSON}, {STREAM}, multipart/mixed", False),
        (f"{STREAM};q=0", False),
        ("*/*", False),
        ("text/*", False),
        ("", False),
    ],
)
def test_a_stream_is_what_the_client_names_and_likes_best(accept: str, wanted: bool) -> None:
    assert event_stream.is_wanted(Headers({"accept": accept})) is wanted


async def test_a_query_is_one_next_and_complete_with_the_headers_of_a_stream() -> None:
    async with served() as port, streamed(port, "{ practice { name } }") as stream:
        assert stream.response.status_code == 200
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.response.headers["cache-control"] == "no-store"
        assert stream.response.headers["x-accel-buffering"] == "no"
        assert stream.response.headers["sparekey-policy"] == "0123456789ab"
        assert "content-length" not in stream.response.headers
        result = {"data": {"practice": {"name": "Elm Street"}}, "extensions": {"cost": 1}}
        assert await stream.events() == [("next", result), ("complete", None)]


async def test_a_mutation_is_executed_once() -> None:
    async with served() as port, streamed(port, 'mutation { previewToken(code: "1") }') as stream:
        events = await stream.events()
    assert [name for name, _ in events] == ["next", "complete"]
    assert events[0][1]["data"] == {"previewToken": "a card"}


async def test_a_subscription_is_one_next_for_each_event() -> None:
    world = World()
    query = "subscription ($n: Int!) { count(to: $n) }"
    async with served(world) as port, streamed(port, query, {"n": 3}) as stream:
        events = await stream.events()
    assert [each["data"]["count"] for name, each in events if name == "next"] == [1, 2, 3]
    assert events[-1] == ("complete", None)
    assert world.closed == ["count"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { __typename } query B { __typename }", "OPERATION_NOT_FOUND"),
        ("subscription ($n: Int!) { count(to: $n) }", "INVALID_VARIABLES"),
        ("mutation { signOut }", "USE_POST"),
    ],
)
async def test_what_the_document_says_wrong_is_told_in_the_stream_as_the_protocol_asks(query: str, code: str) -> None:
    async with served() as port, streamed(port, query) as stream:
        assert stream.response.status_code == 200
        (name, result), last = await stream.events()
    assert name == "next"
    assert codes(result) == [code]
    assert "data" not in result
    assert last == ("complete", None)


async def test_the_checks_of_every_post_are_answered_by_4xx_and_json() -> None:
    async with served() as port:
        async with streamed(port, "subscription { silent }", cookie=None) as stream:
            assert await refusal(stream) == (401, "NOT_SIGNED_IN")
        async with streamed(port, "subscription { silent }", cookie="B" * 43) as stream:
            assert await refusal(stream) == (401, "NOT_SIGNED_IN")
            assert stream.response.headers["set-cookie"].startswith("sparekey=; ")
        async with streamed(port, "subscription { silent }", Origin="https://evil.example") as stream:
            assert await refusal(stream) == (403, "CROSS_SITE")
        async with streamed(port, "subscription { silent }", Content_Type="text/plain") as stream:
            assert await refusal(stream) == (415, "UNSUPPORTED_MEDIA_TYPE")
        async with streamed(port, 5) as stream:  # type: ignore[arg-type]  # no text on purpose
            assert await refusal(stream) == (400, "BAD_REQUEST")


async def test_without_a_stream_a_subscription_is_refused_and_both_ways_are_named() -> None:
    async with served() as port, streamed(port, "subscription { silent }", Accept=GRAPHQL) as stream:
        content = await stream.response.aread()
    assert stream.response.status_code == 400
    message = orjson.loads(content)["errors"][0]["message"]
    assert "graphql-transport-ws" in message
    assert STREAM in message


async def test_a_silent_stream_is_kept_open_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch, stream_heartbeat_seconds=1)
    async with served() as port, streamed(port, "subscription { silent }") as stream:
        start = time.monotonic()
        assert [await stream.line() for _ in range(4)] == [":", "", ":", ""]
    assert 0.9 < time.monotonic() - start < 2


async def test_a_client_that_leaves_ends_its_stream() -> None:
    world = World()
    async with served(world) as port:
        async with streamed(port, "subscription { silent }"):
            await until(lambda: world.started == ["silent"])
        await until(lambda: world.closed == ["silent"])


async def test_a_session_that_ends_ends_its_stream_within_a_second_and_is_told() -> None:
    world = World()
    async with served(world) as port, streamed(port, "subscription { silent }") as stream:
        await until(lambda: world.started == ["silent"])
        world.sessions = {}
        async with asyncio.timeout(SOON):
            (_, result), last = await stream.events()
    assert codes(result) == ["NOT_SIGNED_IN"]
    assert last == ("complete", None)
    assert world.closed == ["silent"]


async def test_a_permission_that_is_gone_ends_the_stream_at_the_next_event_and_without_one() -> None:
    for events in (["second"], []):
        world = World()
        async with served(world) as port, streamed(port, "subscription { guarded { name } }") as stream:
            world.events.put_nowait("first")
            assert (await stream.event())[1]["data"] == {"guarded": {"name": "first"}}
            world.permitted = False
            for event in events:
                world.events.put_nowait(event)
            async with asyncio.timeout(SOON):
                (_, result), last = await stream.events()
        assert codes(result) == ["NOT_PERMITTED"]
        assert last == ("complete", None)


async def test_what_nobody_expected_is_told_by_an_id(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as port, streamed(port, "subscription { failing(at: 2) }") as stream:
        events = await stream.events()
    assert [name for name, _ in events] == ["next", "next", "complete"]
    assert codes(events[1][1]) == ["INTERNAL"]
    assert len(caplog.records) == 1


async def test_a_stopping_server_ends_its_streams_without_complete_so_that_clients_come_back() -> None:
    world = World()
    server = uvicorn.Server(configuration(http_door.app(schema=SCHEMA, open_context=world.open_context), port=0))
    running = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    async with streamed(server.servers[0].sockets[0].getsockname()[1], "subscription { silent }") as stream:
        await until(lambda: world.started == ["silent"])
        start = time.monotonic()
        server.should_exit = True
        assert await stream.events() == []
        await running
    assert time.monotonic() - start < 2
    assert world.closed == ["silent"]


async def test_one_session_has_so_many_streams_and_another_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch, streams_per_session=1)
    world = World()
    world.sessions["B" * 43] = "somebody else"
    async with served(world) as port:
        async with streamed(port, "subscription { silent }"):
            await until(lambda: world.started == ["silent"])
            async with streamed(port, "subscription { silent }") as second:
                assert await refusal(second) == (429, "TOO_MANY_OPERATIONS")
            async with streamed(port, "{ practice { name } }", cookie="B" * 43) as other:
                assert (await other.event())[0] == "next"
        await until(lambda: world.closed == ["silent"])
        async with streamed(port, "{ practice { name } }") as again:
            assert (await again.event())[0] == "next"


async def test_a_client_that_reads_nothing_stops_its_source() -> None:
    world = World()
    async with served(world) as port, streamed(port, "subscription { endless(size: 10000) }"):
        await until(lambda: world.produced > 0)
        await asyncio.sleep(0.5)
        produced = world.produced
        await asyncio.sleep(0.3)
        assert world.produced == produced


async def test_in_development_anybody_may_introspect_in_a_stream_and_nothing_else() -> None:
    async with served() as port, streamed(port, "{ __typename }", cookie=None) as stream:
        assert (await stream.event())[1]["data"] == {"__typename": "Query"}
