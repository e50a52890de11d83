"""What goes on every answer, whoever gives it: security headers, the request's id, the policy; and the last catch.

Plain ASGI around the whole application, because starlette's `BaseHTTPMiddleware` costs a task and a queue for each
request and breaks cancellation. A header that an answer sets itself is left as it is (GraphiQL has its own CSP).

The headers are those of OWASP ASVS 5.0, V3.4.1 to V3.4.8 but for CORS (`app.py`), and of V3.5.8: no other site's page
may load an answer as an image or a script, which is how answers are guessed at. `Permissions-Policy` says something to
documents only, and the only one is GraphiQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import chain

import orjson
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import limits
from server import faults, heads
from server.http_errors import Code, ErrorBody, error, internal_error
from server.request_id import new_id

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

SECURITY: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
POLICY = "Sparekey-Policy"  # the digest of the set by which the answer was decided
REQUEST_ID, POLICY_NAME = b"x-request-id", POLICY.lower().encode()
HSTS = "max-age=63072000; includeSubDomains"


def headers(https: bool) -> Mapping[str, str]:
    return {**SECURITY, "Strict-Transport-Security": HSTS} if https else SECURITY


class Envelope:
    def __init__(self, app: ASGIApp, *, https: bool, digest: Callable[[], str]) -> None:
        self._app = app
        self._digest = digest
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers(https).items()]
        self._names = {name for name, _ in self._headers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["sparekey.request_id"] = _id_of(heads.of(scope))
        started = False

        async def send_complete(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._complete(message, request_id)
            await send(message)

        try:
            await self._within_limits(scope)(scope, receive, send_complete)
        except Exception as exception:
            fault_id = faults.report(exception, request_id)
            if not started:
                await _answer(500, internal_error(fault_id))(scope, receive, send_complete)

    def _within_limits(self, scope: Scope) -> ASGIApp:
        """The application, or the refusal of headers that are too long (not every HTTP parser has a limit)."""
        size = sum(map(len, chain.from_iterable(scope["headers"]))) + len(scope.get("query_string", b""))
        if size <= limits.of("header_bytes"):
            return self._app
        return _answer(431, error(Code.HEADERS_TOO_LARGE, "send shorter headers"), Connection="close")

    def _complete(self, message: Message, request_id: str) -> None:
        """What the answer says itself stays, but for the request's id."""
        given = list(message.get("headers", ()))
        names = {name for name, _ in given}
        if REQUEST_ID in names:
            given = [header for header in given if header[0] != REQUEST_ID]
        plain = names.isdisjoint(self._names)
        given += self._headers if plain else [header for header in self._headers if header[0] not in names]
        given.append((REQUEST_ID, request_id.encode()))
        if POLICY_NAME not in names and (digest := self._digest()):
            given.append((POLICY_NAME, digest.encode()))
        message["headers"] = given


def _id_of(headers: heads.Heads) -> str:
    """The caller's own id where it is harmless in a log, otherwise a new one."""
    given = headers.get("x-request-id")
    return given if given and _REQUEST_ID.fullmatch(given) else new_id()


def _answer(status: int, body: ErrorBody, **headers: str) -> Response:
    content = orjson.dumps({"errors": [body]})
    return Response(content, status, headers, media_type="application/json; charset=utf-8")
