"""A JSON Web Token in the form that we take (RFC 7519, RFC 7515 §3.1), and whether a key has signed it.

    three segments of base64url · header: an accepted `alg`, `typ` JWT, at+jwt or absent, a short `kid` or none

Refused in a header, though libraries may know what to do with them: `crit` (what we do not understand must be
understood), `jku`, `jwk`, `x5u`, `x5c` (keys that the sender brings), `b64`, `zip`, `enc` (other readings of the same
bytes). RFC 8725 says why for each.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any

import orjson
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry, deserialize_compact

import limits
from server.issuer_key_set import ALGORITHMS, SigningKey

NOT_IN_A_HEADER = frozenset({"crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc"})
TYPES = frozenset({"jwt", "at+jwt"})  # RFC 9068 §2.1; `application/` may stand before it
KID_CHARACTERS = 255
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Shown:
    """A token as it says of itself. Nothing in it is true until `is_signed`."""

    text: str = field(repr=False)
    alg: str
    kid: str | None
    said: dict[str, Any] = field(repr=False)


class _Registry(JWSRegistry):
    """The library's own would accept HMAC and refuse longer headers and keys than some that are in use: Entra's have
    some 130 characters, certificate thumbprints and URLs as key ids make 600; 8192 bits of RSA are 1366."""

    max_header_length = 1_024
    max_signature_length = 1_366

    def get_alg(self, name: str) -> Any:
        return super().get_alg("Ed25519" if name == "EdDSA" else name)


_REGISTRY = _Registry(algorithms=sorted(ALGORITHMS), strict_check_header=False)


def read(token: str) -> Shown | None:
    """None where it has not the form."""
    if len(token) > limits.of("bearer_characters") or not _FORM.fullmatch(token):
        return None
    first, second, _ = token.split(".")
    header, said = _object(first), _object(second)
    if header is None or said is None or not _is_accepted(header):
        return None
    return Shown(token, header["alg"], header.get("kid"), said)


def is_signed(shown: Shown, key: SigningKey) -> bool:
    """With the algorithm of its header, by this key, which fits it; and what it says is what the library read, too: of
    two readers of the same bytes neither may see something else."""
    try:
        signed = deserialize_compact(shown.text, key.key, registry=_REGISTRY)
    except (JoseError, ValueError):
        return False
    return signed.headers().get("alg") == shown.alg and _parsed(signed.payload) == shown.said


def _is_accepted(header: dict[str, Any]) -> bool:
    alg, kid, typ = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not NOT_IN_A_HEADER.isdisjoint(header) or not isinstance(alg, str) or alg not in ALGORITHMS:
        return False
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in TYPES:
        return False
    return kid is None or (isinstance(kid, str) and len(kid) <= KID_CHARACTERS)


def _object(segment: str) -> dict[str, Any] | None:
    try:
        return _parsed(_decoded(segment))
    except ValueError:
        return None


def _parsed(content: bytes) -> dict[str, Any] | None:
    """Raises ValueError."""
    found = orjson.loads(content)
    return found if isinstance(found, dict) else None


def _decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
