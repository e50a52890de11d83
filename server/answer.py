"""What is answered, before and after it is bytes.

`Answer` is what the door decided; `Encoded` is what goes over the wire, and all of it that does not depend on who
asks: whoever keeps answers keeps these. What is one caller's own (cookie, policy, request id) is added later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import orjson
from starlette.responses import Response

from errors import Refusal
from models.connection import PoolExhausted
from models.deadline import DeadlinePassed
from server import faults, media
from server.http_errors import Code, DocumentRejected, RequestRejected, internal_error, refused_at_the_door
from server.metrics import OK

NONE: Mapping[str, str] = MappingProxyType({})


class Ready(Response):
    """starlette's for bytes; what is said in many answers is encoded once. 304 says nothing of a body."""

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        self.raw_headers = list(map(_line, (headers or NONE).items()))
        if self.status_code != 304:
            self.raw_headers.append((b"content-length", b"%d" % len(self.body)))


@lru_cache(maxsize=256)
def _line(header: tuple[str, str]) -> tuple[bytes, bytes]:
    name, value = header
    return name.lower().encode("latin-1"), value.encode("latin-1")


@dataclass(slots=True)
class Encoded:
    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    code: str
    repeatable: bool = False  # a query's: asking it changed nothing

    @property
    def whole(self) -> bool:
        """Executed without an error in any field."""
        return self.status == 200 and self.code == OK

    def response(self, more: Mapping[str, str] = NONE) -> Response:
        """`more`: one caller's own headers."""
        return Ready(self.body, self.status, {**self.headers, **more})


@dataclass(slots=True)
class Answer:
    status: int
    content: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False

    def encoded(self, kind: str) -> Encoded:
        headers = {**self.headers, "Content-Type": f"{kind}; charset=utf-8"}
        return Encoded(self.status, orjson.dumps(self.content), headers, self._code(), self.repeatable)

    def _code(self) -> str:
        """Of the first error."""
        errors = self.content.get("errors")
        return str(errors[0]["extensions"]["code"]) if errors else OK


def rejected(rejection: RequestRejected) -> Answer:
    return Answer(rejection.status, {"errors": rejection.errors}, rejection.headers)


def not_executed(rejection: DocumentRejected, kind: str) -> Answer:
    cost = {} if rejection.cost is None else {"extensions": {"cost": rejection.cost}}
    return Answer(400 if kind == media.GRAPHQL else 200, {"errors": rejection.errors, **cost})


def failed(exception: Exception, request_id: str) -> Answer:
    """Whatever was raised; what nobody expected is logged and told by its id alone."""
    if isinstance(exception, DeadlinePassed):
        exception = RequestRejected(503, Code.TIMED_OUT, str(exception), Retry_After="1")
    if isinstance(exception, PoolExhausted):
        exception = RequestRejected(503, Code.BUSY, "the service is busy; try again", Retry_After="1")
    if isinstance(exception, Refusal):
        exception = refused_at_the_door(exception)
    if isinstance(exception, RequestRejected):
        return rejected(exception)
    return Answer(500, {"errors": [internal_error(faults.report(exception, request_id))]})
