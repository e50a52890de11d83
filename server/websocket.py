"""GraphQL over WebSocket: graphql-transport-ws at /graphql, and no other protocol.

    403 origin · 4406 protocol · then messages, in order: 4408 no connection_init in time · 4403 nobody is signed in
    4400 a message that the protocol does not know · 4401 subscribe too early · 4429 a second connection_init, or too
    many sockets · 4409 an id that is in use · 4403 the session is over · 1013 busy · 4500 a bug · 1001 the server stops

Sockets are for people who are signed in, in development, too: signing in and out needs POST, which sets the cookie,
and so does whatever else is open to everybody. A bearer shows a key or token in the handshake's Authorization header
or, because browsers cannot set one there, in `connection_init`: `{"authorization": "Bearer …"}`. Two credentials are
refused as for POST; whatever is wrong with one closes the socket by 4403.

A browser lets any site open a socket and sends the cookie along; the origin is checked as for POST. The handshake
is answered before the session is looked up, so a socket that says nothing costs no statement.

Messages are handled one after the other, and the next one is read from the network only then; an operation runs
beside them. uvicorn sends a ping every 20 seconds and drops who does not answer within 20.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

import limits
from errors import NotSignedIn
from models.connection import PoolExhausted
from resolvers.credential import Credential
from server import credentials, door, faults
from server.answering import Answering
from server.credentials import Issuers
from server.envelope import headers as security_headers
from server.http_errors import Code, RequestRejected, error
from server.metrics import Metrics
from server.request_id import new_id
from server.running import Caller, OpenContext, timely, until_one_ends, watch
from server.shares import Shares
from server.socket_messages import PROTOCOL, Close, Closing, Message, Type
from server.socket_operations import Operations
from server.socket_wire import Gone, Wire

BUSY = "the service is busy; try again"
HEADER = "authorization"


@dataclass(frozen=True, slots=True)
class SocketEndpoint:
    """The ASGI application for WebSockets at /graphql."""

    answering: Answering
    open_context: OpenContext
    clock: Callable[[], datetime]
    cookie: door.Cookie
    issuers: Issuers | None
    origins: frozenset[str]
    metrics: Metrics
    shares: Shares

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        headers = Headers(scope=scope)
        if not door.is_same_site(headers, self.origins):
            await _cross_site(https=not self.cookie.development)(scope, receive, send)
            return
        offered = PROTOCOL in scope["subprotocols"]
        wire = Wire(receive, send)
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL if offered else None})
        if offered:
            await Conversation(self, headers, self._caller(scope), wire).run()
        else:
            await wire.close(Closing(Close.WRONG_PROTOCOL, "Subprotocol not acceptable"))

    def _caller(self, scope: Scope) -> Caller:
        """Nobody yet."""
        address = scope["client"][0] if scope.get("client") else ""
        return Caller(self.open_context, self.clock, None, address, new_id())

    async def credential(self, headers: Headers, init: Message) -> Credential | None:
        """Raises RequestRejected."""
        shown = credentials.shown(headers, self.cookie, *_said(init.payload or {}))
        return await timely(credentials.credential(shown, self.issuers, self.clock()))


class Conversation:
    """One socket after its handshake."""

    def __init__(self, endpoint: SocketEndpoint, headers: Headers, caller: Caller, wire: Wire) -> None:
        self._endpoint = endpoint
        self._headers = headers
        self._caller = caller
        self._wire = wire

    async def run(self) -> None:
        """Until the socket is closed, by whomever. Raises nothing."""
        try:
            await self._converse()
        except Gone:
            pass
        except Closing as closing:
            await self._close(closing)
        except Exception as exception:
            faults.report(exception, self._caller.request_id)
            await self._close(Closing(Close.INTERNAL, "Internal server error"))

    async def _converse(self) -> None:
        await self._identify(await self._await_init())
        holder = self._caller.holder
        if self._endpoint.shares.is_spent(holder):
            raise Closing(Close.TOO_MANY, "Too many sockets of this session")
        with self._endpoint.shares.take(holder):
            await self._wire.tell({"type": "connection_ack"})
            await self._serve()

    async def _await_init(self) -> Message:
        try:
            async with asyncio.timeout(limits.of("socket_init_seconds")):
                while (message := await self._wire.read()).type is not Type.INIT:
                    await self._before_init(message)
                return message
        except TimeoutError:
            raise Closing(Close.INIT_TIMEOUT, "Connection initialisation timeout") from None

    async def _before_init(self, message: Message) -> None:
        if message.type is Type.SUBSCRIBE:
            raise Closing(Close.UNAUTHORIZED, "Unauthorized")
        await self._heard(message)

    async def _identify(self, init: Message) -> None:
        """Find out whose socket this is. Raises Closing."""
        try:
            credential = await self._endpoint.credential(self._headers, init)
            caller = replace(self._caller, credential=credential)
            self._caller = replace(caller, user_id=(await caller.anybody()).user_id)
        except RequestRejected as rejected:
            if rejected.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise Closing(Close.FORBIDDEN, "Forbidden") from None
            raise Closing(Close.TRY_AGAIN_LATER, BUSY) from None
        except PoolExhausted:
            raise Closing(Close.TRY_AGAIN_LATER, BUSY) from None
        if self._caller.user_id is None:
            raise Closing(Close.FORBIDDEN, "Forbidden")

    async def _serve(self) -> None:
        endpoint = self._endpoint
        operations = Operations(endpoint.answering, self._caller, self._wire, endpoint.metrics)
        try:
            watching = watch(self._caller, operations.subscriptions)
            await until_one_ends(self._listen(operations), watching, self._wire.lost())
        except NotSignedIn:
            await self._close(Closing(Close.FORBIDDEN, "Forbidden"))
        except Closing as closing:
            await self._close(closing)
        finally:
            await operations.stop()

    async def _listen(self, operations: Operations) -> None:
        while True:
            message = await self._wire.read()
            if message.type is Type.INIT:
                raise Closing(Close.TOO_MANY, "Too many initialisation requests")
            if message.asked is not None:
                await operations.begin(message.id, message.asked)
            elif message.type is Type.COMPLETE:
                operations.complete(message.id)
            else:
                await self._heard(message)

    async def _heard(self, message: Message) -> None:
        if message.type is Type.PING:
            payload = {"payload": message.payload} if message.payload is not None else {}
            await self._wire.tell({"type": "pong", **payload})

    async def _close(self, closing: Closing) -> None:
        with suppress(Gone):
            await self._wire.close(closing)


def _said(payload: Mapping[str, Any]) -> list[str]:
    """What a client says as its Authorization; its name is read as that of the header. No text is no bearer token."""
    return [value if isinstance(value, str) else "" for name, value in payload.items() if name.lower() == HEADER]


def _cross_site(*, https: bool) -> Response:
    content = orjson.dumps({"errors": [error(Code.CROSS_SITE, "requests from this site's pages are not accepted")]})
    return Response(content, 403, security_headers(https), media_type="application/json; charset=utf-8")
