"""An answer that is all there leaves in one piece: its start is held back until its body has come.

uvicorn looks at every header of every answer for what could end a line, and writes twice. Most headers are the same in
all answers; what was found of those is kept. Whatever is unusual (a stream, a connection that is to close, a client
that reads slowly) goes uvicorn's way, and what is wrong with an answer is uvicorn's to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

Header = tuple[bytes, bytes]

LENGTH = b"content-length"
MOST = 65_536  # bytes of a body; a larger one is not copied to have its start before it
# They say how the answer is sent, which is uvicorn's to decide.
FRAMING = frozenset({b"connection", b"transfer-encoding"})
# Different in each answer, or nobody else's business: not kept.
OWN = frozenset({LENGTH, b"x-request-id", b"etag", b"set-cookie", b"location"})


class OneWriteCycle(RequestResponseCycle):
    """uvicorn's, of which a request's becomes one before its task asks for `send`."""

    held: Any = None  # the message that says how an answer starts

    async def send(self, message: Any) -> None:
        start, self.held = self.held, None
        if message["type"] == "http.response.start":
            if _can_wait(message):
                self.held = message
            else:
                await super().send(message)
        elif start is None:
            await super().send(message)
        elif not self._sent(start, message):
            await super().send(start)
            await super().send(message)

    def _sent(self, start: Message, message: Message) -> bool:
        if message.get("more_body") or self.scope["method"] == "HEAD" or not self._is_usual():
            return False
        body = message.get("body", b"")
        if len(body) > MOST:
            return False
        head = _head(start["status"], [*self.default_headers, *start["headers"]], len(body))
        if head is None:
            return False
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(head + body)
        self.message_event.set()
        self.on_response()
        return True

    def _is_usual(self) -> bool:
        has_begun = self.response_started or self.disconnected
        return self.keep_alive and not (has_begun or self.access_log or self.flow.write_paused)


def _can_wait(start: Message) -> bool:
    """Whoever says how long the body is does not make the client wait for it."""
    return any(name == LENGTH for name, _ in start.get("headers", ()))


def _head(status: int, headers: Iterable[Header], length: int) -> bytes | None:
    """None where uvicorn has to look at a header, or the length is another one than was said."""
    lines = [STATUS_LINE[status]]
    for header in headers:
        name = header[0]
        line = _line.__wrapped__(header) if name in OWN else _line(header)
        if line is None or (name == LENGTH and header[1] != b"%d" % length):
            return None
        lines.append(line)
    return b"".join([*lines, b"\r\n"])


@lru_cache(maxsize=1024)
def _line(header: Header) -> bytes | None:
    name, value = header
    if name in FRAMING or name != name.lower() or HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        return None
    return b"%b: %b\r\n" % (name, value)
