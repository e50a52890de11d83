"""Everything that can go wrong in a request, as GraphQL errors: one closed list of codes, one shape.

Three kinds, and HTTP tells them apart:
- `RequestRejected`: not a GraphQL request, or not from somebody who may send it. A 4xx status, always.
- `DocumentRejected`: a GraphQL request that is not executed (GraphQL's "request error"). 400 and no `data` as
  `application/graphql-response+json`; 200 as `application/json`, where the specification keeps other statuses for
  what did not reach the server.
- field errors: execution began, so the status is 200 and the answer may be partial.

A refusal in a field without a union keeps its code, message and fields. Everything unexpected becomes "internal
error" with an id, is logged once (`faults.py`), and tells nothing else.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from graphql import GraphQLError

import limits
from errors import NotSignedIn, RateLimited, Refusal
from models.connection import PoolExhausted
from models.deadline import DeadlinePassed
from server import faults, redaction

ErrorBody = dict[str, Any]


class Code(enum.StrEnum):
    """The codes that are not refusals' own."""

    BAD_REQUEST = "BAD_REQUEST"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    HEADERS_TOO_LARGE = "HEADERS_TOO_LARGE"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    BODY_TOO_SLOW = "BODY_TOO_SLOW"
    CROSS_SITE = "CROSS_SITE"
    SEVERAL_CREDENTIALS = "SEVERAL_CREDENTIALS"
    BEARER_INVALID = "BEARER_INVALID"
    SESSION_ONLY = "SESSION_ONLY"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    DOCUMENT_TOO_EXPENSIVE = "DOCUMENT_TOO_EXPENSIVE"
    OPERATION_NOT_FOUND = "OPERATION_NOT_FOUND"
    # Not Apollo's PERSISTED_QUERY_NOT_FOUND, upon which its clients send the text for the server to keep.
    PERSISTED_DOCUMENT_NOT_FOUND = "PERSISTED_DOCUMENT_NOT_FOUND"
    PERSISTED_DOCUMENT_REQUIRED = "PERSISTED_DOCUMENT_REQUIRED"
    USE_POST = "USE_POST"
    TOO_MANY_OPERATIONS = "TOO_MANY_OPERATIONS"
    INVALID_VARIABLES = "INVALID_VARIABLES"
    BUSY = "BUSY"
    TIMED_OUT = "TIMED_OUT"
    INTERNAL = "INTERNAL"


def _refusal_codes(root: type[Refusal]) -> Iterable[str]:
    for child in root.__subclasses__():
        yield child.code
        yield from _refusal_codes(child)


CODES = frozenset(Code) | frozenset(_refusal_codes(Refusal))


class RequestRejected(Exception):
    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.errors = [error(code, message)]
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class DocumentRejected(Exception):
    def __init__(self, errors: Sequence[ErrorBody], cost: int | None = None) -> None:
        super().__init__(errors[0]["message"])
        self.errors = list(errors)
        self.cost = cost


def error(code: str, message: str, **more: Any) -> ErrorBody:
    """`more`: locations and path."""
    return {"message": redaction.bounded(message), **more, "extensions": {"code": str(code)}}


def document_rejected(code: Code, message: str) -> DocumentRejected:
    return DocumentRejected([error(code, message)])


def located(code: str, message: str, source: GraphQLError) -> ErrorBody:
    places = source.formatted.get("locations")
    return error(code, message, **({"locations": places} if places else {}))


def refused_at_the_door(refusal: Refusal) -> RequestRejected:
    """A refusal before there is a field that could answer it."""
    if isinstance(refusal, NotSignedIn):
        return RequestRejected(401, refusal.code, str(refusal), WWW_Authenticate='Cookie realm="sparekey"')
    if isinstance(refusal, RateLimited):
        return RequestRejected(
            429, refusal.code, str(refusal), Retry_After=str(refusal.fields.get("retry_after_seconds", 1))
        )
    return RequestRejected(403, refusal.code, str(refusal))


def invalid_variables(found: Sequence[GraphQLError]) -> DocumentRejected:
    bodies = [located(Code.INVALID_VARIABLES, redaction.about_a_value(each.message), each) for each in found]
    return DocumentRejected(bodies[: limits.of("errors_returned")])


def field_errors(found: Sequence[GraphQLError], request_id: str) -> list[ErrorBody]:
    """The errors of an execution as the client may see them. One exception met in many fields is logged once."""
    most = limits.of("errors_returned")
    fault_ids: dict[int, str] = {}
    bodies: list[ErrorBody] = []
    for each in found:
        expected = _expected(each)
        if expected is None:
            expected = _internal(each, request_id, fault_ids, most)
        if len(bodies) < most:
            bodies.append(_placed(expected, each))
    return bodies


def _expected(found: GraphQLError) -> ErrorBody | None:
    original = found.original_error
    if isinstance(original, DeadlinePassed):
        return error(Code.TIMED_OUT, str(original))
    if isinstance(original, PoolExhausted):
        return error(Code.BUSY, "the service is busy; try again")
    if isinstance(original, Refusal):
        body = error(original.code, str(original))
        body["extensions"] |= extension_fields(original.fields)
        return body
    if (original is None or isinstance(original, GraphQLError)) and redaction.is_about_an_argument(found.message):
        return error(Code.INVALID_VARIABLES, redaction.about_a_value(found.message))
    return None


def _internal(found: GraphQLError, request_id: str, fault_ids: dict[int, str], most: int) -> ErrorBody:
    exception = found.original_error or found
    if id(exception) not in fault_ids:
        known = len(fault_ids) < most  # a list of failing fields must not flood the log
        fault_ids[id(exception)] = faults.report(exception, request_id, found.path or ()) if known else ""
    return internal_error(fault_ids[id(exception)])


def internal_error(fault_id: str) -> ErrorBody:
    body = error(Code.INTERNAL, "internal error")
    body["extensions"]["id"] = fault_id
    return body


def _placed(body: ErrorBody, found: GraphQLError) -> ErrorBody:
    formatted: Mapping[str, Any] = {**found.formatted}
    places = {key: formatted[key] for key in ("locations", "path") if key in formatted}
    return {"message": body["message"], **places, "extensions": body["extensions"]}


def extension_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A refusal's fields in the API's spelling. What JSON cannot say is left out."""
    said = ((_camel(name), _as_json(value)) for name, value in fields.items())
    return {name: value for name, value in said if value is not None and name != "code"}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _as_json(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return _as_json(value.value)
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, date):  # datetime is one
        return value.isoformat()
    if isinstance(value, list | tuple | set | frozenset):
        return [_as_json(each) for each in value]
    return None
