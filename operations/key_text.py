"""How API keys and access tokens are written, so that a program that searches code and logs for secrets knows one.

    spk_<16 characters that name the key>_<43: 256 random bits><6: checksum>     an API key, 70 characters
    spt_<43: 256 random bits><6: checksum>                                       an access token, 53 characters

All characters are base62. The checksum is the CRC-32 of what stands before it, as in GitHub's tokens: a scanner finds
keys without asking us, and a key that lost a character is refused without asking the database. It proves nothing: the
secret does, and 256 random bits need neither a slow hash nor a budget of wrong attempts (OWASP ASVS 5.0 §11.5.1 asks
for 128). For scanners: `spk_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}` and `spt_[0-9A-Za-z]{49}`.
"""

from __future__ import annotations

import re
import secrets
import string
from typing import Final
from zlib import crc32

KEY: Final = "spk_"
TOKEN: Final = "spt_"  # noqa: S105  (how tokens begin, and none itself)
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
NAME_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 16, 43, 6

_KEY = re.compile(r"spk_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}")
_TOKEN = re.compile(r"spt_[0-9A-Za-z]{49}")


def new_prefix() -> str:
    """What names a key and may be shown: 20 characters."""
    return KEY + "".join(secrets.choice(ALPHABET) for _ in range(NAME_LENGTH))


def key_of(prefix: str, secret: bytes) -> str:
    """The text of the key of this name with these 32 secret bytes."""
    return _checked(f"{prefix}_{_base62(int.from_bytes(secret, 'big'), SECRET_LENGTH)}")


def new_token() -> str:
    return _checked(TOKEN + _base62(secrets.randbits(256), SECRET_LENGTH))


def is_key(text: str) -> bool:
    """Whether this can be a key at all."""
    return _KEY.fullmatch(text) is not None and _is_checked(text)


def is_token(text: str) -> bool:
    return _TOKEN.fullmatch(text) is not None and _is_checked(text)


def _checked(text: str) -> str:
    return text + _base62(crc32(text.encode()), CHECKSUM_LENGTH)


def _is_checked(text: str) -> bool:
    return _checked(text[:-CHECKSUM_LENGTH]) == text


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
