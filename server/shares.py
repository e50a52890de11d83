"""How many connections that stay one session holds in this worker, so that nobody takes all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import limits


@dataclass(frozen=True, slots=True)
class Shares:
    limit: str  # its name in the table
    _taken: Counter[bytes] = field(default_factory=Counter)

    def is_spent(self, holder: bytes) -> bool:
        return self._taken[holder] >= limits.of(self.limit)

    @contextmanager
    def take(self, holder: bytes) -> Iterator[None]:
        self._taken[holder] += 1
        try:
            yield
        finally:
            self._taken[holder] -= 1
            if not self._taken[holder]:
                del self._taken[holder]
