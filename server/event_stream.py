"""Server-sent events: one operation, one answer that goes on (graphql-sse, "distinct connections mode").

POST as ever, with `Accept: text/event-stream`. Content type, origin, body and caller are checked as for every POST,
and answered by 4xx and JSON. What the document says wrong is told in the stream, because the protocol says so: the
type of an answer follows what the client accepts. Each result is an event `next`; `complete` is the last.

A stream ends when its client leaves, within a second when its session is over or the operation no longer allowed,
and at once when the server stops; then without `complete`, so that the client comes back.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import lru_cache

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

import limits
from models import deadline
from resolvers.execution import RequestContext
from server import media
from server.answering import Answering
from server.body import Asked
from server.http_errors import Code, DocumentRejected, RequestRejected
from server.metrics import OK, Metrics
from server.running import Caller, Result, Running, code_of, errors_of, until_one_ends, watch
from server.shares import Shares

EVENT_STREAM = "text/event-stream"
BEAT = b":\n\n"
COMPLETE = b"event: complete\ndata:\n\n"


def is_wanted(headers: Headers) -> bool:
    """Whether the client names it, and likes nothing better that a POST could be answered with."""
    return _wants(", ".join(headers.getlist("accept")))


@lru_cache(maxsize=256)
def _wants(accept: str) -> bool:
    parts = accept.split(",")
    ranges = [media.parse(part, place) for place, part in enumerate(parts)]
    named = [each for each in ranges if each.type == EVENT_STREAM and each.quality > 0 and each.utf8]
    others = [each for each in ranges if max(each.specificity(media.JSON), each.specificity(media.GRAPHQL)) >= 0]
    return any(all(_rank(each) > _rank(other) for other in others) for each in named)


def _rank(given: media.Range) -> tuple[float, int]:
    return given.quality, -given.position


@dataclass(frozen=True, slots=True)
class Streams:
    answering: Answering
    metrics: Metrics
    shares: Shares

    def open(self, asked: Asked, context: RequestContext, caller: Caller) -> EventStream:
        """Raises RequestRejected, or NotSignedIn for what is not open to everybody."""
        if self.shares.is_spent(caller.holder):
            message = "too many streams are open in this session; close one first"
            raise RequestRejected(429, Code.TOO_MANY_OPERATIONS, message, Retry_After="5")
        with suppress(DocumentRejected):  # is told in the stream
            self.answering.prepare(asked, signed_in=context.actor is not None)
        return EventStream(self, Running(self.answering, caller, asked), context, caller)


class EventStream(Response):
    """The answer. `send` waits until the client reads, and so does the source."""

    def __init__(self, streams: Streams, running: Running, context: RequestContext, caller: Caller) -> None:
        self.status_code = 200
        self.background = None
        self.media_type = EVENT_STREAM
        self.init_headers({"X-Accel-Buffering": "no"})
        self._streams = streams
        self._running = running
        self._context = context
        self._caller = caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with deadline.within(None), self._streams.shares.take(self._caller.holder):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            code = await self._flow(receive, send)
            await _put(send, b"", more=False)
        self._streams.metrics.count_request(code)

    async def _flow(self, receive: Receive, send: Send) -> str:
        watching = watch(self._caller, lambda: {self._running: _raise} if self._running.is_subscription else {})
        try:
            await until_one_ends(_departure(receive), _beat(send), watching, self._produce(send))
        except Exception as exception:
            errors = errors_of(exception, self._caller.request_id)
            await _put(send, _next({"errors": errors}) + COMPLETE)
            return code_of(errors) or OK
        return OK

    async def _produce(self, send: Send) -> None:
        async with aclosing(self._running.results(self._context)) as results:
            async for result in results:
                await _put(send, _next(result))
        await _put(send, COMPLETE)


def _next(result: Result) -> bytes:
    return b"event: next\ndata: " + orjson.dumps(result) + b"\n\n"


async def _put(send: Send, content: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": content, "more_body": more})


async def _beat(send: Send) -> None:
    """The first at once, so that the client sees that the stream is open."""
    while True:
        await _put(send, BEAT)
        await asyncio.sleep(limits.of("stream_heartbeat_seconds"))


async def _departure(receive: Receive) -> None:
    """The body was read, so whatever comes now says that the client has left or that the server stops."""
    await receive()


def _raise(refusal: Exception) -> None:
    raise refusal
