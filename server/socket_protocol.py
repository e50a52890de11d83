"""Bounds on what a WebSocket's client may send, or not read, that uvicorn leaves open.

- uvicorn parses all that the network gave at once, and keeps every message of it until the application asks: a
  quarter of a megabyte of small messages becomes many megabytes. Here it is parsed a piece at a time, and between
  two pieces it is other connections' turn.
- A message in any number of empty pieces never reaches its size limit. The pieces are counted.
- Pings are answered even when the client reads nothing, and the answers pile up. Then they are dropped.
- A handshake that the library refuses by itself, such as one with very long headers, was left without an answer
  and without an end.
- The application may not know yet that a socket was closed under it, because the client broke the protocol. What
  it still sends is no mistake of its own.
- A text that is no UTF-8 is the client's fault. It is not logged as ours.
- Closing waits until all is sent, for ever, when the client reads nothing. Here it is cut off.
- The library writes every header, and so cookies and keys, to the log where that is set to DEBUG. It does not here.
- When the server stops, clients are told 1001, going away (uvicorn says 1012), and may confirm it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
from websockets.protocol import State

import limits
from server.socket_messages import Close

PIECE_BYTES = 4_096
STOP_SECONDS = 1.0  # for the client to confirm the end, when the server stops


class BoundedSocketProtocol(WebSocketsSansIOProtocol):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn.debug = False
        self.close_timeout = float(limits.of("socket_close_seconds"))
        self._unparsed = bytearray()
        self._next_piece: asyncio.Handle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more is parsed, and reading is not resumed: uvloop refuses both, once there is no connection."""
        self._unparsed.clear()
        self.read_paused = False
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unparsed += data
        self._parse()

    def _parse(self) -> None:
        """One piece, unless the application still has a message to take. Nothing is read while some is left."""
        if self._unparsed and not self.read_paused and self._next_piece is None:
            piece = bytes(self._unparsed[:PIECE_BYTES])
            del self._unparsed[:PIECE_BYTES]
            self._parse_piece(piece)
            if self._unparsed and not self.read_paused:
                self._next_piece = self.loop.call_soon(self._parse_on)
        if self.disconnected or self.transport.is_closing() or self.read_paused:
            return
        if self._unparsed:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def _parse_on(self) -> None:
        self._next_piece = None
        self._parse()

    def _parse_piece(self, piece: bytes) -> None:
        super().data_received(piece)
        if self.conn.handshake_exc is not None and not self.handshake_complete:
            self._end_refused_handshake()
        if len(self.frames) > limits.of("socket_fragments"):
            self._fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")

    async def receive(self) -> Any:
        message = await super().receive()
        self._parse()
        return message

    async def send(self, message: Any) -> None:
        await self.writable.wait()
        if self.close_sent:
            raise ClientDisconnected
        await super().send(message)
        if message["type"] == "websocket.close":
            self._parse()  # the client's own close may have come already

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_utf8(b"".join(self.frames)):
            self._fail(CloseCode.INVALID_DATA, "text must be UTF-8")
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # nothing but pongs waits there

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._cut_off_after(self.close_timeout)

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self._cut_off_after(self.close_timeout)

    def shutdown(self) -> None:
        if self.conn.state is not State.OPEN or self.transport.is_closing():
            super().shutdown()
        else:
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": int(Close.GOING_AWAY)})
            self.conn.send_close(Close.GOING_AWAY)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_timer = self.loop.call_later(STOP_SECONDS, self.transport.close)
        self._cut_off_after(2 * STOP_SECONDS)

    def _fail(self, code: CloseCode, reason: str) -> None:
        self.frames = []
        if self.conn.state is State.OPEN:
            self.conn.fail(code, reason)
            self.handle_parser_exception()

    def _end_refused_handshake(self) -> None:
        self.handshake_complete = True
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()

    def _cut_off_after(self, seconds: float) -> None:
        self.loop.call_later(seconds, self.transport.abort)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
