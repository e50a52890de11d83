"""The server's own secret: what makes a stolen database useless for guessing short codes.

Set once at start from the settings, never stored in the database. Everything keyed with it names a purpose,
so that a hash made for one use says nothing about another.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_pepper: bytes | None = None


def use(pepper: bytes) -> None:
    """Set the pepper for this process: at least 32 bytes (NIST SP 800-63B-4 §3.1.1.2 asks for 112 bits or more)."""
    global _pepper
    if len(pepper) < 32:
        raise ValueError("the pepper must have at least 32 bytes")
    _pepper = pepper


def keyed(purpose: str, *parts: bytes) -> bytes:
    """HMAC-SHA256 under the pepper of the purpose and the length-prefixed parts: 32 bytes."""
    message = b"".join(len(part).to_bytes(8, "big") + part for part in (purpose.encode(), *parts))
    return hmac.new(_secret(), message, hashlib.sha256).digest()


def derived(purpose: str) -> bytes:
    """32 bytes for a key of its own (HKDF-SHA256, RFC 5869): from it nobody learns the pepper or another key."""
    return HKDF(SHA256(), length=32, salt=None, info=purpose.encode()).derive(_secret())


def _secret() -> bytes:
    if _pepper is None:
        raise RuntimeError("the pepper is not set; call pepper.use() at start")
    return _pepper
