"""Admission on real sockets: who runs, who waits, who is told to come back, and what never takes a place."""

from __future__ import annotations

import asyncio
import importlib
import time
from typing import Any

import httpx2
import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

import limits
from models import deadline
from resolvers.execution import RequestFacts
from resolvers.schema import schema
from server import body
from server.admission import Admission, is_urgent
from server.metrics import Metrics
from server.room import GONE, Room
from tests.http_door import Context, open_context
from tests.sockets import QUERY, Caller, behind_uvicorn, callers, leave, open_door, posted

BUSY = b'{"errors":[{"message":"the service is busy; try again","extensions":{"code":"BUSY"}}]}'
REVOKE = posted(orjson.dumps({"query": "mutation { revokeAgent { __typename } }"}))
TAKING_AWAY = {
    *("revokeAgent", "leavePractice", "suspendEngagement", "terminateAgreement"),  # an engagement's
    *("departMember", "unassignMember", "removeStaff"),  # a person's
    *("suspendAgent", "revokeApiKey"),
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"RUNNING": "3", "RESERVED": "1", "WAITING": "2"}
    own = {f"SPAREKEY_LIMIT_REQUESTS_{name}": value for name, value in table.items()}
    monkeypatch.setattr(limits, "LIMITS", limits.read({**own, "SPAREKEY_LIMIT_REQUEST_SECONDS": "1"}))


class Hold:
    """Holds every request up inside the application until it is let go."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.free = asyncio.Event()
        self.cut_off = 0

    async def open_context(self, facts: RequestFacts) -> Context:
        try:
            await self.free.wait()
        except asyncio.CancelledError:
            self.cut_off += 1
            raise
        return await open_context(facts)

    def served(self) -> Any:
        return open_door(open_context=self.open_context, metrics=self.metrics)

    async def until(self, running: int, waiting: int = 0) -> None:
        async with asyncio.timeout(2):
            while (self.metrics.room.running, self.metrics.room.waiting) != (running, waiting):  # noqa: ASYNC110  (no event)
                await asyncio.sleep(0.002)


async def test_three_run_two_wait_and_the_sixth_is_told_at_once_to_come_back() -> None:
    hold = Hold()
    async with hold.served() as port:
        served_ones = await callers(port, 5, posted())
        await hold.until(running=3, waiting=2)
        began = time.monotonic()
        sixth = await Caller.on(port, posted())
        assert await sixth.status() == 503
        assert time.monotonic() - began < 0.05
        hold.free.set()
        assert [await each.status() for each in served_ones] == [200] * 5
        sixth.writer.write(posted())
        assert await sixth.status() == 200  # on the same connection
        await hold.until(running=0)


async def test_a_refusal_is_a_graphql_error_that_says_when_to_come_back_in_the_envelope_of_every_answer() -> None:
    hold = Hold()
    async with hold.served() as port:
        await callers(port, 5, posted())
        await hold.until(running=3, waiting=2)
        refused = await Caller.on(port, posted())
        await refused.status()
        assert refused.body == BUSY
        for line in (b"retry-after: 1", b"x-request-id: ", b"cache-control: no-store", b"graphql-response+json"):
            assert line in refused.head.lower()
        hold.free.set()


async def test_who_waits_longer_than_a_quarter_of_a_second_is_refused() -> None:
    hold = Hold()
    async with hold.served() as port:
        await callers(port, 3, posted())
        await hold.until(running=3)
        began = time.monotonic()
        patient = await Caller.on(port, posted())
        assert await patient.status() == 503
        assert 0.24 < time.monotonic() - began < 0.5
        hold.free.set()


async def test_health_is_answered_and_a_revocation_or_decision_finds_a_place_when_all_are_taken() -> None:
    hold = Hold()
    async with hold.served() as port:
        await callers(port, 3, posted())
        await hold.until(running=3)
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert [(await client.get(path)).status_code for path in ("/livez", "/readyz", "/metrics")] == [200] * 3
            assert (await client.post("/access/v1/evaluation", content=b"{}")).status_code == 404  # not built yet
        revocation = await Caller.on(port, REVOKE)
        await hold.until(running=4)
        hold.free.set()
        assert await revocation.status() == 400  # the small schema has no such field; it was read and answered


def test_everything_that_takes_access_away_is_urgent_and_nothing_else_is() -> None:
    mutations = schema.graphql_schema.mutation_type
    assert mutations
    for name in mutations.fields:
        typed = orjson.dumps({"query": f"mutation ($input: In!) {{ {name}(input: $input) {{ __typename }} }}"})
        stored = orjson.dumps({"documentId": "0" * 64, "operationName": name[0].upper() + name[1:]})
        urgent = name in TAKING_AWAY
        assert [is_urgent({"path": "/graphql"}, body) for body in (typed, stored)] == [urgent, urgent], name
    assert mutations.fields.keys() >= TAKING_AWAY
    assert not is_urgent({"path": "/graphql"}, QUERY)


async def test_who_hangs_up_while_waiting_leaves_the_queue() -> None:
    hold = Hold()
    async with hold.served() as port:
        await callers(port, 3, posted())
        waiting = await callers(port, 2, posted())
        await hold.until(running=3, waiting=2)
        await leave(waiting)
        await hold.until(running=3, waiting=0)
        assert hold.metrics.room.refused == {GONE: 2}, "they did not wait in vain until their time was over"
        hold.free.set()


async def test_200_half_bodies_and_silence_take_no_place_from_an_honest_request() -> None:
    metrics = Metrics()
    async with open_door(metrics=metrics) as port:
        await callers(port, 200, posted(QUERY[:10], length=len(QUERY)))
        chunked = b"POST /graphql HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello"
        await callers(port, 50, chunked)
        began = time.monotonic()
        honest = await Caller.on(port, posted())
        assert await honest.status() == 200
        assert time.monotonic() - began < 0.2
        assert metrics.room.refused.total() == 0


async def test_what_hangs_is_answered_at_the_deadline_and_its_place_is_free_again() -> None:
    hold = Hold()
    async with hold.served() as port:
        began = time.monotonic()
        hanging = await callers(port, 3, posted())
        assert [await each.status() for each in hanging] == [503] * 3
        assert 0.95 < time.monotonic() - began < 1.6
        assert b"TIMED_OUT" in hanging[0].body
        assert b"idempotency key" in hanging[0].body
        assert b"retry-after" in hanging[0].head.lower()
        assert hold.cut_off == 3
        await hold.until(running=0)


class Stream:
    """Begins its answer at once and goes on for a while, as subscriptions over SSE do."""

    def __init__(self) -> None:
        self.left: list[float | None] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]}
        await send(start)
        for rest in (2, 1, 0):
            with deadline.within(5):
                self.left.append(deadline.left())
            await asyncio.sleep(0.5)
            await send({"type": "http.response.body", "body": b".", "more_body": rest > 0})


async def test_a_stream_holds_no_place_and_lives_longer_than_a_request() -> None:
    room, stream = Room(), Stream()
    async with behind_uvicorn(Admission(stream, room=room)) as port:
        streams = await callers(port, 20, posted())
        assert [await each.status() for each in streams] == [200] * 20
        assert (room.running, room.refused.total()) == (0, 0)
    assert min(left or 0 for left in stream.left) > 4.9


async def test_metrics_say_how_busy_the_worker_is() -> None:
    importlib.import_module("prometheus_client")  # or those who wait have been refused before it is there
    hold = Hold()
    async with hold.served() as port:
        await callers(port, 6, posted())
        await hold.until(running=3, waiting=2)
        scraper = await Caller.on(port, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await scraper.status() == 200
        hold.free.set()
    lines = scraper.body.splitlines()
    assert b"sparekey_requests_running 3.0" in lines
    assert b"sparekey_requests_waiting 2.0" in lines
    assert b'sparekey_requests_refused_total{reason="full"} 1.0' in lines


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (posted(b"", length=10**15), 413, b"BODY_TOO_LARGE"),
        (posted(b" " * 70_000), 413, b"BODY_TOO_LARGE"),
        (posted(head=b"POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n"), 415, b"UNSUPPORTED"),
        (posted(b"", length=10**15, head=b"POST /graphql HTTP/1.1\r\nHost: a\r\n"), 415, b"UNSUPPORTED"),
        (posted(b"{}", head=b"PUT /graphql HTTP/1.1\r\nHost: a\r\n"), 405, b"METHOD_NOT_ALLOWED"),
    ],
)
async def test_a_body_read_before_admission_is_still_refused_by_the_door_in_its_own_words(
    sent: bytes, status: int, code: bytes
) -> None:
    async with open_door() as port:
        caller = await Caller.on(port, sent)
        assert await caller.status() == status
        assert code in caller.body


async def test_a_body_that_has_arrived_in_pieces_is_read_to_its_end() -> None:
    pieces = [
        {"type": "http.request", "body": b'{"query":', "more_body": True},
        {"type": "http.request", "body": b' "{ a }"}', "more_body": False},
    ]

    async def receive() -> Message:
        return pieces.pop(0)

    assert await body.read(receive, None, arrived=True) == b'{"query": "{ a }"}'
