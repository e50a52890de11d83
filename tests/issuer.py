"""An issuer as there are many: it signs tokens and serves its keys over real HTTP. It can be told to misbehave.

Tokens are put together by hand and signed by `cryptography`, not by the library that checks them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from server.issuer_settings import TrustedIssuer
from server.issuers import TrustedIssuers
from tests.http_door import NOW

AUDIENCE = "sparekey"
SUBJECT = "7d9f2c4a"
HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES: dict[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
CURVE_NAMES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
BOTH_NAMES = ("EdDSA", "Ed25519")
ALL = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", *CURVES, *BOTH_NAMES)


@cache
def private_key(alg: str, place: str = "") -> Any:
    """One for each algorithm and place: making one of RSA takes a tenth of a second."""
    if alg[:2] in ("RS", "PS"):
        return rsa.generate_private_key(65537, 2048) if alg == "RS256" else private_key("RS256", place)
    return Ed25519PrivateKey.generate() if alg in BOTH_NAMES else ec.generate_private_key(CURVES[alg])


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def of_json(content: Any) -> str:
    return b64(orjson.dumps(content))


def number(value: int, size: int = 0) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def jwk(alg: str, kid: str | None = "one", place: str = "", **more: Any) -> dict[str, Any]:
    """The public key as it is published."""
    public = private_key(alg, place).public_key()
    said: dict[str, Any] = {"use": "sig", "alg": alg} | ({} if kid is None else {"kid": kid})
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return said | {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)} | more
    if isinstance(public, ec.EllipticCurvePublicKey):
        size, point = (public.key_size + 7) // 8, public.public_numbers()
        where = {"x": number(point.x, size), "y": number(point.y, size)}
        return said | {"kty": "EC", "crv": CURVE_NAMES[alg], **where} | more
    return said | {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw())} | more


def signature(alg: str, text: bytes, place: str = "") -> bytes:
    key = private_key(alg, place)
    if alg in BOTH_NAMES:
        return bytes(key.sign(text))
    if alg in CURVES:
        r, s = decode_dss_signature(key.sign(text, ec.ECDSA(HASHES[alg[2:]])))
        size = (key.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    salted = padding.PSS(padding.MGF1(HASHES[alg[2:]]), HASHES[alg[2:]].digest_size)
    return bytes(key.sign(text, padding.PKCS1v15() if alg[0] == "R" else salted, HASHES[alg[2:]]))


def token(header: Mapping[str, Any], claims: Any, sign: Callable[[bytes], bytes]) -> str:
    text = f"{of_json(header)}.{claims if isinstance(claims, str) else of_json(claims)}"
    return f"{text}.{b64(sign(text.encode()))}"


@dataclass
class Issuer:
    """`keys` is what it serves. `answer` makes it answer otherwise: status, headers, body."""

    url: str
    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk("ES256")])
    answer: tuple[int, dict[str, str], bytes] | None = None
    max_age: int | None = 600
    pause: float = 0
    discovery: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def fetches(self) -> int:
        return self.asked.count("/keys")

    def claims(self, now: datetime = NOW, **changes: Any) -> dict[str, Any]:
        """Of a good token. A change to None takes a claim out."""
        at = int(now.timestamp())
        said = {"iss": self.url, "sub": SUBJECT, "aud": AUDIENCE, "iat": at, "exp": at + 300} | changes
        return {name: value for name, value in said.items() if value is not None}

    def token(
        self, now: datetime = NOW, *, alg: str = "ES256", place: str = "", header: Any = None, **changes: Any
    ) -> str:
        whole = {"alg": alg, "typ": "JWT", "kid": "one"} | (header or {})
        whole = {name: value for name, value in whole.items() if value is not None}
        return token(whole, self.claims(now, **changes), lambda text: signature(alg, text, place))

    def trusted(self, **changes: Any) -> TrustedIssuer:
        return TrustedIssuer(**{"issuer": self.url, "audience": AUDIENCE} | changes)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            self.asked.append(path)
            await asyncio.sleep(self.pause)
            status, headers, body = self._answer(path)
            lines = [f"HTTP/1.1 {status} Answer", "Connection: close", f"Content-Length: {len(body)}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            await writer.drain()
        writer.close()

    def _answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        if path == "/.well-known/openid-configuration":
            said = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | self.discovery
            return 200, {}, orjson.dumps(said)
        caching = {} if self.max_age is None else {"Cache-Control": f"public, max-age={self.max_age}"}
        return self.answer or (200, caching, orjson.dumps({"keys": self.keys}))


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Issuer]:
    issuer = Issuer("")
    server = await asyncio.start_server(issuer.serve, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield issuer
    finally:
        server.close()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def trusting(*trusted: TrustedIssuer, https_only: bool = False) -> AsyncIterator[TrustedIssuers]:
    issuers = TrustedIssuers(trusted, https_only=https_only)
    try:
        yield issuers
    finally:
        await issuers.stop()
