"""What was worked out from rows, kept until one of them changes: a value, what it was read from, until when it holds.

Nothing is kept by accident. Whoever works something out does it under a `Recording`; a read that does not say what
it depends on, and a look at the clock that does not say until when its result holds, spoil the recording, and what is
spoiled is not kept. So a new query is slow until somebody has said what it reads, and never wrong.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeAlias, TypeVar
from uuid import UUID

Key: TypeAlias = tuple[str, UUID]  # rows of a table by one column: ("engagements.practice_id", …)
Value = TypeVar("Value")

FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True, eq=False)
class Recording:
    """What a result depends on: rows by key, and until when it would be the same. `changed` grows while it runs."""

    keys: set[Key] = field(default_factory=set)
    until: datetime = FOREVER
    spoiled: bool = False
    changed: set[Key] = field(default_factory=set)

    @property
    def sound(self) -> bool:
        return not self.spoiled and self.changed.isdisjoint(self.keys)

    def hold(self, until: datetime) -> None:
        self.until = min(self.until, until)

    def add(self, keys: Iterable[Key], until: datetime) -> None:
        """What came from memory was worked out from these."""
        self.keys.update(keys)
        self.hold(until)


_recording: ContextVar[Recording | None] = ContextVar("what the current result depends on", default=None)


def recording() -> Recording | None:
    """The one that the current task works under."""
    return _recording.get()


def note(*keys: Key) -> None:
    """The current result depends on these rows."""
    found = _recording.get()
    if found is not None:
        found.keys.update(keys)


def hold_until(instant: datetime) -> None:
    """The current result is another one from this instant on, whatever the rows say."""
    found = _recording.get()
    if found is not None:
        found.hold(instant)


def spoil() -> None:
    """The current result depends on something that nobody watches."""
    found = _recording.get()
    if found is not None:
        found.spoiled = True


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Value]):
    value: Value
    weight: int
    keys: frozenset[Key]
    since: datetime
    until: datetime


class Memory(Generic[Value]):
    """At most `most` in weight; beyond it the values go that were not asked for longest."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.weight = 0
        self._entries: OrderedDict[Hashable, _Entry[Value]] = OrderedDict()
        self._depending: defaultdict[Key, set[Hashable]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: Hashable, now: datetime) -> Value | None:
        entry = self._entries.get(name)
        if entry is None:
            return None
        if not entry.since <= now < entry.until:
            self._drop(name)
            return None
        self._entries.move_to_end(name)
        around = _recording.get()
        if around is not None:
            around.add(entry.keys, entry.until)
        return entry.value

    def keep(self, name: Hashable, value: Value, made: Recording, now: datetime, weight: int = 1) -> bool:
        """Keep a value worked out under `made`. Whether it could be kept."""
        if not made.sound or made.until <= now or weight > self.most:
            return False
        self._drop(name)
        keys = frozenset(made.keys)
        self._entries[name] = _Entry(value, weight, keys, now, made.until)
        for key in keys:
            self._depending[key].add(name)
        self.weight += weight
        while self.weight > self.most:
            self._drop(next(iter(self._entries)))
        return True

    def forget(self, keys: Iterable[Key]) -> None:
        """What was worked out from any of these rows."""
        for key in keys:
            for name in list(self._depending.get(key, ())):
                self._drop(name)

    def forget_all(self) -> None:
        self._entries.clear()
        self._depending.clear()
        self.weight = 0

    def _drop(self, name: Hashable) -> None:
        entry = self._entries.pop(name, None)
        if entry is None:
            return
        self.weight -= entry.weight
        for key in entry.keys:
            self._depending[key].discard(name)
            if not self._depending[key]:
                del self._depending[key]


class Rows:
    """Rows of one table by id, which many answers show, until they change. At most `most`; then the oldest go.

    Time changes nothing about a row, so unlike in a `Memory` looking one up is a look into a dictionary: `the` raises
    KeyError where a row is not known.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._rows: dict[UUID, Any] = {}
        self.the = self._rows.__getitem__

    def __len__(self) -> int:
        return len(self._rows)

    def keep(self, rows: Mapping[UUID, Any], made: Recording) -> None:
        """Rows that were read under `made`."""
        if not made.sound:
            return
        self._rows.update(rows)
        while len(self._rows) > self._most:
            del self._rows[next(iter(self._rows))]

    def forget(self, keys: Iterable[Key]) -> None:
        for name, key in keys:
            if name == self._name:
                self._rows.pop(key, None)

    def forget_all(self) -> None:
        self._rows.clear()


class Forgetful(Protocol):
    def forget(self, keys: Iterable[Key]) -> None: ...

    def forget_all(self) -> None: ...


class Recorded:
    """A block under a recording, which is among `opened` meanwhile."""

    __slots__ = ("_around", "_made", "_opened", "_token")

    def __init__(self, opened: set[Recording]) -> None:
        self._opened = opened
        self._made = Recording()

    def __enter__(self) -> Recording:
        self._around = _recording.get()
        self._opened.add(self._made)
        self._token = _recording.set(self._made)
        return self._made

    def __exit__(self, *_: object) -> None:
        _recording.reset(self._token)
        self._opened.discard(self._made)
        if self._around is not None:
            self._around.add(self._made.keys, self._made.until)
            self._around.spoiled = self._around.spoiled or self._made.spoiled


class Changes:
    """Tells every memory and every open recording what changed."""

    def __init__(self, *memories: Forgetful) -> None:
        self.memories = memories
        self._open: set[Recording] = set()

    def recorded(self) -> Recorded:
        """What is read inside is noted in the recording, and afterwards in the one around it, if there is one."""
        return Recorded(self._open)

    def happened(self, keys: Iterable[Key]) -> None:
        changed = set(keys)
        for made in self._open:
            made.changed |= changed
        for memory in self.memories:
            memory.forget(changed)

    def anything_may_have(self) -> None:
        for made in self._open:
            made.spoiled = True
        for memory in self.memories:
            memory.forget_all()
