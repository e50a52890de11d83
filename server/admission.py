"""Who may run now. Plain ASGI between the envelope and the application.

A request enters once its whole body is here: bodies that trickle in, or never end, hold a connection and no place
(the body has at most `body_bytes`, and uvicorn would keep as much anyway). So the body may be looked at too, which
is how what takes access away comes first although GraphQL says in the body what is asked: its name is searched for.
Anybody can write that name into a query. It wins a place before others', never all places (`room.py`), and never a
permission.

A place is held until the answer begins. Then the work is done, or it is a stream, which lives for hours and may not
hold a place; the same moment lifts the last resort at the deadline. A stream sets deadlines for its own steps
(`models/deadline.py`). WebSockets are not requests and pass.

The deadline begins with the complete body and includes the wait. Work that reaches it ends by itself, because
statements and units of work do; what hangs elsewhere is cut off GRACE_SECONDS later, so that the more exact answer
wins. It is 503 and not 504, which is for gateways. Health and metrics are always answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import limits
from models import deadline
from models.asyncpg_client import urgently
from models.deadline import UNKNOWN
from server import body, hang_up, heads, media
from server.http_errors import Code, RequestRejected, error
from server.last_resort import LAST_RESORT
from server.room import GONE, NoPlace, Place, Room

NEVER_HELD_UP = frozenset({"/livez", "/readyz", "/metrics"})
DECISIONS = "/access/"
# What takes access away. The field's name, or that of an operation named after it (RevokeAgent) in a stored document,
# so without the first letter.
TAKING_AWAY = (
    b"evokeA",  # revokeAgent, revokeApiKey
    b"uspendEngagement",
    b"uspendAgent",
    b"epartMember",
    b"nassignMember",
    b"eavePractice",
    b"emoveStaff",
    b"erminateAgreement",
)
GRACE_SECONDS = 0.25
RETRY_AFTER = b"1"

Urgent = Callable[[Scope, bytes], bool]


def is_urgent(scope: Scope, content: bytes) -> bool:
    return scope["path"].startswith(DECISIONS) or takes_away(content)


def takes_away(content: bytes) -> bool:
    """Half a microsecond for the text of a query, which is most of what comes; two for anything else."""
    return (b"mutation" in content or b"documentId" in content) and any(map(content.__contains__, TAKING_AWAY))


class Admission:
    def __init__(self, app: ASGIApp, *, room: Room, is_urgent: Urgent = is_urgent) -> None:
        self._app = app
        self._room = room
        self._is_urgent = is_urgent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] in NEVER_HELD_UP:
            with urgently(True):
                await self._app(scope, receive, send)
        else:
            await self._in_turn(scope, receive, send)

    async def _in_turn(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            request = await Arrived.read(scope, receive)
        except ClientDisconnect:
            return
        urgent = self._is_urgent(scope, request.content)
        with deadline.within(_seconds(scope)), urgently(urgent):
            try:
                place = await self._room.enter(urgent, hang_up.of(scope))
            except NoPlace as hindrance:
                if hindrance.reason != GONE:
                    await _refuse(scope, send, BUSY)
            else:
                await self._run(scope, request, place, send)

    async def _run(self, scope: Scope, request: Arrived, place: Place, send: Send) -> None:
        begun = False
        watched = LAST_RESORT.watch((deadline.moment() or 0) + GRACE_SECONDS)

        async def send_and_leave(message: Message) -> None:
            nonlocal begun
            if not begun:
                begun = True
                place.leave()
                LAST_RESORT.lift(watched)
            await send(message)

        try:
            await self._app(scope, request, send_and_leave)
        except asyncio.CancelledError:
            if not LAST_RESORT.lift(watched):
                raise
            await _refuse(scope, send, TIMED_OUT)
        finally:
            LAST_RESORT.lift(watched)
            place.leave()


def _seconds(scope: Scope) -> int:
    return limits.of("decision_seconds" if scope["path"].startswith(DECISIONS) else "request_seconds")


class Arrived(body.Here):
    """A request whose body was read. The application reads it again, and meets there what went wrong: it answers a
    body that is too long or too slow in its own order of checks, and in the media type that the client takes."""

    __slots__ = ("_fault", "_read", "_receive", "content")

    def __init__(self, receive: Receive, content: bytes = b"", fault: RequestRejected | None = None) -> None:
        self.content = content
        self._receive = receive
        self._fault = fault
        self._read = False

    @classmethod
    async def read(cls, scope: Scope, receive: Receive) -> Arrived:
        """Raises ClientDisconnect."""
        length, arrived = heads.of(scope).get("content-length"), scope.get(body.ARRIVED, False)
        try:
            return cls(receive, await body.read(receive, length, arrived=arrived))
        except RequestRejected as fault:
            return cls(receive, fault=fault)

    async def __call__(self) -> Message:
        if self._read:
            return await self._receive()
        return {"type": "http.request", "body": self.whole(), "more_body": False}

    def whole(self) -> bytes:
        if self._fault is not None:
            raise self._fault
        self._read = True
        return self.content


def _body(code: Code, message: str) -> bytes:
    return orjson.dumps({"errors": [error(code, message)]})


BUSY = _body(Code.BUSY, "the service is busy; try again")
TIMED_OUT = _body(Code.TIMED_OUT, UNKNOWN)


async def _refuse(scope: Scope, send: Send, content: bytes) -> None:
    """Ready bytes: refusing has to be cheap, or refusals alone keep the service busy."""
    kind = media.answer_type(", ".join(heads.of(scope).getlist("accept"))) or media.JSON
    headers = [
        (b"content-type", f"{kind}; charset=utf-8".encode()),
        (b"content-length", str(len(content)).encode()),
        (b"retry-after", RETRY_AFTER),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": content})
