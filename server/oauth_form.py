"""What a client sends to the token endpoint: a form, and who it says it is (RFC 6749 §2.3.1, §3.2).

The secret is taken out here. What is handed on to the library, and so what it may write into a log, holds none.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote_plus, urlencode

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response

FORM = "application/x-www-form-urlencoded"
FIELDS = 20  # a request has four; the rest is other people's extensions, which are ignored
REALM = 'Basic realm="sparekey"'
_BASIC = re.compile(r"basic +([A-Za-z0-9+/]+={0,2})", re.IGNORECASE | re.ASCII)
_PASSED_ON = ("grant_type", "scope")
_NEVER_TWICE = ("client_id", "client_secret")


class OAuthRefused(Exception):
    """An error of RFC 6749 §5.2."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status, self.error = status, error

    def response(self) -> Response:
        challenge = {"WWW-Authenticate": REALM} if self.status == 401 else {}
        content = {"error": self.error, "error_description": str(self)}
        return answer(self.status, content, **challenge)


@dataclass(frozen=True, slots=True)
class Asked:
    client_id: str
    secret: str = field(repr=False)
    body: str  # what is left of the form for the library: no secret


def answer(status: int, content: Mapping[str, object], **headers: str) -> Response:
    """Nothing of it is to be kept (RFC 6749 §5.1)."""
    given = {"Cache-Control": "no-store", "Pragma": "no-cache", **headers}
    given = {name.replace("_", "-"): value for name, value in given.items()}
    return Response(orjson.dumps(content), status, given, media_type="application/json")


def invalid_client() -> OAuthRefused:
    return OAuthRefused(401, "invalid_client", "client_id and client_secret open nothing; they are wrong or over")


def invalid_request(description: str, status: int = 400) -> OAuthRefused:
    return OAuthRefused(status, "invalid_request", description)


def check_type(headers: Headers) -> None:
    types = headers.getlist("content-type")
    if len(types) != 1 or types[0].partition(";")[0].strip().lower() != FORM or "content-encoding" in headers:
        raise invalid_request(f"send Content-Type: {FORM}, not compressed")


def read(headers: Headers, content: bytes) -> Asked:
    """Refuses, first match wins: invalid_request (no form, a field twice, two ways to say who), invalid_client."""
    pairs = _pairs(content)
    names = Counter(name for name, _ in pairs)
    if any(names[name] > 1 for name in _NEVER_TWICE):
        raise invalid_request("send each field once")
    form, said = dict(pairs), headers.getlist("authorization")
    if len(said) + ("client_secret" in form) > 1:
        raise invalid_request("say who you are in one way: Basic, or client_id and client_secret in the form")
    if not said and "client_secret" not in form:
        raise invalid_client()
    client_id, secret = _basic(said[0]) if said else (form.get("client_id", ""), form["client_secret"])
    if form.get("client_id", client_id) != client_id:
        raise invalid_client()
    return Asked(client_id, secret, urlencode([pair for pair in pairs if pair[0] in _PASSED_ON]))


def _pairs(content: bytes) -> list[tuple[str, str]]:
    """A field without a value counts as left out (RFC 6749 §3.2)."""
    try:
        return parse_qsl(content.decode("ascii"), max_num_fields=FIELDS, errors="strict")
    except ValueError:
        raise invalid_request(f"the form must be {FORM}, in UTF-8, with at most {FIELDS} fields") from None


def _basic(said: str) -> tuple[str, str]:
    """Both parts are form-encoded inside (RFC 6749 §2.3.1)."""
    found = _BASIC.fullmatch(said)
    try:
        text = base64.b64decode(found[1], validate=True).decode() if found else ""
    except ValueError:
        text = ""
    client_id, _, secret = text.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)
