"""Checkpoints: signed statements of where a chain stood, which a practice keeps outside.

A chain that only its own database knows can be cut off at the end, head included, and nothing in it shows that. Who
kept a checkpoint has the service's signature (Ed25519, RFC 8032) under the hash of one event: whatever is before it
follows from that hash, and a chain that no longer holds the event was changed.

The key is derived from the pepper, so that there is no further secret to keep, and is the same in every worker. The
public key is published as a JSON Web Key (RFC 8037), named by its thumbprint (RFC 7638); a practice keeps it, too.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from operations import pepper
from operations.record import canonical, instant

PURPOSE = "sparekey audit checkpoint, Ed25519 seed, 1"
TYPE = "sparekey-audit-checkpoint-1"  # nothing else that this key ever signs begins with it

Key = Mapping[str, str]  # a public one, as JWK


class CheckpointInvalid(Exception):
    """The message says what is wrong with it, without repeating it."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`statement` is the exact text that was signed; everything else that counts is in it."""

    chain_id: UUID
    sequence: int
    hash: str
    at: datetime
    key_id: str
    statement: str
    signature: str


def sign(chain_id: UUID, sequence: int, hash: str, at: datetime) -> Checkpoint:
    """Says that at this instant the chain's last event was this one."""
    key = _key()
    key_id = public_key()["kid"]
    said = {"at": instant(at), "chain": str(chain_id), "hash": hash, "keyId": key_id, "sequence": sequence}
    statement = canonical({**said, "type": TYPE})
    return Checkpoint(chain_id, sequence, hash, at, key_id, statement.decode(), _base64url(key.sign(statement)))


def public_key() -> Key:
    """The key of this service as a JWK."""
    x = _base64url(_key().public_key().public_bytes_raw())
    return {"alg": "EdDSA", "crv": "Ed25519", "kid": _thumbprint(x), "kty": "OKP", "use": "sig", "x": x}


def read(content: bytes, keys: Iterable[Key]) -> Checkpoint:
    """A checkpoint from a file: an object with `statement` and `signature`, whatever else it says.

    Refuses with CheckpointInvalid, first match wins: no such object, a key that is not among these, a signature that is
    not this key's of this text, a text of another kind.
    """
    statement, signature = _parts(content)
    said = _object(statement, "its statement is not JSON")
    key = next((key for key in keys if key.get("kid") == said.get("keyId")), None)
    if key is None:
        raise CheckpointInvalid("it was signed with a key that is not among the keys")
    _verify(key, statement, signature)
    if said.get("type") != TYPE:
        raise CheckpointInvalid("what was signed is not a checkpoint")
    at = datetime.fromisoformat(said["at"])
    chain, sequence, hash = UUID(said["chain"]), int(said["sequence"]), str(said["hash"])
    return Checkpoint(chain, sequence, hash, at, said["keyId"], statement.decode(), _base64url(signature))


def key_set(content: bytes) -> list[Key]:
    """The keys of a JWK set that can have signed a checkpoint. Each is named by its thumbprint, whatever it says."""
    found = _object(content, "the keys are not a JWK set").get("keys")
    if not isinstance(found, list):
        raise CheckpointInvalid("the keys are not a JWK set")
    ours = [key for key in found if isinstance(key, dict) and key.get("crv") == "Ed25519" and key.get("kty") == "OKP"]
    return [{**key, "kid": _thumbprint(str(key.get("x")))} for key in ours]


def _parts(content: bytes) -> tuple[bytes, bytes]:
    found = _object(content, "it is not a JSON object with statement and signature")
    statement, signature = found.get("statement"), found.get("signature")
    if not (isinstance(statement, str) and isinstance(signature, str)):
        raise CheckpointInvalid("it is not a JSON object with statement and signature")
    return statement.encode(), _bytes(signature)


def _verify(key: Key, statement: bytes, signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(_bytes(key["x"])).verify(signature, statement)
    except (InvalidSignature, ValueError):
        raise CheckpointInvalid("its signature is not that of its statement") from None


def _object(content: bytes, otherwise: str) -> dict[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise CheckpointInvalid(otherwise) from None
    if not isinstance(found, dict):
        raise CheckpointInvalid(otherwise)
    return found


def _key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(pepper.derived(PURPOSE))


def _thumbprint(x: str) -> str:
    """RFC 7638: of the required members in their order, without white space (for OKP those of RFC 8037 §2)."""
    return _base64url(hashlib.sha256(orjson.dumps({"crv": "Ed25519", "kty": "OKP", "x": x})).digest())


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise CheckpointInvalid("its signature is not that of its statement") from None
