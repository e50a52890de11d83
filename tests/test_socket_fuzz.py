"""Whatever is sent over a socket, in whatever order, it is answered by the protocol or closed by one of its codes.

`FUZZ_EXAMPLES=10000` asks for more examples than the few hundred of every run.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from server.http_errors import CODES
from server.socket_messages import REASON_BYTES, Close
from tests.http_door import SECRET
from tests.socket_door import INIT, World, frame, raw, served, shorten, socket, text
from tests.test_http_fuzz import anything, documents, valid

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "250"))
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
TRANSPORT = {1002, 1007, 1009}  # what was sent is no WebSocket, no text, or too long
CODES_OF_A_CLOSE = {int(code) for code in Close} - {Close.INTERNAL, Close.TRY_AGAIN_LATER} | TRANSPORT
FIELDS = (
    "count(to: 2)",
    "silent",
    "refusing(at: 2)",
    "guarded { name broken }",
    "endless(size: 9000)",
    "failing(at: 2)",
)

ids = st.sampled_from(["1", "2", "x" * 64, "é"])
queries = st.sampled_from([f"subscription {{ {each} }}" for each in FIELDS]) | valid | documents | st.text(max_size=20)
variables = st.dictionaries(st.sampled_from("vw"), anything, max_size=2)
payloads = st.fixed_dictionaries(
    {"query": queries}, optional={"variables": variables, "operationName": st.text(max_size=3)}
)
sound = st.one_of(
    st.just({"type": "connection_init"}),
    st.fixed_dictionaries({"type": st.sampled_from(["ping", "pong"])}, optional={"payload": st.just({"a": 1})}),
    st.fixed_dictionaries({"type": st.just("subscribe"), "id": ids, "payload": payloads}),
    st.fixed_dictionaries({"type": st.just("complete"), "id": ids}),
)
nearly = st.fixed_dictionaries(
    {"type": st.sampled_from(["connection_init", "ping", "subscribe", "complete", "next", "stop"]) | anything},
    optional={"id": ids | anything, "payload": payloads | anything},
)
texts = st.one_of(sound, sound, sound, nearly, anything).map(lambda content: frame(1, json.dumps(content).encode()))
frames = st.one_of(
    texts,
    texts,
    texts,
    texts,
    st.tuples(st.integers(0, 15), st.binary(max_size=40), st.booleans()).map(
        lambda it: frame(it[0], it[1], last=it[2])
    ),
    st.binary(max_size=60).map(lambda content: frame(1, content)),
)
BROKEN = frame(
    1,
    json.dumps({"type": "subscribe", "id": "1", "payload": {"query": "{ practice { brokenToo noNumber } }"}}).encode(),
)
LAST = {"type": "ping", "payload": {"last": True}}
# Bytes that may stop in the middle of a frame can only be the last.
conversations = st.tuples(
    st.sampled_from([b"", INIT, INIT]), st.lists(frames, max_size=12), st.just(b"") | st.binary(max_size=30)
)


# Where the sources and fields that fail on purpose do so: `failing`, `broken`, `brokenToo` and `noNumber`.
ON_PURPOSE = (" failing", " broken", " broken_too", " coerce_int_from_string")


class Complaints(logging.Handler):
    """What is logged. The sources that fail on purpose are reported, once each, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "sparekey.faults" or not record.getMessage().endswith(ON_PURPOSE):
            self.found.append(record.getMessage())


@pytest_asyncio.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    shorten(monkeypatch, socket_operations=3)
    world = World()
    async with served(world) as port:
        yield port


def check_message(content: dict[str, Any]) -> None:
    assert content["type"] in {"connection_ack", "pong", "next", "error", "complete"}
    if content["type"] == "error":
        assert content["payload"]
        assert all(each["extensions"]["code"] in CODES for each in content["payload"])
    if content["type"] == "next":
        assert content["payload"].keys() <= {"data", "errors", "extensions"}
    assert SECRET not in json.dumps(content)


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, length = await reader.readexactly(2)
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2), "big")
    return first & 15, await reader.readexactly(length)


async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int | None:
    """Read until the server closes, or has answered a last ping and then another. Gives the code of a close."""
    rounds = 0
    while rounds < 2:
        opcode, content = await read_frame(reader)
        if opcode == 8:
            assert len(content) <= REASON_BYTES + 2
            return int.from_bytes(content[:2], "big") if content else None
        if opcode == 1:
            check_message(orjson.loads(content))
        if opcode == 1 and orjson.loads(content) == LAST | {"type": "pong"}:
            rounds += 1
            writer.write(text(LAST))
    return None


async def converse(port: int, sent: bytes, broken_off: bytes) -> None:
    async with raw(port) as (reader, writer):
        writer.write(sent + (broken_off or text(LAST)))
        if broken_off:
            writer.write_eof()
        try:
            code = await asyncio.wait_for(listen(reader, writer), 8)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
    assert code is None or code in CODES_OF_A_CLOSE or b"\x88" in sent + broken_off, code  # a close is echoed


@given(conversation=conversations)
@example(conversation=(INIT, [BROKEN], b""))
@FUZZ
async def test_any_conversation_is_answered_by_the_protocol_and_others_go_on(
    port: int, conversation: tuple[bytes, list[bytes], bytes]
) -> None:
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    begin, middle, broken_off = conversation
    try:
        await converse(port, begin + b"".join(middle), broken_off)
        async with socket(port) as other:
            assert await other.is_well()
    finally:
        logging.getLogger().removeHandler(complaints)
    assert complaints.found == []
