"""GraphQL over HTTP: one request, one answer, to the specification's MUST and SHOULD.

    405 method · 406 Accept · 403 origin
    POST   415 content type · 413, 408 body
    400 two credentials · 401 no bearer token that can be one
    400 not a GraphQL request · GET 405 no documentId
    then the context: who is it? · 401 a bearer token that opens nothing
    document known? · 405 mutation by GET · public? else 401 · valid? · cost · execution

GET is for stored documents, and HEAD is GET without the body, which uvicorn leaves out.

An answer to a document that was not executed has no `data`, and is 400 as `application/graphql-response+json`, 200
as `application/json`. Once execution has begun the status is 200, errors in fields or not. Statuses of the first
lines are the same for both media types, and so is 401: such requests are refused for what they are, not for what
the document says.

A client that likes text/event-stream best gets a stream of results (`event_stream.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from graphql import OperationType
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from resolvers.execution import RequestContext, RequestFacts
from resolvers.remembered import Kept
from server import answer, body, credentials, door, event_stream, graphiql, media, query_string, unchanged
from server.answer import Answer, Encoded
from server.answering import Answering
from server.body import Asked
from server.credentials import Issuers, Shown
from server.envelope import POLICY
from server.event_stream import Streams
from server.heads import HeadedRequest
from server.http_errors import Code, DocumentRejected, RequestRejected, document_rejected
from server.metrics import Metrics
from server.revalidation import revalidated
from server.running import Caller, OpenContext, refuse_a_change_of_session
from server.same_again import KEPT
from server.unchanged import Question, Unchanged

READS = ("GET", "HEAD")
SESSION_ONLY = "signing in, out and again is for people with a cookie; leave the Authorization header away"
SUBSCRIBE = "subscribe over a WebSocket (graphql-transport-ws), or accept text/event-stream"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The ASGI application at /graphql."""

    answering: Answering
    open_context: OpenContext
    clock: Callable[[], datetime]
    cookie: door.Cookie
    issuers: Issuers | None
    origins: frozenset[str]
    metrics: Metrics
    unchanged: Unchanged
    streams: Streams
    page: graphiql.Page | None = field(default=None, repr=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HeadedRequest(scope)
        try:
            response = await self._respond(request, receive)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: HeadedRequest, receive: Receive) -> Response:
        accept = ", ".join(request.headers.getlist("accept"))
        if self.page and _is_for_a_page(request, accept):
            return self.page.response()
        streamed = request.method == "POST" and event_stream.is_wanted(request.headers)
        kind = media.answer_type(accept) or (media.JSON if streamed else None)
        try:
            _check(request.method, kind)
            answering = self._stream if streamed else self._answer
            return await answering(request, receive, kind or media.JSON)
        except RequestRejected as rejection:
            encoded = answer.rejected(rejection).encoded(kind or media.JSON)
            self.metrics.count_request(encoded.code)
            return encoded.response()

    async def _answer(self, request: HeadedRequest, receive: Receive, kind: str) -> Response:
        content = await self._content(request, receive)
        shown = credentials.shown(request.headers, self.cookie)
        question = Question(await self._facts(request, shown), kind, request.method, content)
        kept = self.unchanged.find(question)
        if kept is not None:
            request.scope[KEPT] = question.name
            return self._again(request, kept, kind)
        context, encoded, is_kept = await self._encoded(question)
        if is_kept:
            request.scope[KEPT] = question.name
        self.metrics.count_request(encoded.code)
        if context is None:
            return encoded.response()
        if request.method in READS and encoded.whole and context.actor is not None:
            encoded = revalidated(encoded, request.headers, self.origins)
        return self._with_cookie(encoded.response({POLICY: context.policy_digest}), shown, context)

    def _again(self, request: HeadedRequest, kept: Kept, kind: str) -> Response:
        self.metrics.count_given_again()
        encoded = unchanged.again(kept, kind)
        if request.method in READS:
            encoded = revalidated(encoded, request.headers, self.origins)
        return encoded.response({POLICY: kept.policy_digest})

    async def _encoded(self, question: Question) -> tuple[RequestContext | None, Encoded, bool]:
        """The bytes and headers that depend on who asks by what they may see, and by nothing else; and whether they
        are kept."""
        context: RequestContext | None = None
        facts, kind = question.facts, question.kind
        with self.unchanged.recorded(question) as made:
            try:
                asked = _asked(question)
                context = await self.open_context(facts)
                credentials.check_known(facts.credential, context)
                given = await self._execute(asked, context, question)
            except RequestRejected:
                raise
            except Exception as exception:  # a bug anywhere below is an answer too
                given = answer.failed(exception, facts.request_id)
            encoded = given.encoded(kind)
            is_kept = context is not None and self.unchanged.keep(question, made, context, encoded)
        return context, encoded, is_kept

    async def _stream(self, request: HeadedRequest, receive: Receive, kind: str) -> Response:
        """What is wrong before there is a stream is answered as for every POST."""
        content = await self._content(request, receive)
        shown = credentials.shown(request.headers, self.cookie)
        facts, asked = await self._facts(request, shown), body.parse(content)
        context: RequestContext | None = None
        try:
            context = await self.open_context(facts)
            credentials.check_known(facts.credential, context)
            response: Response = self.streams.open(asked, context, self._caller(facts, context))
        except Exception as exception:
            encoded = answer.failed(exception, facts.request_id).encoded(kind)
            self.metrics.count_request(encoded.code)
            response = encoded.response()
        if context is None:
            return response
        response.headers[POLICY] = context.policy_digest
        return self._with_cookie(response, shown, context)

    def _caller(self, facts: RequestFacts, context: RequestContext) -> Caller:
        given = facts.credential, facts.address, facts.request_id
        return Caller(self.open_context, self.clock, *given, user_id=context.user_id)

    def _with_cookie(self, response: Response, shown: Shown, context: RequestContext) -> Response:
        if shown.bearer is None and (line := self.cookie.change(shown.cookie, context)):
            response.headers.append("Set-Cookie", line)
        return response

    async def _content(self, request: HeadedRequest, receive: Receive) -> bytes:
        door.check_origin(request.headers, self.origins)
        if request.method in READS:
            query: bytes = request.scope["query_string"]
            return query
        door.check_content_type(request.headers)
        return await body.read(receive, request.headers.get("content-length"))

    async def _facts(self, request: HeadedRequest, shown: Shown) -> RequestFacts:
        credential = await credentials.credential(shown, self.issuers, self.clock())
        confirmed = credential is not None and await self.unchanged.confirm()
        request_id: str = request.scope["sparekey.request_id"]
        browser = door.browser(request.headers)
        said = credential, request.address, self.clock(), request_id
        return RequestFacts(*said, browser=browser, confirmed=confirmed, clock=self.clock)

    async def _execute(self, asked: Asked, context: RequestContext, question: Question) -> Answer:
        facts, safe = question.facts, question.method in READS
        try:
            prepared = self.answering.prepare(asked, signed_in=context.actor is not None, safe=safe)
            if credentials.is_bearers(facts.credential):
                refuse_a_change_of_session(prepared, Code.SESSION_ONLY, SESSION_ONLY)
            if prepared.kind is OperationType.SUBSCRIPTION:
                raise document_rejected(Code.OPERATION_NOT_FOUND, SUBSCRIBE)
            content = await self.answering.run(prepared, context, facts.request_id)
            return Answer(200, content, repeatable=prepared.kind is OperationType.QUERY)
        except DocumentRejected as rejected:
            return answer.not_executed(rejected, question.kind)


def _asked(question: Question) -> Asked:
    """Raises RequestRejected."""
    return query_string.parse(question.content) if question.method in READS else body.parse(question.content)


def _is_for_a_page(request: HeadedRequest, accept: str) -> bool:
    """A browser that opens the address, and not a stored document."""
    named = query_string.names_a_document(request.scope["query_string"])
    return request.method in READS and media.accepts_html(accept) and not named


def _check(method: str, kind: str | None) -> None:
    if method != "POST" and method not in READS:
        message = "send GraphQL requests by POST, or stored queries by GET"
        raise RequestRejected(405, Code.METHOD_NOT_ALLOWED, message, Allow="GET, HEAD, POST")
    if kind is None:
        raise RequestRejected(406, Code.NOT_ACCEPTABLE, f"accept {media.GRAPHQL} or {media.JSON}")
