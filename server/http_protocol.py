"""A bound on what a client may send before it says anything.

uvicorn's fast parser keeps unfinished headers, trailers and chunk extensions without any limit: one connection
took 200 MB. (`h11_max_incomplete_event_size` is for the slow parser.) What is finished is measured in the door.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

import limits


class BoundedHttpProtocol(HttpToolsProtocol):
    """Counts the bytes since the parser last delivered headers, a piece of a body or a whole message."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._undelivered = 0

    def data_received(self, data: bytes) -> None:
        self._undelivered += len(data)
        super().data_received(data)
        if self._undelivered > limits.of("header_bytes") and not self.transport.is_closing():
            self.send_400_response("request line and headers are too long")

    def on_headers_complete(self) -> None:
        self._undelivered = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._undelivered = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._undelivered = 0
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Not while an answer is under way: nobody would tell its application that the client has left."""
        if _is_answered(self.cycle):
            super().handle_websocket_upgrade()
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """A stream that waits for its client to leave is woken, and ends."""
        super().shutdown()
        if not _is_answered(self.cycle):
            self.cycle.message_event.set()


def _is_answered(cycle: RequestResponseCycle | None) -> bool:
    return cycle is None or cycle.response_complete
