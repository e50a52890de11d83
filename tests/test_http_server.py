"""The door behind a real uvicorn: what only shows on a socket."""

from __future__ import annotations

import asyncio
import time

import httpx2
import pytest

import limits
from tests.http_door import SESSION, served

QUERY = b'{"query": "{ practice { name } }"}'
HEAD = (
    b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Cookie: sparekey=" + SESSION.encode() + b"\r\n"
)


async def exchange(port: int, sent: bytes, seconds: float = 5) -> bytes:
    """Send and read until the server closes or the time has passed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    answer = b""
    try:
        async with asyncio.timeout(seconds):
            while part := await reader.read(65_536):
                answer += part
    except (TimeoutError, ConnectionError):
        pass
    writer.close()
    return answer


def with_length(length: int, body: bytes) -> bytes:
    return HEAD + f"Content-Length: {length}\r\n\r\n".encode() + body


async def test_a_query_is_answered_and_says_nothing_about_the_server() -> None:
    async with served() as port:
        answer = await exchange(port, with_length(len(QUERY), QUERY), 0.5)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Elm Street" in answer
    assert b"\r\nserver:" not in answer.lower()


@pytest.mark.parametrize("rest", [b"", QUERY[:10]])
async def test_half_a_body_and_silence_is_408_and_the_connection_is_closed(
    rest: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LIMITS", limits.read({"SPAREKEY_LIMIT_BODY_SECONDS": "1"}))
    async with served() as port:
        start = time.monotonic()
        answer = await exchange(port, with_length(len(QUERY), rest), 10)
        seconds = time.monotonic() - start
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"BODY_TOO_SLOW" in answer
    assert 0.9 < seconds < 4


async def test_a_body_that_trickles_in_must_be_complete_in_time_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LIMITS", limits.read({"SPAREKEY_LIMIT_BODY_SECONDS": "1"}))
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(with_length(1000, b""))
        answer = asyncio.create_task(reader.read(15))
        for _ in range(30):
            writer.write(b" ")
            await asyncio.sleep(0.1)
            if answer.done():
                break
        assert (await answer).startswith(b"HTTP/1.1 408")
        writer.close()


async def test_a_declared_length_beyond_the_limit_is_413_before_anything_is_read() -> None:
    async with served() as port:
        answer = await exchange(port, with_length(10**15, b""), 2)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"BODY_TOO_LARGE" in answer


async def test_a_chunked_body_of_unknown_length_is_413_once_it_is_too_long() -> None:
    async with served() as port:
        answer = await exchange(
            port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"400\r\n" + b" " * 1024 + b"\r\n") * 70, 2
        )
    assert answer.startswith(b"HTTP/1.1 413")


async def test_a_chunked_body_is_read() -> None:
    body = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (10, QUERY[:10], len(QUERY) - 10, QUERY[10:])
    async with served() as port:
        answer = await exchange(port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body, 0.5)
    assert answer.startswith(b"HTTP/1.1 200")


async def test_a_header_of_40_kb_is_refused_by_the_parser_or_by_us() -> None:
    async with served() as port:
        answer = await exchange(port, HEAD + b"X-Long: " + b"x" * 40_000 + b"\r\n\r\n", 2)
    assert answer.split(b"\r\n")[0].startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))


async def test_a_header_of_70_kb_is_refused_and_the_server_goes_on() -> None:
    async with served() as port:
        answer = await exchange(port, HEAD + b"X-Long: " + b"x" * 70_000 + b"\r\n\r\n", 2)
        assert b" 4" in answer.split(b"\r\n")[0] or answer == b""
        async with httpx2.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/livez")).status_code == 200


async def test_clients_that_go_away_half_way_leave_no_fault_behind(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as port:
        for _ in range(50):
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(with_length(len(QUERY), QUERY[:5]))
            await writer.drain()
            writer.close()
        async with httpx2.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/livez")).status_code == 200
    assert caplog.records == []


async def test_a_connection_is_kept_for_the_next_request_after_a_refusal() -> None:
    refused = HEAD + b"Content-Length: 1\r\n\r\n{"
    async with served() as port:
        answer = await exchange(port, refused + with_length(len(QUERY), QUERY), 0.5)
    assert answer.count(b"HTTP/1.1 ") == 2
    assert b"Elm Street" in answer
