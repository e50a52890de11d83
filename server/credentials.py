"""What a caller shows to say who they are, and that it is one thing.

A session's cookie, or `Authorization: Bearer` with an API key (`spk_…`), an access token (`spt_…`) or the token of a
trusted issuer. Never two at once: of two credentials nobody could say which was meant, and a page that has somebody's
cookie must not act as somebody else (RFC 6750 §2: one method in each request).

    400 two credentials · 401 not a bearer token, or not one that can be ours · 401 unknown, expired, revoked

Unknown, expired, revoked and truncated are one answer (RFC 6750 §3.1). What has not the form of a key, or a wrong
checksum, is found without a query: that tells only what whoever sent it can calculate. There is no budget of wrong
attempts: nobody guesses 256 bits, and an address that is blocked would be a partner's that rotated its keys too late.
A bearer is no browser: it has no cookie, gets none and cannot sign in, out or again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from starlette.datastructures import Headers

import limits
from operations import key_text
from resolvers.credential import Claims, Credential, Kind, of_secret
from resolvers.execution import RequestContext
from server import door
from server.http_errors import Code, RequestRejected

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE | re.ASCII)  # RFC 9110 §11.4, RFC 6750 §2.1
_IS_BEARER = re.compile(r"bearer(?: |$)", re.IGNORECASE | re.ASCII)
REALM = 'Bearer realm="sparekey"'


class Issuers(Protocol):
    """The issuers that the settings trust."""

    async def claims(self, token: str, now: datetime) -> Claims | None:
        """What a token says, once its signature and times were checked; None where it is nobody's, or wrong.

        Raises RequestRejected (503) where that cannot be known now.
        """


@dataclass(frozen=True, slots=True)
class Shown:
    """`cookie`: the value as it was sent. `bearer`: a token that is well formed, so far."""

    cookie: str | None = field(default=None, repr=False)
    bearer: str | None = field(default=None, repr=False)


def shown(headers: Headers, cookie: door.Cookie, *further: str) -> Shown:
    """`further`: what was said as an Authorization elsewhere than in the headers. Raises RequestRejected (400, 401)."""
    sent, said = cookie.read(headers), [*headers.getlist("authorization"), *further]
    if len(said) + (sent is not None) > 1:
        message = "send one credential: the session's cookie or one Authorization header"
        challenge = f'{REALM}, error="invalid_request"'
        raise RequestRejected(400, Code.SEVERAL_CREDENTIALS, message, WWW_Authenticate=challenge)
    return Shown(bearer=_token(said[0])) if said else Shown(cookie=sent)


async def credential(shown: Shown, issuers: Issuers | None, now: datetime) -> Credential | None:
    """What to look for in the database; None for nobody in particular. Raises RequestRejected (401, 503)."""
    if shown.bearer is None:
        return door.session(shown.cookie)
    if shown.bearer.startswith(key_text.KEY):
        return _own(Kind.API_KEY, shown.bearer, key_text.is_key(shown.bearer))
    if shown.bearer.startswith(key_text.TOKEN):
        return _own(Kind.ACCESS_TOKEN, shown.bearer, key_text.is_token(shown.bearer))
    claims = None if issuers is None else await issuers.claims(shown.bearer, now)
    if claims is None:
        raise invalid()
    return of_secret(Kind.ISSUER, shown.bearer, claims)


def is_bearers(credential: Credential | None) -> bool:
    return credential is not None and credential.kind is not Kind.SESSION


def check_known(credential: Credential | None, context: RequestContext) -> None:
    """Who shows a cookie that is over is nobody, and may sign in; a bearer token that opens nothing is refused."""
    if is_bearers(credential) and context.actor is None:
        raise invalid()


def invalid(error: str = ', error="invalid_token"') -> RequestRejected:
    message = "this key or token opens nothing; it is wrong, expired or revoked"
    return RequestRejected(401, Code.BEARER_INVALID, message, WWW_Authenticate=REALM + error)


def _token(said: str) -> str:
    """Of another scheme nothing is said but which one is accepted (RFC 6750 §3.1)."""
    found = _BEARER.fullmatch(said) if len(said) <= limits.of("bearer_characters") else None
    if found is None:
        raise invalid() if _IS_BEARER.match(said) else invalid("")
    return found[1]


def _own(kind: Kind, token: str, is_formed: bool) -> Credential:
    if not is_formed:
        raise invalid()
    return of_secret(kind, token)
