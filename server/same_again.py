"""The very same request again, answered before it is looked at.

A page that polls sends the same bytes each time: the same headers, the same body. What was decided from those bytes the
last time (origin, media types, whose cookie it is) would be decided again; what depends on the world is whether the
answer still holds, and that is asked as for every kept answer: `confirm`, then the memory of `unchanged.py`. So this is
an index into that memory and knows nothing of its own: from the digest of a request to the name of its answer and the
headers that went with it.

A request that brings an id of its own, or a body in pieces, goes the long way, and so does everything that is unknown.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

import limits
from server import body
from server.last_resort import LAST_RESORT
from server.metrics import Metrics
from server.request_id import new_id
from server.unchanged import Unchanged

KEPT = "sparekey.kept"  # in the scope: the name under which the answer of this request is kept
REQUEST_ID = b"x-request-id"


@dataclass(frozen=True, slots=True)
class Before:
    """How a request was answered: the name of the answer, the status, and headers without the request's id."""

    name: bytes
    status: int
    headers: list[tuple[bytes, bytes]] = field(repr=False)
    has_body: bool  # 304 and HEAD have none


class SameAgain:
    def __init__(self, unchanged: Unchanged, metrics: Metrics, clock: Callable[[], datetime]) -> None:
        self._unchanged = unchanged
        self._metrics = metrics
        self._clock = clock
        self._before: OrderedDict[bytes, Before] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send, app: ASGIApp) -> None:
        try:
            patience = limits.of("body_seconds")
            first = await (receive() if scope.get(body.ARRIVED) else LAST_RESORT.within(patience, receive()))
        except TimeoutError:
            await app(scope, _too_late, send)
            return
        digest = None if first.get("more_body") or first["type"] != "http.request" else _digest(scope, first)
        if digest is not None and digest in self._before and await self._answered(digest, send):
            return
        await app(scope, _replayed(first, receive), send if digest is None else self._noting(digest, scope, send))

    async def _answered(self, digest: bytes, send: Send) -> bool:
        if not await self._unchanged.confirm():
            return False
        before = self._before.get(digest)
        kept = self._unchanged.named(before.name, self._clock()) if before is not None else None
        if before is None or kept is None:
            self._before.pop(digest, None)
            return False
        self._before.move_to_end(digest)
        self._metrics.count_given_again()
        headers = [*before.headers, (REQUEST_ID, new_id().encode())]
        await send({"type": "http.response.start", "status": before.status, "headers": headers})
        await send({"type": "http.response.body", "body": kept.body if before.has_body else b""})
        return True

    def _noting(self, digest: bytes, scope: Scope, send: Send) -> Send:
        """Remembers how the request was answered, if its answer was kept."""
        start: Message = {}

        async def noting(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            elif KEPT in scope and not message.get("more_body"):
                self._note(digest, scope[KEPT], start, has_body=bool(message.get("body")))
            await send(message)

        return noting

    def _note(self, digest: bytes, name: bytes, start: Message, *, has_body: bool) -> None:
        headers = [(key, value) for key, value in start["headers"] if key.lower() != REQUEST_ID]
        self._before[digest] = Before(name, start["status"], headers, has_body)
        while len(self._before) > limits.of("same_requests"):
            self._before.popitem(last=False)


def _digest(scope: Scope, first: Message) -> bytes | None:
    """Of everything that an answer can depend on. None for a request that is never the same."""
    told = hashlib.sha256()
    for name, value in scope["headers"]:
        if name == REQUEST_ID:
            return None
        told.update(b"%d %d " % (len(name), len(value)) + name + value)
    told.update(f"{scope['method']} {scope['scheme']} {scope['query_string']!r} ".encode() + first.get("body", b""))
    return told.digest()


async def _too_late() -> Message:
    """What was waited for here is not waited for once more."""
    raise body.too_slow()


class Replayed:
    """What was received first, once more, and then the rest."""

    def __init__(self, first: Message, receive: Receive) -> None:
        self._first: Message | None = first
        self._receive = receive

    async def __call__(self) -> Message:
        first, self._first = self._first, None
        return await self._receive() if first is None else first


class Whole(Replayed, body.Here):
    """A request whose body was in one piece."""

    def whole(self) -> bytes:
        first, self._first = self._first, None
        content: bytes = first.get("body", b"") if first is not None else b""
        return content


def _replayed(first: Message, receive: Receive) -> Receive:
    return Replayed(first, receive) if first.get("more_body") else Whole(first, receive)
