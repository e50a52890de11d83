"""The address that browsers know the site by. Passkeys are made for its domain, and sign for its origin."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from operations.passkey_answer import RelyingParty
from server.database_url import is_loopback

NAME = "Sparekey"
INSTEAD = "write the site's address, as https://keys.example.org, without a path"
_ORIGIN = re.compile(r"https?://[a-z0-9-]+(\.[a-z0-9-]+)*(:[1-9][0-9]{0,4})?")


def origin_of(text: str) -> str | None:
    """The origin in the browser's spelling; None for what is none. Only this machine may do without TLS, as in browsers
    (W3C Secure Contexts §3.1), and an address in numbers is no domain that a passkey can be for."""
    origin = text.strip().rstrip("/").lower()
    host = urlsplit(origin).hostname if _ORIGIN.fullmatch(origin) else None
    if host is None or host.replace(".", "").isdigit() or (origin.startswith("http:") and not is_loopback(host)):
        return None
    default = ":443" if origin.startswith("https:") else ":80"
    return origin.removesuffix(default)


def relying_party(origin: str | None) -> RelyingParty | None:
    """None where nobody has said what the site is called."""
    return RelyingParty(urlsplit(origin).hostname or "", NAME, origin) if origin else None
