"""Slow hashing, off the event loop: passwords with argon2id, connect codes with scrypt over the pepper.

Both run in threads behind one small gate each, so that a burst of sign-ins or guesses takes its turn instead
of taking the memory: argon2id uses 64 MiB, scrypt 16 MiB a call.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from operations import pepper
from operations.wording import normal_password

_PASSWORDS = PasswordHasher()  # RFC 9106 §4, second recommended option: 64 MiB, 3 passes, 4 lanes
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = (
    2**14,
    8,
    1,
)  # RFC 7914 §2: 16 MiB; a code also has a pepper, five attempts and ten minutes
_AT_ONCE = 2
_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

Result = TypeVar("Result")


async def hash_password(password: str) -> str:
    """An argon2id hash in PHC format."""
    return await _in_thread(lambda: _PASSWORDS.hash(normal_password(password)))


async def password_matches(password: str, stored: str | None) -> bool:
    """Compare in the same time whether or not there is a password to compare with."""
    return await _in_thread(lambda: _verify(stored or _decoy(), normal_password(password))) and stored is not None


async def renewed(password: str, stored: str) -> str | None:
    """A right password's new hash where `stored` was made with other parameters than today's; None where it was not."""
    return await hash_password(password) if _PASSWORDS.check_needs_rehash(stored) else None


async def hash_code(code: str, salt: bytes) -> bytes:
    """scrypt(HMAC-SHA256(pepper, code), salt): 32 bytes."""
    return await _in_thread(lambda: _scrypt(pepper.keyed("connect code", code.encode()), salt))


async def code_matches(code: str, salt: bytes | None, stored: bytes | None) -> bool:
    """Compare in constant time; without a token the same work is done and the answer is False."""
    computed = await hash_code(code, salt or bytes(16))
    return hmac.compare_digest(computed, stored or secrets.token_bytes(32))


def _verify(stored: str, password: str) -> bool:
    try:
        return _PASSWORDS.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _scrypt(secret: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(secret, salt=salt, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P, dklen=32)


@functools.cache
def _decoy() -> str:
    """A hash of a password that nobody has, so that an unknown e-mail takes as long as a known one."""
    return _PASSWORDS.hash(secrets.token_urlsafe(32))


async def warm_up() -> None:
    """Make the decoy at start: the first unknown e-mail must not take longer than the next."""
    await _in_thread(_decoy)


async def _in_thread(work: Callable[[], Result]) -> Result:
    loop = asyncio.get_running_loop()
    gate = _gates.setdefault(loop, asyncio.Semaphore(_AT_ONCE))
    async with gate:
        return await asyncio.to_thread(work)
