"""What people may type into a text field, so that nothing invisible or endless reaches a screen or an audit.

Control characters, line breaks and direction overrides are refused: a name that shows differently from how it
is stored can deceive the practice that reads it on the phone (Unicode TR 36 §2.10, OWASP ASVS 5.0 §2.2.1).
"""

from __future__ import annotations

import re
import unicodedata

from errors import InvalidInput

_JOINERS = "\u200c\u200d"  # zero-width joiners are letters' work in Persian, Hindi and others
_EMAIL = re.compile(  # the HTML standard's valid e-mail address, with at least one dot after the @
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    r"(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+"
)
MOST_TYPED = 4 * 256  # what is longer is no password, however it is normalised
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]{4,29}")
_TAX_ID = re.compile(r"[0-9]{2}-?[0-9]{7}")  # IRS employer identification number


def text(field: str, typed: str, most: int) -> str:
    """A line of text, normalised (NFC) and trimmed: 1 to `most` characters. Raises InvalidInput."""
    line = unicodedata.normalize("NFC", typed).strip() if len(typed) <= 4 * most else typed
    if not line:
        raise InvalidInput(field, "write at least one character")
    if len(line) > most:
        raise InvalidInput(field, f"write at most {most} characters")
    if any(_deceives(character) for character in line):
        raise InvalidInput(field, "remove control characters, line breaks and direction marks")
    return line


def optional(field: str, typed: str | None, most: int) -> str | None:
    """The same for a field that may be left out."""
    return None if typed is None else text(field, typed, most)


def email(field: str, typed: str) -> str:
    """An e-mail address in lower case. Raises InvalidInput."""
    address = text(field, typed, 254).lower()
    if not _EMAIL.fullmatch(address):
        raise InvalidInput(field, "write an e-mail address like name@practice.example")
    return address


def phone(field: str, typed: str) -> str:
    number = text(field, typed, 32)
    if not _PHONE.fullmatch(number):
        raise InvalidInput(field, "write a telephone number in digits, for example +1 555 0100")
    return number


def tax_id(field: str, typed: str) -> str:
    """An employer identification number as NN-NNNNNNN."""
    number = text(field, typed, 10)
    if not _TAX_ID.fullmatch(number):
        raise InvalidInput(field, "write the nine digits of the employer identification number")
    digits = number.replace("-", "")
    return f"{digits[:2]}-{digits[2:]}"


def password(field: str, typed: str) -> str:
    """8 to 256 characters, any of them (OWASP ASVS 5.0 §6.2.1, §6.2.5, §6.2.9), as they are compared. Raises
    InvalidInput.
    """
    chosen = normal_password(typed)
    if not 8 <= len(chosen) <= 256:
        raise InvalidInput(field, "choose a password of 8 to 256 characters")
    return chosen


def normal_password(typed: str) -> str:
    """The same on every keyboard: é as one character or as two (NFKC, NIST SP 800-63B-4 §3.1.1.2)."""
    return typed if len(typed) > MOST_TYPED else unicodedata.normalize("NFKC", typed)


def idempotency_key(typed: str | None) -> str | None:
    return None if typed is None else text("idempotencyKey", typed, 128)


def _deceives(character: str) -> bool:
    category = unicodedata.category(character)
    return category in ("Cc", "Cs", "Zl", "Zp", "Cn", "Co") or (category == "Cf" and character not in _JOINERS)
