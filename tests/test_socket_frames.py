"""Frames: what is no text, no WebSocket, too long, or in too many pieces."""

from __future__ import annotations

import json

import pytest

from tests.socket_door import frame, raw, served, socket


@pytest.mark.parametrize("content", [b"", b"{}", b'{"type": "connection_init"}'])
async def test_a_binary_message_is_4400(content: bytes) -> None:
    async with served() as port, socket(port, begun=False) as peer:
        await peer.connection.send(content)
        assert await peer.closed() == (4400, "messages are text, not binary")


async def test_a_message_beyond_64_kib_is_1009_in_one_piece_and_in_many() -> None:
    long = json.dumps({"type": "ping", "payload": {"a": "x" * 65_536}})
    async with served() as port:
        for sent in (long, [long[:30_000], long[30_000:60_000], long[60_000:]]):
            async with socket(port, begun=False) as peer:
                await peer.connection.send(sent)
                assert (await peer.closed())[0] == 1009


async def test_a_message_in_pieces_is_read_and_one_in_too_many_empty_pieces_is_1009() -> None:
    async with served() as port:
        async with socket(port, begun=False) as peer:
            await peer.connection.send(['{"type": "con', "nection_", 'init"}'])
            assert await peer.hear() == {"type": "connection_ack"}
        async with raw(port) as (reader, writer):
            writer.write(frame(1, last=False) + frame(0, last=False) * 1000)
            assert (await reader.read(4))[2:] == (1009).to_bytes(2, "big")


async def test_text_that_is_not_utf8_is_1007_and_no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as port, socket(port, begun=False) as peer:
        await peer.connection.send(b'{"type": "\xff"}', text=True)
        assert await peer.closed() == (1007, "text must be UTF-8")
    assert caplog.records == []


@pytest.mark.parametrize("broken", [frame(3), frame(0), bytes([0x81, 1, 65]), frame(8, b"\x00"), frame(8, b"\x00\x01")])
async def test_frames_that_are_no_websocket_are_1002(broken: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with served() as port, raw(port) as (reader, writer):
        writer.write(broken)
        assert (await reader.read(4))[2:] == (1002).to_bytes(2, "big")
    assert caplog.records == []
