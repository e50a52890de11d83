"""How a connect token is written and spoken, made for the telephone.

Letters are a handle, not a secret: four of the twenty consonants of RFC 8628 §6.1, which spell no words and
are hard to confuse. A code is eleven random digits and a Damm check digit, shown 4-4-4: the check digit
catches every single wrong digit and every swap of neighbours before an attempt is spent.
"""

from __future__ import annotations

import re
import secrets

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
LETTERS = 4
DIGITS = 12

ICAO_WORDS = {
    word[0]: word
    for word in [
        "Bravo",
        "Charlie",
        "Delta",
        "Foxtrot",
        "Golf",
        "Hotel",
        "Juliett",
        "Kilo",
        "Lima",
        "Mike",
        "November",
        "Papa",
        "Quebec",
        "Romeo",
        "Sierra",
        "Tango",
        "Victor",
        "Whiskey",
        "X-ray",
        "Zulu",
    ]
}

# The order-10 quasigroup of H. M. Damm's thesis (2004): weakly totally anti-symmetric, zeros on the diagonal.
_QUASIGROUP = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)


def spoken(letters: str) -> list[str]:
    """The ICAO spelling words of token letters, one for each."""
    return [ICAO_WORDS[letter] for letter in letters]


def new_letters() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LETTERS))


def check_digit(digits: str) -> str:
    """The Damm digit of these digits; of digits that end in their own check digit it is 0."""
    interim = "0"
    for digit in digits:
        interim = _QUASIGROUP[int(interim)][int(digit)]
    return interim


def shown(code: str) -> str:
    """A code as it is read out: three groups of four."""
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"


def typed_letters(text: str) -> str:
    """Letters as somebody typed them, or "" where no token can be named so: case, spaces and dashes do not count."""
    letters = _without_separators(text).upper()
    return letters if len(letters) == LETTERS and set(letters) <= set(ALPHABET) else ""


def typed_code(text: str) -> str | None:
    """A code as somebody typed it, or None where it cannot be one: wrong length or wrong check digit."""
    code = _without_separators(text)
    well_formed = re.fullmatch(rf"[0-9]{{{DIGITS}}}", code)
    return code if well_formed and check_digit(code) == "0" else None


def _without_separators(text: str) -> str:
    """At most 64 characters are looked at: nobody reads out more."""
    return re.sub(r"[\s.\u002d\u2010-\u2015]", "", text[:64])
