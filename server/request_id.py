"""Ids of requests: 128 random bits each. The system is asked for many at a time, because one call each was a fiftieth
of a small request."""

from __future__ import annotations

import os

EACH = 32  # hexadecimal digits
AT_ONCE = 256


class Ids:
    def __init__(self) -> None:
        self._left: list[str] = []
        os.register_at_fork(after_in_child=self._left.clear)  # or two workers would give the same ones

    def new(self) -> str:
        if not self._left:
            digits = os.urandom(EACH // 2 * AT_ONCE).hex()
            self._left += [digits[at : at + EACH] for at in range(0, len(digits), EACH)]
        return self._left.pop()


new_id = Ids().new
