"""The public keys that an issuer publishes (a JWK set, RFC 7517), as far as they can sign tokens for us.

One key that we cannot use says nothing against the others; a set without any is not taken for the issuer's.
Of each key only the numbers are handed to the library; what it is for (`use`, `key_ops`, `alg`) is looked at here.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key

import limits

# Which keys an algorithm works with. There is no other algorithm: HMAC would make the public key a password, `none`
# needs no key (RFC 8725 §3.1, §3.2). EdDSA is Ed25519 by its older name (RFC 9864).
ALGORITHMS: Mapping[str, str] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
}
_CURVES = {"EC": ("P-256", "P-384", "P-521"), "OKP": ("Ed25519",)}
_NUMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_SECRETS = frozenset({"d", "p", "q", "k", "oth"})
RSA_CHARACTERS = range(342, 1367)  # of the modulus in base64url: 2048 bits (RFC 7518 §3.3) to 8192
KEY_BITS = 2048


class Unusable(Exception):
    """This is no set of keys. The message says why, and nothing of what was received."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`kind` is RSA or a curve, `alg` the one algorithm that the issuer allows, `numbers` what makes it this key."""

    kid: str | None
    alg: str | None
    kind: str
    numbers: tuple[str, ...]
    key: Key = field(compare=False, repr=False)

    def fits(self, kid: str | None, alg: str) -> bool:
        """Whether a token with this header may be signed by it; any key id where the token has none."""
        named = kid is None or self.kid == kid
        return named and ALGORITHMS.get(alg) == self.kind and self.alg in (None, alg)


def read(content: bytes) -> tuple[SigningKey, ...]:
    """Raises Unusable."""
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise Unusable("it is not JSON") from None
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise Unusable('it is not an object with a list "keys"')
    if len(listed) > limits.of("issuer_keys"):
        raise Unusable("it has too many keys")
    keys = tuple(_usable(listed))
    if not keys:
        raise Unusable("it has no key that can sign tokens with an accepted algorithm")
    return keys


def _usable(listed: list[Any]) -> Iterator[SigningKey]:
    for said in listed:
        if isinstance(said, dict) and (key := _signing_key(said)) is not None:
            yield key


def _signing_key(said: dict[str, Any]) -> SigningKey | None:
    kind, kid, alg = _kind(said), said.get("kid"), said.get("alg")
    if kind is None or not _is_for_signatures(said) or not isinstance(kid, str | None):
        return None
    if alg is not None and (not isinstance(alg, str) or ALGORITHMS.get(alg) != kind):
        return None
    numbers = tuple(str(said.get(name, "")) for name in _NUMBERS[said["kty"]])
    key = _imported(said["kty"], numbers)
    return None if key is None else SigningKey(kid, alg, kind, numbers, key)


def _kind(said: dict[str, Any]) -> str | None:
    """RSA or the curve. None of a key that everybody can sign with, because its private part was published."""
    kty, curve = said.get("kty"), said.get("crv")
    if not _SECRETS.isdisjoint(said) or not isinstance(kty, str):
        return None
    if kty == "RSA":
        return "RSA" if isinstance(said.get("n"), str) and len(said["n"]) in RSA_CHARACTERS else None
    return curve if isinstance(curve, str) and curve in _CURVES.get(kty, ()) else None


def _is_for_signatures(said: dict[str, Any]) -> bool:
    operations = said.get("key_ops")
    may_verify = operations is None or (isinstance(operations, list) and "verify" in operations)
    return said.get("use") in (None, "sig") and may_verify


def _imported(kty: str, numbers: tuple[str, ...]) -> Key | None:
    try:
        with warnings.catch_warnings(action="ignore", category=SecurityWarning):  # of short keys, refused below
            key = JWKRegistry.import_key({"kty": kty, **dict(zip(_NUMBERS[kty], numbers, strict=True))})
        too_short = kty == "RSA" and getattr(key.public_key, "key_size", 0) < KEY_BITS
    except (JoseError, ValueError):  # not on the curve, an even exponent, not base64url
        return None
    return None if too_short else key
