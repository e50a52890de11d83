"""Answers that leave in one piece: byte for byte what uvicorn sends, whatever the application says."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from server import one_write
from server.http_protocol import BoundedHttpProtocol
from tests.sockets import behind_plain_uvicorn

Header = tuple[bytes, bytes]
PLAIN: list[Header] = [(b"content-type", b"text/plain"), (b"x-frame-options", b"DENY")]
WORD = [*PLAIN, (b"content-length", b"4")]
# What an application sends: a status, headers, and the body in pieces.
ANSWERS: dict[str, tuple[int, list[Header], list[bytes]]] = {
    "whole": (200, WORD, [b"word"]),
    "refused": (503, [(b"retry-after", b"1"), *WORD], [b"word"]),
    "no length": (200, PLAIN, [b"word"]),
    "empty": (200, [(b"content-length", b"0")], [b""]),
    "nothing": (204, PLAIN, [b""]),
    "not modified": (304, [(b"etag", b'"1"')], [b""]),
    "large": (200, [*PLAIN, (b"content-length", b"70000")], [b"x" * 70_000]),
    "in pieces": (200, WORD, [b"wo", b"rd"]),
    "all of it, and then nothing": (200, WORD, [b"word", b""]),
    "a stream": (200, PLAIN, [b"wo", b"rd", b""]),
    "to be closed": (200, [*WORD, (b"connection", b"close")], [b"word"]),
    "chunked": (200, [*PLAIN, (b"transfer-encoding", b"chunked")], [b"word"]),
    "capitals": (200, [*WORD, (b"X-Capital", b"kept")], [b"word"]),
    "twice": (200, [*WORD, (b"vary", b"accept"), (b"vary", b"origin")], [b"word"]),
    "too short": (200, WORD, [b"wo"]),
    "too long": (200, WORD, [b"words"]),
    "a line break": (200, [*WORD, (b"x-request-id", b"a\r\nset-cookie: b")], [b"word"]),
    "a line break that is kept": (200, [*WORD, (b"x-mine", b"a\r\nset-cookie: b")], [b"word"]),
    "a name with a space": (200, [*WORD, (b"x mine", b"a")], [b"word"]),
}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    status, headers, pieces = ANSWERS[scope["query_string"].decode().replace("+", " ")]
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    for place, piece in enumerate(pieces):
        await send({"type": "http.response.body", "body": piece, "more_body": place + 1 < len(pieces)})


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(WORD)})
    raise RuntimeError


async def received(port: int, name: str, method: str = "GET", version: str = "1.1") -> bytes:
    """Everything that comes before the connection is closed, or nothing comes any more. The date is left out."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} /?{name.replace(' ', '+')} HTTP/{version}\r\nHost: here\r\n\r\n".encode())
    found = b""
    try:
        while piece := await asyncio.wait_for(reader.read(65_536), 0.15):
            found += piece
    except TimeoutError:
        found += b"(and stays)"
    writer.close()
    return re.sub(rb"(?m)^date: .*\r\n", b"", found)


@pytest.mark.parametrize("name", ANSWERS)
async def test_every_answer_is_what_uvicorn_sends(name: str) -> None:
    ways = [("GET", "1.1"), ("GET", "1.1"), ("HEAD", "1.1"), ("GET", "1.0")]  # the second from what was kept
    async with (
        behind_plain_uvicorn(application, BoundedHttpProtocol) as ours,
        behind_plain_uvicorn(application, "httptools") as theirs,
    ):
        for method, version in ways:
            one, other = await asyncio.gather(*(received(port, name, method, version) for port in (ours, theirs)))
            assert one == other


async def test_who_fails_after_the_start_was_said_is_a_500_and_not_half_an_answer() -> None:
    async with behind_plain_uvicorn(failing, BoundedHttpProtocol) as port:
        assert (await received(port, "whole")).startswith(b"HTTP/1.1 500 ")


async def test_a_whole_answer_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    whole = one_write.OneWriteCycle._sent

    def counted(cycle: one_write.OneWriteCycle, start: Any, message: Any) -> bool:
        written.append(whole(cycle, start, message))
        return written[-1]

    monkeypatch.setattr(one_write.OneWriteCycle, "_sent", counted)
    async with behind_plain_uvicorn(application, BoundedHttpProtocol) as port:
        for name in ("whole", "refused", "large", "in pieces", "a stream", "to be closed", "too long"):
            await received(port, name)
    assert written == [True, True, False, False, False, False]


def test_nothing_of_one_callers_own_is_kept() -> None:
    one_write._line.cache_clear()
    own = [(b"set-cookie", b"sparekey=secret"), (b"x-request-id", b"1"), (b"etag", b'"1"'), (b"content-length", b"0")]
    assert one_write._head(200, own, 0) is not None
    assert one_write._line.cache_info().currsize == 0
