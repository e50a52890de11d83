"""Refusing a request from its bytes, without parsing it, while no ordinary request can be admitted.

At three times what the server can do, two of three requests are refused. The way through the parser, a task, the
application and back costs a tenth of the work that is refused, and would take a quarter of the processor away from
those who were admitted. This takes a hundredth.

Only what is beyond doubt is answered here: one whole POST /graphql, not urgent, not from another site's page, with
plain headers. Everything else, and everybody while there are places, goes the long way and meets `admission.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from server import admission, media
from server.envelope import POLICY
from server.request_id import new_id
from server.room import Room

ASKED = b"POST /graphql HTTP/1.1\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,6})(?=\r\n|$)")
MOST = 1024  # heads that are known; some 200 bytes for each
ACCEPT = re.compile(rb"\r\naccept: *([^\r\n]*)")
# Headers, or a value, that change what to do or how to answer.
LONG_WAY = (b"\r\ntransfer-encoding", b"\r\nexpect", b"\r\nupgrade", b"\r\norigin", b"\r\nx-request-id", b"close")


class EarlyRefusal:
    """`headers` are those of every answer, `digest` is of the policy that it says it was decided by; "" for none.

    A client's headers are the same each time, so what was found of them is kept: not themselves, for they hold its
    credential, but by their hash, which nobody outside can aim at (SipHash, with this process's own key).
    """

    def __init__(self, room: Room, headers: Mapping[str, str], digest: Callable[[], str]) -> None:
        self._room = room
        self._headers = _lines(headers)
        self._digest = digest
        self._known: dict[int, Head | None] = {}

    def answer(self, received: bytes) -> bytes | None:
        """The whole answer to what was received, or None if it has to go the long way."""
        if not received.startswith(ASKED) or admission.takes_away(received):
            return None
        if not self._room.is_closed:
            self._room.expect()
            return None
        head, _, body = received.partition(b"\r\n\r\n")
        found = self._looked_at(head)
        if found is None or found.length != len(body):
            return None
        self._room.refuse()
        return b"%b%b%bx-request-id: %b\r\n\r\n%b" % (
            found.start,
            self._headers,
            _policy(self._digest()),
            new_id().encode(),
            admission.BUSY,
        )

    def _looked_at(self, head: bytes) -> Head | None:
        name = hash(head)
        if name not in self._known:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[name] = _look(head.lower())
        return self._known[name]


@dataclass(frozen=True, slots=True)
class Head:
    """Of a request that can be refused from its bytes: how long its body is, and how the refusal begins."""

    length: int
    start: bytes


def _look(head: bytes) -> Head | None:
    said = LENGTH.search(head)
    if said is None or head.count(b"content-length") != 1 or head.count(b"\n") != head.count(b"\r\n"):
        return None
    if any(map(head.__contains__, LONG_WAY)):
        return None
    return Head(int(said[1]), _start(_kind(head)))


def _kind(head: bytes) -> str:
    found = ACCEPT.findall(head)
    return _answer_type(b", ".join(found).decode("latin-1"))


@lru_cache(maxsize=64)
def _answer_type(accept: str) -> str:
    return media.answer_type(accept) or media.JSON


@lru_cache(maxsize=2)
def _policy(digest: str) -> bytes:
    return _lines({POLICY: digest}) if digest else b""


@lru_cache(maxsize=2)
def _start(kind: str) -> bytes:
    own = {
        "Content-Type": f"{kind}; charset=utf-8",
        "Content-Length": str(len(admission.BUSY)),
        "Retry-After": admission.RETRY_AFTER.decode(),
    }
    return b"HTTP/1.1 503 Service Unavailable\r\n" + _lines(own)


def _lines(headers: Mapping[str, str]) -> bytes:
    return "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items()).encode()
