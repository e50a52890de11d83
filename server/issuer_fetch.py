"""Getting an issuer's keys over HTTP: where they are (OpenID Connect Discovery 1.0 §4), and what is there.

No redirects: who may move an issuer's address is not whoever answers at it. No environment: a proxy or a .netrc that
somebody set for other programs. Certificates are verified against the machine's own store.
"""

from __future__ import annotations

import asyncio
import re

import httpx2
import orjson

import limits
from server.issuer_key_set import Unusable
from server.issuer_settings import TrustedIssuer

WELL_KNOWN = "/.well-known/openid-configuration"
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?([0-9]{1,9})", re.IGNORECASE)
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "sparekey"}


class Fetcher:
    """`https_only`: also where a discovery document names another address."""

    def __init__(self, *, https_only: bool) -> None:
        self._https_only = https_only
        self._client: httpx2.AsyncClient | None = None

    async def key_set(self, issuer: TrustedIssuer) -> tuple[bytes, int]:
        """The document and for how many seconds it holds. Raises Unusable, with the reason and no content."""
        try:
            async with asyncio.timeout(limits.of("issuer_fetch_seconds")):
                headers, content = await self._get(issuer.jwks_url or await self._discovered(issuer))
        except TimeoutError:
            raise Unusable("there was no answer in time") from None
        return content, _lifetime(headers)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def _discovered(self, issuer: TrustedIssuer) -> str:
        _, content = await self._get(issuer.issuer.removesuffix("/") + WELL_KNOWN)
        try:
            said = orjson.loads(content)
        except orjson.JSONDecodeError:
            raise Unusable("the discovery document is not JSON") from None
        if not isinstance(said, dict) or said.get("issuer") != issuer.issuer:
            raise Unusable("the discovery document is another issuer's")
        if not isinstance(said.get("jwks_uri"), str):
            raise Unusable("the discovery document names no jwks_uri")
        return str(said["jwks_uri"])

    async def _get(self, url: str) -> tuple[httpx2.Headers, bytes]:
        """As it is sent: what is compressed all the same is not JSON."""
        if not url.startswith("https://" if self._https_only else ("https://", "http://")):
            raise Unusable("the address is not https")
        most = limits.of("issuer_fetch_bytes")
        try:
            async with self._opened().stream("GET", url) as response:
                if response.status_code != 200:
                    raise Unusable(f"the answer was {response.status_code}")
                content = b""
                async for piece in response.aiter_raw():
                    content += piece
                    if len(content) > most:
                        raise Unusable("the answer was too long")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as fault:
            raise Unusable(f"it cannot be reached ({type(fault).__name__})") from None
        return response.headers, content

    def _opened(self) -> httpx2.AsyncClient:
        """Made when it is first needed: the certificates of the machine take 20 ms to read."""
        if self._client is None:
            seconds = limits.of("issuer_fetch_seconds")
            self._client = httpx2.AsyncClient(
                headers=_HEADERS, timeout=seconds, follow_redirects=False, trust_env=False
            )
        return self._client


def _lifetime(headers: httpx2.Headers) -> int:
    """What the issuer says, between our bounds (RFC 9111 §5.2.2.1)."""
    said = _MAX_AGE.search(headers.get("cache-control", ""))
    least, most = limits.of("issuer_keys_seconds_least"), limits.of("issuer_keys_seconds_most")
    return max(least, min(int(said[1]) if said else 0, most))
