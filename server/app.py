"""The ASGI application, put together. Everything it needs is handed in, so that tests hand in their own.

`create_app` reads neither the environment nor the clock; `server/command.py` does, and passes on what it read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from errors import NotFound
from models.tenancy import NOBODY, acting_for
from resolvers.execution import Schema
from resolvers.remembered import Remembered
from server import audit_download, health, oauth
from server import graphiql as graphiql_page
from server import metrics as metrics_page
from server.admission import Admission
from server.answering import Answering
from server.credentials import Issuers
from server.documents import Documents
from server.door import Cookie
from server.early_refusal import EarlyRefusal
from server.envelope import POLICY, Envelope, headers
from server.event_stream import Streams
from server.graphql import Endpoint
from server.health import Ready
from server.http_errors import Code, error
from server.metrics import Metrics
from server.running import OpenContext
from server.same_again import SameAgain
from server.shares import Shares
from server.stored import StoredDocuments
from server.unchanged import Unchanged
from server.websocket import SocketEndpoint


class Application(Starlette):
    """Starlette's, with what can be answered before any of it in front, and a shorter way to where most requests go:
    behind the same middleware, but without looking through the routes and without handlers of others' exceptions."""

    def __init__(
        self,
        *,
        same_again: SameAgain | None,
        busiest: tuple[str, ASGIApp],
        middleware: list[Middleware],
        **options: Any,
    ) -> None:
        super().__init__(middleware=middleware, **options)
        self._same_again = same_again
        self._path, self._busiest = busiest
        for each in reversed(middleware):
            self._busiest = each.cls(self._busiest, *each.args, **each.kwargs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_busiest = scope["type"] == "http" and scope["path"] == self._path
        app = self._busiest if is_busiest else super().__call__
        with acting_for(NOBODY):  # until whoever asks is known
            if is_busiest and self._same_again is not None:
                await self._same_again(scope, receive, send, app)
            else:
                await app(scope, receive, send)


PUBLIC_MUTATIONS = frozenset({"signUp", "signIn", "beginPasskeySignIn", "signInWithPasskey"})


def _now() -> datetime:
    return datetime.now(UTC)


def create_app(
    *,
    schema: Schema,
    open_context: OpenContext,
    ready: Ready,
    development: bool = False,
    graphiql: bool | None = None,
    origins: Collection[str] = (),
    session_absolute_seconds: int = 43_200,
    public_mutations: Collection[str] = PUBLIC_MUTATIONS,
    stored: StoredDocuments | None = None,
    clock: Callable[[], datetime] = _now,
    metrics: Metrics | None = None,
    remembered: Remembered | None = None,
    issuers: Issuers | None = None,
    lifespan: Lifespan[Starlette] | None = None,
) -> Starlette:
    """`development`: plain http, introspection before sign-in, GraphiQL unless `graphiql` says otherwise.

    `origins`: other sites whose pages may call the API with the cookie, such as `https://app.example.org`.
    `issuers`: whose tokens are accepted as bearers', beside our own keys.
    `remembered`: what this worker may answer from while it is unchanged; `open_context` uses the same.
    """
    metrics = metrics or Metrics()
    unchanged = Unchanged(remembered)
    answering = Answering(
        schema=schema,
        documents=Documents(schema.graphql_schema, hide_suggestions=not development),
        stored=stored or StoredDocuments(),
        public_mutations=frozenset(public_mutations),
        open_introspection=development,
    )
    cookie = Cookie(development, session_absolute_seconds)
    endpoint = Endpoint(
        answering=answering,
        open_context=open_context,
        clock=clock,
        cookie=cookie,
        issuers=issuers,
        origins=frozenset(origins),
        metrics=metrics,
        unchanged=unchanged,
        streams=Streams(answering, metrics, Shares("streams_per_session")),
        page=graphiql_page.load() if (development if graphiql is None else graphiql) else None,
    )
    sockets = SocketEndpoint(
        answering=answering,
        open_context=open_context,
        clock=clock,
        cookie=cookie,
        issuers=issuers,
        origins=frozenset(origins),
        metrics=metrics,
        shares=Shares("sockets_per_session"),
    )
    app = Application(
        busiest=("/graphql", endpoint),
        same_again=SameAgain(unchanged, metrics, clock) if unchanged.keeps else None,
        routes=[
            Route("/graphql", endpoint),  # for the slash behind it, and whoever looks through the routes
            WebSocketRoute("/graphql", sockets),
            *health.routes(ready),
            metrics_page.route(metrics),
            *oauth.routes(open_context, clock, https=not development),
            *audit_download.routes(
                audit_download.Downloads(open_context, clock, cookie, issuers, frozenset(origins), metrics)
            ),
        ],
        middleware=[
            Middleware(Envelope, https=not development, digest=lambda: metrics.digest),
            *_cors(origins),
            Middleware(Admission, room=metrics.room),
        ],
        exception_handlers={HTTPException: _no_such_page},
        lifespan=lifespan,
    )
    app.state.early_refusal = EarlyRefusal(metrics.room, headers(https=not development), lambda: metrics.digest)
    return app


def _cors(origins: Collection[str]) -> list[Middleware]:
    """Nothing without a list: then no other site's page may read an answer."""
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", "X-Request-ID"],
            expose_headers=["ETag", "X-Request-ID", "Retry-After", POLICY],
            allow_credentials=True,
        )
    ]


async def _no_such_page(request: Request, exception: Exception) -> Response:
    status = exception.status_code if isinstance(exception, HTTPException) else 500
    headers = exception.headers if isinstance(exception, HTTPException) else None
    known = {404: (NotFound.code, "there is nothing here"), 405: (Code.METHOD_NOT_ALLOWED, "use another method")}
    code, message = known.get(status, (Code.BAD_REQUEST, "this request cannot be answered"))
    content = orjson.dumps({"errors": [error(code, message)]})
    return Response(content, status, headers, media_type="application/json; charset=utf-8")
