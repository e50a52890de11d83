"""The address of a GET: which stored document, with which variables, as strictly as a body says it.

GET is for stored documents only. An address ends up in histories and in the logs of proxies, so the text of a query,
whose literals may be anything, is not read from there, and no text that a page made up reaches the parser.
Names that are unknown are ignored, as in a body; one of ours that comes twice is refused, because two readers of such
an address (a cache, a proxy, this server) need not agree on which of the two counts.
"""

from __future__ import annotations

from collections import Counter
from typing import NoReturn
from urllib.parse import parse_qsl

from server import body
from server.body import Asked
from server.http_errors import Code, RequestRejected

_OURS = ("documentId", "query", "operationName", "variables", "extensions")
_JSON = ("variables", "extensions")


def parse(query_string: bytes) -> Asked:
    """Raises RequestRejected: 405 where no stored document is named, 400 where the rest is not a request."""
    given = _parameters(query_string)
    if "documentId" not in given:
        message = "send the text of a query by POST; GET is for stored documents, by documentId"
        raise RequestRejected(405, Code.METHOD_NOT_ALLOWED, message, Allow="POST")
    return body.asked_of({name: _value(name, text) for name, text in given.items()})


def names_a_document(query_string: bytes) -> bool:
    return any(part.partition(b"=")[0] == b"documentId" for part in query_string.split(b"&"))


def _parameters(query_string: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        _refuse("the address must be percent-encoded UTF-8")
    ours = [(name, text) for name, text in pairs if name in _OURS]
    for name, count in Counter(name for name, _ in ours).items():
        if count > 1:
            _refuse(f"send {name} once")
    return dict(ours)


def _value(name: str, text: str) -> object:
    """An optional parameter that is empty counts as absent."""
    if name not in _JSON:
        return text
    return body.json_of(text.encode(), name) if text else None


def _refuse(message: str) -> NoReturn:
    raise RequestRejected(400, Code.BAD_REQUEST, message) from None
