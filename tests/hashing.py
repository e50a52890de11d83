"""Hashes that are slow on purpose, quick in the tests' own process: what is tested is hardly ever how long they take.

Three of four seconds that tests of signing in and of tokens took went into them. A test about the hashes themselves, or
about what may happen while one is computed, asks for `slow_hashes`; and processes of servers hash as in production.
"""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from operations import stretching

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
QUICK_SCRYPT_N = 2
SLOW = stretching._PASSWORDS
SLOW_SCRYPT_N = stretching._SCRYPT_N


def be_quick(patch: pytest.MonkeyPatch) -> None:
    _hash_with(patch, QUICK, QUICK_SCRYPT_N)


def be_slow(patch: pytest.MonkeyPatch) -> None:
    _hash_with(patch, SLOW, SLOW_SCRYPT_N)


def _hash_with(patch: pytest.MonkeyPatch, passwords: PasswordHasher, scrypt_n: int) -> None:
    patch.setattr(stretching, "_PASSWORDS", passwords)
    patch.setattr(stretching, "_SCRYPT_N", scrypt_n)
    stretching._decoy.cache_clear()  # it has to cost what a password costs
