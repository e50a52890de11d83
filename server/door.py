"""Who is at the door: content type, origin, credential. Everything here is decided before the body is read.

CSRF. A browser sends the session cookie along with requests that other sites make. Two walls: only
`Content-Type: application/json` is read, which a form cannot send, and a request that a browser marks as coming
from elsewhere (`Origin`, `Sec-Fetch-Site`) is refused unless its origin is on the list of the settings. That holds
with and without a cookie, so that nobody can be signed in to somebody else's account either. Clients that are not
browsers send neither header.

The cookie is `__Host-sparekey` (Secure, HttpOnly, SameSite=Lax, Path=/): the prefix makes browsers refuse it from
subdomains and over http. In development the server speaks plain http, over which browsers and HTTP clients do not
return Secure cookies, so there it is `sparekey`, without Secure. A browser sends one cookie of that name; what looks
like several, or like the name with something beside it, was put there by somebody else and makes nobody of the caller.
(OWASP ASVS 5.0: V3.3 for the cookie, V3.5.1 to V3.5.3 for requests that other sites make.)
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from starlette.datastructures import Headers

import limits
from resolvers.credential import Credential, of_session
from resolvers.execution import ENDED, RequestContext
from server import media
from server.http_errors import Code, RequestRejected

_REFERENCE = re.compile(r"[A-Za-z0-9_-]+")
_ORIGIN = re.compile(r"https?://([a-z0-9.:\[\]_-]+)")  # nothing before the host (user@) nor behind the port


@dataclass(frozen=True, slots=True)
class Cookie:
    development: bool
    seconds: int  # a session's absolute life; the server is the one to end it, the browser only forgets it

    @property
    def name(self) -> str:
        return "sparekey" if self.development else "__Host-sparekey"

    def set(self, reference: str) -> str:
        return self._line(reference, self.seconds)

    def clear(self) -> str:
        return self._line("", 0)

    def _line(self, value: str, seconds: int) -> str:
        secure = "" if self.development else "; Secure"
        return f"{self.name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"

    def read(self, headers: Headers) -> str | None:
        """What the client sent, whatever it is; None when it sent no cookie of ours, "" when it sent several values.

        The name is compared as it stands. Libraries also strip what Unicode calls a space, and so take a cookie that
        a subdomain may set (`\\xa0__Host-sparekey`) for the one that it may not.
        """
        ours, values = self.name, set()
        for line in headers.getlist("cookie"):
            for pair in line.split(";"):
                name, _, value = pair.strip(" \t").partition("=")
                if name == ours:
                    values.add(value)
        return values.pop() if len(values) == 1 else "" if values else None

    def change(self, sent: str | None, context: RequestContext) -> str | None:
        """The Set-Cookie line that brings the client's cookie in line with its session."""
        changed = context.session_change
        if changed is ENDED:
            return self.clear()
        if isinstance(changed, str):
            return self.set(changed)
        return self.clear() if sent is not None and context.actor is None else None


def session(sent: str | None) -> Credential | None:
    """The session of a cookie's value, where that can be one of ours at all."""
    if sent is None or len(sent) > limits.of("session_reference_characters"):
        return None
    return of_session(sent) if _REFERENCE.fullmatch(sent) else None


def check_content_type(headers: Headers) -> None:
    types = headers.getlist("content-type")
    encoded = headers.get("content-encoding", "identity").strip().lower() != "identity"
    if len(types) != 1 or encoded or not media.is_json(types[0]):
        message = "send Content-Type: application/json, in UTF-8 and not compressed"
        raise RequestRejected(415, Code.UNSUPPORTED_MEDIA_TYPE, message, Accept_Post=media.JSON)


def check_origin(headers: Headers, allowed: Collection[str]) -> None:
    if not is_same_site(headers, allowed):
        raise RequestRejected(403, Code.CROSS_SITE, "requests from this site's pages are not accepted")


def is_same_site(headers: Headers, allowed: Collection[str]) -> bool:
    origins = headers.getlist("origin")
    if len(origins) == 1 and origins[0] in allowed:
        return True
    # The scheme is not compared: behind a proxy that ends TLS it is not known here. The host is enough, because
    # it is the browser that writes both headers.
    if origins and not (len(origins) == 1 and _host(origins[0]) == headers.get("host", "").lower()):
        return False
    return all(site.lower() in ("same-origin", "none") for site in headers.getlist("sec-fetch-site"))


def _host(origin: str) -> str | None:
    """Host and port of an origin; None for `null` and for whatever no browser writes."""
    found = _ORIGIN.fullmatch(origin.lower())
    return found[1] if found else None


def browser(headers: Headers) -> str:
    """What the client calls itself, to be shown to whoever signed in with it: at most 200 printable characters."""
    return _printable(headers.get("user-agent", ""))


@lru_cache(maxsize=256)
def _printable(text: str) -> str:
    return "".join(filter(str.isprintable, text))[:200]
