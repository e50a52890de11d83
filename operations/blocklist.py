"""Passwords that whoever guesses tries first: the common ones, and what the person says of themselves.

NIST SP 800-63B-4 §3.1.1.2 and OWASP ASVS 5.0 §6.2.4: compare with a list, and ask for no mixture of characters. The
list is zxcvbn's, 30,000 of them, some 11,600 long enough to be chosen here. It is read when the first one is chosen.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Iterable

from errors import InvalidInput

_SERVICE = "sparekey"
_WORD = re.compile(r"[^\W_]+")
SHORTEST_WORD = 2  # a single letter is in every password


async def refuse_guessable(field: str, password: str, own: Iterable[str]) -> None:
    """`own`: the person's name and e-mail address. Raises InvalidInput."""
    folded = password.casefold()
    if folded in await asyncio.to_thread(_common):
        raise InvalidInput(field, "this password is among the first that are guessed; choose another")
    left = functools.reduce(lambda rest, word: rest.replace(word, ""), _words(own), folded)
    if left != folded and not any(map(str.isalpha, left)):
        raise InvalidInput(field, "choose a password that is not made of your name or address")


def _words(own: Iterable[str]) -> list[str]:
    """The longest first, so that none is cut in two."""
    found = {word for text in (*own, _SERVICE) for word in _WORD.findall(text.casefold())}
    return sorted((word for word in found if len(word) >= SHORTEST_WORD), key=len, reverse=True)


@functools.cache
def _common() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # here: 40 ms that no start should wait for

    return frozenset(FREQUENCY_LISTS["passwords"])
