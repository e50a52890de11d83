"""Bounds on what a client may send, or keep back, before it has said what it wants.

uvicorn's fast parser keeps unfinished headers, trailers and chunk extensions without any limit: one connection
took 200 MB. (`h11_max_incomplete_event_size` is for the slow parser.) What is finished is measured in the door.

uvicorn has no time limits either, but for a connection that is idle between two requests. Here every connection
that the server waits for has one: complete headers within `header_seconds`, an answer read within
`answer_seconds` (the body's limit stands in `body.py`). And when there are `connections` of them, the one that has
kept the server waiting longest is closed for the newcomer, so that silent sockets keep nobody out.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

import limits
from server.body import ARRIVED
from server.early_refusal import EarlyRefusal
from server.hang_up import HANG_UP, HangUp
from server.one_write import OneWriteCycle

TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
BODY_AT_STOP_SECONDS = 1.0  # for a body that is on its way when the server is told to stop

_kept_waiting: dict[BoundedHttpProtocol, None] = {}  # an ordered set: by whom the server waits, the longest first


class BoundedHttpProtocol(HttpToolsProtocol):
    """Counts the bytes since the parser last delivered headers, a piece of a body or a whole message."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._undelivered = 0
        self._has_begun = False  # a request whose headers are not complete
        self._upgraded = False
        self._refused_at = 0.0
        self._headers_due: asyncio.TimerHandle | None = None
        self._answer_due: asyncio.TimerHandle | None = None
        self._hang_up = HangUp()
        self._early_refusal: EarlyRefusal | None = getattr(
            getattr(self.config.app, "state", None), "early_refusal", None
        )

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        if len(self.connections) >= limits.of("connections"):
            self._make_room()
        super().connection_made(transport)
        _kept_waiting[self] = None
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)
        self._hang_up.happens()

    def data_received(self, data: bytes) -> None:
        if self._early_refusal is not None and self._is_idle():
            answer = self._early_refusal.answer(data)
            if answer is not None:
                self.transport.write(answer)
                self._stay_idle()
                return
        self._undelivered += len(data)
        super().data_received(data)
        if self._undelivered > limits.of("header_bytes") and not self.transport.is_closing():
            self.send_400_response("request line and headers are too long")
        if self._headers_due is None and self._is_between_requests():
            self._await_headers()

    def on_message_begin(self) -> None:
        self._has_begun = True
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)[HANG_UP] = self._hang_up

    def on_headers_complete(self) -> None:
        self._undelivered = 0
        self._has_begun = False
        self._headers_due = _stopped(self._headers_due)
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self.cycle.__class__ = OneWriteCycle  # uvicorn cannot be told of which kind to make it

    def on_body(self, body: bytes) -> None:
        self._undelivered = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._undelivered = 0
        _kept_waiting.pop(self, None)
        cast("dict[str, Any]", self.scope)[ARRIVED] = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if not self.pipeline:
            _kept_waiting.pop(self, None)
            _kept_waiting[self] = None
        super().on_response_complete()
        if self._has_begun and self._headers_due is None:
            self._await_headers()

    def handle_websocket_upgrade(self) -> None:
        """The connection is another protocol's from now on. Not while an answer is under way: nobody would tell its
        application that the client has left."""
        if not _is_answered(self.cycle):
            self.transport.close()
            return
        self._upgraded = True
        self._forget()
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._answer_due = _stopped(self._answer_due)
        self._answer_due = self.loop.call_later(limits.of("answer_seconds"), self.transport.abort)

    def resume_writing(self) -> None:
        self._answer_due = _stopped(self._answer_due)
        super().resume_writing()

    def shutdown(self) -> None:
        """What was accepted is answered. A request is accepted once its body is here; a stream that waits for its
        client to leave is woken, and ends."""
        super().shutdown()
        if not _is_answered(self.cycle):
            self.cycle.message_event.set()
        if not self._is_between_requests() and self.cycle.more_body:
            self.loop.call_later(BODY_AT_STOP_SECONDS, self._close_if_it_still_sends)

    def _close_if_it_still_sends(self) -> None:
        if self.cycle.more_body and not self.cycle.response_started:
            self.transport.close()

    def _is_between_requests(self) -> bool:
        return not self._upgraded and _is_answered(self.cycle)

    def _is_idle(self) -> bool:
        """Nothing of a request has come yet, and what was answered before has been taken."""
        return self._is_between_requests() and not self._undelivered and not self.flow.write_paused

    def _stay_idle(self) -> None:
        self._headers_due = _stopped(self._headers_due)
        self._refused_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._keep_alive(self.timeout_keep_alive)

    def _keep_alive(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """A refusal begins the time anew, too. It is cheaper to look for it here than to move the timer each time."""
        left = self._refused_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._keep_alive(left)
        else:
            super().timeout_keep_alive_handler()

    def _await_headers(self) -> None:
        self._headers_due = self.loop.call_later(limits.of("header_seconds"), self._close_without_headers)

    def _close_without_headers(self) -> None:
        self._headers_due = None
        if self.transport.is_closing():
            return
        if self._has_begun:
            self.transport.write(TIMED_OUT)
        self.transport.close()

    def _make_room(self) -> None:
        for other in _kept_waiting:
            if other.connections is self.connections:  # of the same server
                other.transport.abort()
                other._forget()
                return

    def _forget(self) -> None:
        _kept_waiting.pop(self, None)
        self._headers_due = _stopped(self._headers_due)
        self._answer_due = _stopped(self._answer_due)


def _stopped(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    if timer is not None:
        timer.cancel()
    return None


def _is_answered(cycle: RequestResponseCycle | None) -> bool:
    return cycle is None or cycle.response_complete
