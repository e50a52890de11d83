"""A practice's record as a file, and the keys that sign its checkpoints.

    GET /practices/{id}/audit.jsonl    JSON Lines; `sparekey audit verify --file` verifies them
    GET /practices/{id}/audit.csv      for a spreadsheet
        since, until                   only events at or after, and before, an instant (RFC 3339)
    GET /.well-known/sparekey-audit-keys.json    a JWK set (RFC 7517), for everybody

    405 method · 403 origin · 400 two credentials · 401 no bearer token that can be one · 400 since or until
    then the context: 401 nobody · 404 unknown or hidden · 403 not permitted · 429 too many at once

The credential, the origins and the permission are those of `practice { auditEvents }`. The file ends with the event
that was the last one when it began. Before each page the caller is asked for again, and the file breaks off, so that no
client takes it for whole, when they may not read it any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from graphql import GraphQLError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from errors import NotFound, Refusal
from models import deadline
from models.connection import Row
from operations.checkpoint import public_key
from resolvers.audit import readable
from resolvers.audit_export import MEDIA_TYPES, export
from resolvers.audit_rows import Span, head
from resolvers.context import Context
from resolvers.execution import RequestFacts
from schema.scalars import SCALARS
from server import answer, credentials, door, media
from server.credentials import Issuers
from server.http_errors import Code, RequestRejected
from server.metrics import OK, Metrics
from server.running import Caller, OpenContext, timely, until_one_ends
from server.shares import Shares

KEYS = "/.well-known/sparekey-audit-keys.json"
KEYS_SECONDS = 3_600  # how long a key set may be kept without asking again


@dataclass(frozen=True, slots=True)
class Downloads:
    open_context: OpenContext
    clock: Callable[[], datetime]
    cookie: door.Cookie
    issuers: Issuers | None
    origins: Collection[str]
    metrics: Metrics
    shares: Shares = field(default_factory=lambda: Shares("exports_per_session"))

    async def respond(self, request: Request, format: str) -> Response:
        try:
            return await self._respond(request, format)
        except ClientDisconnect:
            raise
        except NotFound as hidden:
            found = answer.rejected(RequestRejected(404, hidden.code, str(hidden)))
        except Exception as exception:  # refused, a bug, or no connection to the database: as for every request
            found = answer.failed(exception, str(request.scope["sparekey.request_id"]))
        encoded = found.encoded(media.JSON)
        self.metrics.count_request(encoded.code)
        return encoded.response()

    async def _respond(self, request: Request, format: str) -> Response:
        door.check_origin(request.headers, self.origins)
        shown = credentials.shown(request.headers, self.cookie)
        credential = await credentials.credential(shown, self.issuers, self.clock())
        since, until = _times(request.scope["query_string"])
        address, request_id = request.client.host if request.client else "", str(request.scope["sparekey.request_id"])
        context = await self.open_context(RequestFacts(credential, address, self.clock(), request_id))
        credentials.check_known(credential, context)
        caller = Caller(self.open_context, self.clock, credential, address, request_id, user_id=context.user_id)
        reading = Reading(caller, request.path_params["practice"], f"audit.{format}")
        practice = reading.readable(context)
        if self.shares.is_spent(caller.holder):
            message = "too many exports are running in this session; wait for one to end"
            raise RequestRejected(429, Code.TOO_MANY_OPERATIONS, message, Retry_After="5")
        last = await head(practice)
        pieces = export(Span(practice, since, until), last.sequence if last else 0, format, reading.step)
        return Download(self, caller.holder, pieces, MEDIA_TYPES[format], f"audit-{practice}.{format}")


@dataclass(frozen=True, slots=True)
class Reading:
    """Whoever reads a practice's record, page after page."""

    caller: Caller
    practice: str
    way: str

    def readable(self, context: object) -> UUID:
        return readable(cast(Context, context), self.practice, self.way)

    async def step(self, read: Callable[[], Awaitable[list[Row]]]) -> list[Row]:
        """Raises NotSignedIn, NotFound or NotPermitted once the caller may not read on."""
        self.readable(await self.caller.context(attended=False))
        return await timely(read())


class Download(Response):
    """The answer. `send` waits until the client reads, and so does the source."""

    def __init__(
        self, downloads: Downloads, holder: bytes, pieces: AsyncIterator[bytes], media_type: str, name: str
    ) -> None:
        self.status_code = 200
        self.background = None
        self.media_type = media_type
        self.init_headers({"Content-Disposition": f'attachment; filename="{name}"'})
        self._downloads = downloads
        self._holder = holder
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with deadline.within(None), self._downloads.shares.take(self._holder):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            try:
                if scope["method"] != "HEAD":
                    await until_one_ends(_departure(receive), self._flow(send))
            except Refusal as refusal:
                self._downloads.metrics.count_request(refusal.code)
                return  # an answer without an end, which every client notices
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        self._downloads.metrics.count_request(OK)

    async def _flow(self, send: Send) -> None:
        async for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def routes(downloads: Downloads) -> list[Route]:
    async def json_lines(request: Request) -> Response:
        return await downloads.respond(request, "jsonl")

    async def csv(request: Request) -> Response:
        return await downloads.respond(request, "csv")

    async def keys(request: Request) -> Response:
        kept = {"Cache-Control": f"public, max-age={KEYS_SECONDS}"}
        return Response(orjson.dumps({"keys": [public_key()]}), 200, kept, media_type="application/jwk-set+json")

    return [
        Route("/practices/{practice}/audit.jsonl", json_lines, methods=["GET"]),
        Route("/practices/{practice}/audit.csv", csv, methods=["GET"]),
        Route(KEYS, keys, methods=["GET"]),
    ]


def _times(query_string: bytes) -> tuple[datetime | None, datetime | None]:
    """Raises RequestRejected (400). Names that it does not know are ignored, as at /graphql."""
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise _bad("the address must be percent-encoded UTF-8") from None
    given = [(name, text) for name, text in pairs if name in ("since", "until")]
    if any(count > 1 for count in Counter(name for name, _ in given).values()):
        raise _bad("send since and until once")
    times = {name: _time(name, text) for name, text in given}
    return times.get("since"), times.get("until")


def _time(name: str, text: str) -> datetime:
    parse = SCALARS[datetime].parse_value
    try:
        found = parse(text) if parse else None
    except GraphQLError:
        found = None
    if not isinstance(found, datetime):
        raise _bad(f"write {name} with an offset, percent-encoded, as 2026-03-01T09:30:00Z")
    return found


def _bad(message: str) -> RequestRejected:
    return RequestRejected(400, Code.BAD_REQUEST, message)
