from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send

import limits
from server.http_protocol import BoundedHttpProtocol
from tests.sockets import behind_plain_uvicorn

HEAD = b"POST / HTTP/1.1\r\nHost: here\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LARGE_BODY = b"x" * (limits.of("header_bytes") * 128)  # more than a socket hands over at once


async def answer_when_read(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with behind_plain_uvicorn(answer_when_read, BoundedHttpProtocol) as port:
        yield port


async def status(port: int, *pieces: bytes, keep_sending: bytes = b"") -> bytes:
    """The answer's status; `keep_sending` is repeated until the server answers or 50 times the limit was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    first_line = asyncio.ensure_future(reader.readline())
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        while keep_sending and not first_line.done():
            writer.write(keep_sending)
            await writer.drain()
            await asyncio.sleep(0.001)
        return (await asyncio.wait_for(first_line, 5)).split(b" ")[1]
    finally:
        first_line.cancel()
        writer.close()


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"GET /", b"a" * 10_000),
        (HEAD + b"X-One: ", b"a" * 10_000),
        (HEAD, b"X-Many: a\r\n" * 1_000),
        (CHUNKED + b"1;", b"extension" * 1_000),
        (CHUNKED + b"1\r\nx\r\n0\r\n", b"X-Trailer: a\r\n" * 1_000),
    ],
    ids=["address", "one header", "many headers", "chunk extension", "trailers"],
)
async def test_what_never_ends_is_refused(port: int, start: bytes, more: bytes) -> None:
    assert await asyncio.wait_for(status(port, start, keep_sending=more), 5) == b"400"


async def test_a_body_may_be_longer_than_headers(port: int) -> None:
    assert await status(port, HEAD + b"Content-Length: %d\r\n\r\n" % len(LARGE_BODY), LARGE_BODY) == b"204"


async def test_many_small_requests_on_one_connection_add_up_to_nothing(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = HEAD + b"X-Pad: " + b"a" * 10_000 + b"\r\nContent-Length: 1\r\n\r\nx"
    for _ in range(20):
        writer.write(request)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
    writer.close()
