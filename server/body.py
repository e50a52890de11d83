"""The body of a POST: complete, in time, of bounded size, strict JSON, and a GraphQL request.

What a request may say is the same wherever it says it, so `asked_of` and `json_of` also read addresses
(`query_string.py`).

orjson refuses what must be refused (bad UTF-8, lone surrogates, NaN, nesting beyond 1,024), but reads whole numbers
beyond 64 bits as floating point. They are refused here, because a number must not change on its way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

import limits
from server.http_errors import Code, RequestRejected
from server.last_resort import LAST_RESORT

_LONG_NUMBER = re.compile(rb"[0-9]{19,}")
_WIDEST = range(-(2**63), 2**64)
# What may identify a document (GraphQL over HTTP, appendix on persisted documents). Ours are sha256; one that could be
# another server's is well formed and unknown.
_IDENTIFIER = re.compile(r"sha256:[0-9a-f]{64}|(?:x-[A-Za-z0-9._~-]+:)?[A-Za-z0-9._~-]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """A well-formed GraphQL-over-HTTP request. Its text and variables stay out of its repr, and so out of logs.

    Either `query` or `document_id` is there, never both: of two documents nobody could say which was meant.
    """

    query: str | None = field(repr=False)
    operation_name: str | None
    variables: dict[str, Any] = field(repr=False)
    document_id: str | None = None


class Here:
    """What gives a body that has arrived already: nobody has to be patient with it."""

    async def __call__(self) -> Message:
        raise NotImplementedError

    def whole(self) -> bytes:
        """Instead of asking for it in messages. Raises RequestRejected."""
        raise NotImplementedError


ARRIVED = "sparekey.arrived"  # in the scope, true: the body is here and only has to be asked for


async def read(receive: Receive, content_length: str | None, *, arrived: bool = False) -> bytes:
    """The whole body. Raises RequestRejected (413, 408), or ClientDisconnect when nobody waits for the answer."""
    most = limits.of("body_bytes")
    if content_length is not None and content_length.isascii() and content_length.isdigit():
        _bounded(int(content_length[:18]), most)
    if isinstance(receive, Here):
        content = receive.whole()
        _bounded(len(content), most)
        return content
    if arrived:
        return await _collect(receive, most)
    try:
        return await LAST_RESORT.within(limits.of("body_seconds"), _collect(receive, most))
    except TimeoutError:
        raise too_slow() from None


def too_slow() -> RequestRejected:
    message = f"the body must arrive within {limits.of('body_seconds')} seconds"
    return RequestRejected(408, Code.BODY_TOO_SLOW, message, Connection="close")


async def _collect(receive: Receive, most: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.pop("body", b"")
        _bounded(len(body), most)
        if not message.get("more_body", False):
            return bytes(body)


def _bounded(length: int, most: int) -> None:
    if length > most:
        raise RequestRejected(413, Code.BODY_TOO_LARGE, f"the body may have {most} bytes", Connection="close")


def parse(body: bytes) -> Asked:
    """Raises RequestRejected (400)."""
    content = json_of(body, "the body")
    if isinstance(content, list):
        _refuse("send one request at a time; batches are not supported")
    if not isinstance(content, dict):
        _refuse("the body must be a JSON object")
    return asked_of(content)


def asked_of(content: Mapping[str, Any]) -> Asked:
    """Raises RequestRejected (400). Names that it does not know are ignored, as the specification asks."""
    query, document_id = _document(content)
    operation_name = content.get("operationName")
    variables = content.get("variables")
    if not isinstance(operation_name, str | None):
        _refuse("operationName must be a string")
    if not isinstance(variables, dict | None):
        _refuse("variables must be an object")
    if not isinstance(content.get("extensions"), dict | None):
        _refuse("extensions must be an object")
    return Asked(query, operation_name or None, variables or {}, document_id)


def _document(content: Mapping[str, Any]) -> tuple[str | None, str | None]:
    query, document_id = content.get("query"), content.get("documentId")
    if document_id is None:
        if not isinstance(query, str):
            _refuse("query must be a string, the text of a GraphQL document; or send documentId")
        return query, None
    if query is not None:
        _refuse("send either query or documentId, not both")
    if not isinstance(document_id, str) or not _IDENTIFIER.fullmatch(document_id):
        _refuse("documentId must be the sha256 of a stored document: 64 hexadecimal digits in lower case")
    return None, document_id


def json_of(text: bytes, what: str) -> Any:
    """Raises RequestRejected (400) that names `what` is no JSON."""
    try:
        content = orjson.loads(text)
        if _LONG_NUMBER.search(text):
            json.loads(text, parse_int=_whole_number)
    except ValueError:
        _refuse(f"{what} must be JSON in UTF-8, with numbers of at most 64 bits")
    return content


def _whole_number(digits: str) -> int:
    number = int(digits)
    if number not in _WIDEST:
        raise ValueError
    return number


def _refuse(message: str) -> NoReturn:
    raise RequestRejected(400, Code.BAD_REQUEST, message) from None
