"""The standings that are known under one policy (`authz/outline.py` works them out), and when all of them hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from authz.life import Grant, Status

MOST = 4096  # far above the sorts that live engagements fall into; bounds the memory, not the answers
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

Key: TypeAlias = tuple[object, ...]  # whatever an outline is made of


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """What engagements of one sort are from `since` until before `until`: their status, and each grant with its own.
    Those last reviewed before `overdue_before` are not of this sort."""

    status: Status
    grants: tuple[tuple[Grant, str], ...]
    since: datetime
    until: datetime
    overdue_before: datetime

    def holds(self, now: datetime, oldest_review: datetime) -> bool:
        return self.since <= now < self.until and self.overdue_before <= oldest_review


class Standings(dict[Key, Standing]):
    """`all_hold` is one question instead of one for each: on most pages the answer is yes."""

    _since, _until, _overdue_before = FIRST, LAST, FIRST

    def keep(self, key: Key, found: Standing) -> None:
        """When one does not hold any more, others do not either: midnight is the same for all."""
        if len(self) >= MOST or found.since >= self._until:
            self._forget()
        self[key] = found
        self._since, self._until = max(self._since, found.since), min(self._until, found.until)
        self._overdue_before = max(self._overdue_before, found.overdue_before)

    def all_hold(self, now: datetime, oldest_review: datetime) -> bool:
        return self._since <= now < self._until and self._overdue_before <= oldest_review

    def _forget(self) -> None:
        self.clear()
        self._since, self._until, self._overdue_before = FIRST, LAST, FIRST
