"""GraphQL over HTTP: one POST, one answer, to the specification's MUST and SHOULD.

    405 method · 406 Accept · 415 content type · 403 origin · 413, 408 body · 400 not a GraphQL request
    then the context: who is it? · document known? · public? else 401 · valid? · cost · execution

An answer to a document that was not executed has no `data`, and is 400 as `application/graphql-response+json`, 200
as `application/json`. Once execution has begun the status is 200, errors in fields or not. Statuses of the first
line are the same for both media types, and so is 401: such requests are refused for what they are, not for what
the document says.

A client that likes text/event-stream best gets a stream of results (`event_stream.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from graphql import OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from errors import Refusal
from models.connection import PoolExhausted
from resolvers.execution import RequestContext, RequestFacts
from server import body, door, event_stream, faults, graphiql, media
from server.answering import Answering
from server.body import Asked
from server.envelope import POLICY
from server.event_stream import Streams
from server.http_errors import (
    Code,
    DocumentRejected,
    RequestRejected,
    error,
    internal_error,
    refused_at_the_door,
)
from server.metrics import OK, Metrics
from server.running import Caller, OpenContext


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """Of the first error."""
        errors = self.content.get("errors")
        return str(errors[0]["extensions"]["code"]) if errors else OK

    def response(self, kind: str) -> Response:
        return Response(orjson.dumps(self.content), self.status, self.headers, media_type=f"{kind}; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The ASGI application at /graphql."""

    answering: Answering
    open_context: OpenContext
    clock: Callable[[], datetime]
    cookie: door.Cookie
    origins: frozenset[str]
    metrics: Metrics
    streams: Streams
    page: graphiql.Page | None = field(default=None, repr=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            response = await self._respond(request, receive)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request, receive: Receive) -> Response:
        accept = ", ".join(request.headers.getlist("accept"))
        if self.page and request.method in ("GET", "HEAD") and media.accepts_html(accept):
            return self.page.response()
        kind = media.answer_type(accept) or (media.JSON if event_stream.is_wanted(request.headers) else None)
        try:
            _check(request.method, kind)
            return await self._answer(request, receive, kind or media.JSON)
        except RequestRejected as rejected:
            self.metrics.count_request(str(rejected.errors[0]["extensions"]["code"]))
            return Answer(rejected.status, {"errors": rejected.errors}, rejected.headers).response(kind or media.JSON)

    async def _answer(self, request: Request, receive: Receive, kind: str) -> Response:
        door.check_content_type(request.headers)
        door.check_origin(request.headers, self.origins)
        asked = body.parse(await body.read(receive, request.headers.get("content-length")))
        sent = self.cookie.read(request.headers)
        facts = self._facts(request, sent)
        context: RequestContext | None = None
        try:
            context = await self.open_context(facts)
            if event_stream.is_wanted(request.headers):
                return self._stream(asked, context, facts)
            answer = await self._execute(asked, context, facts.request_id, kind)
        except Exception as exception:  # a bug anywhere below is an answer too
            answer = _failed(exception, facts.request_id)
        self.metrics.count_request(answer.code)
        response = answer.response(kind)
        if context is not None:
            response.headers[POLICY] = context.policy_digest
        if context is not None and (line := self.cookie.change(sent, context)):
            response.headers.append("Set-Cookie", line)
        return response

    def _stream(self, asked: Asked, context: RequestContext, facts: RequestFacts) -> Response:
        given = facts.session_reference, facts.address, facts.request_id
        caller = Caller(self.open_context, self.clock, *given, user_id=context.user_id)
        stream = self.streams.open(asked, context, caller)
        stream.headers[POLICY] = context.policy_digest
        return stream

    def _facts(self, request: Request, sent: str | None) -> RequestFacts:
        address = request.client.host if request.client else ""
        return RequestFacts(door.reference(sent), address, self.clock(), str(request.scope["sparekey.request_id"]))

    async def _execute(self, asked: Asked, context: RequestContext, request_id: str, kind: str) -> Answer:
        try:
            prepared = self.answering.prepare(asked, signed_in=context.actor is not None)
            if prepared.kind is OperationType.SUBSCRIPTION:
                message = "subscribe over a WebSocket (graphql-transport-ws), or accept text/event-stream"
                raise DocumentRejected([error(Code.OPERATION_NOT_FOUND, message)])
            return Answer(200, await self.answering.run(prepared, context, request_id))
        except DocumentRejected as rejected:
            content: dict[str, Any] = {"errors": rejected.errors}
            if rejected.cost is not None:
                content["extensions"] = {"cost": rejected.cost}
            return Answer(400 if kind == media.GRAPHQL else 200, content)


def _check(method: str, kind: str | None) -> None:
    if method != "POST":
        raise RequestRejected(405, Code.METHOD_NOT_ALLOWED, "send GraphQL requests by POST", Allow="POST")
    if kind is None:
        raise RequestRejected(406, Code.NOT_ACCEPTABLE, f"accept {media.GRAPHQL} or {media.JSON}")


def _failed(exception: Exception, request_id: str) -> Answer:
    if isinstance(exception, PoolExhausted):
        exception = RequestRejected(503, Code.BUSY, "the service is busy; try again", Retry_After="1")
    if isinstance(exception, Refusal):
        exception = refused_at_the_door(exception)
    if isinstance(exception, RequestRejected):
        return Answer(exception.status, {"errors": exception.errors}, exception.headers)
    return Answer(500, {"errors": [internal_error(faults.report(exception, request_id))]})
