"""The columns of a hot page: what each field of it needs of the database, and what stands for it in the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import starmap
from typing import Any, Protocol, TypeAlias

from authz.life import NEVER, extended
from authz.standings import Standing
from models.memory import hold_until
from operations.facts import OUTLINE
from resolvers.context import Context
from resolvers.objects import Column, agent
from resolvers.remembered import AgentRow
from resolvers.selection import Selection
from resolvers.shapes import Output, Pass, Shape

Table: TypeAlias = dict[str, Sequence[Any]]  # values of the rows by column

AGENTS, STANDING = "agents", "standing"  # columns that `reads.py` makes: agents' rows, and `authz/outline.py`'s
MOST = 1024  # standings for which a field's answer is kept; of more than that, few are met again
MOST_SHOWN = 16  # ways in which an agent is shown, kept with it


class Field(Protocol):
    @property
    def name(self) -> str: ...

    def columns(self) -> Mapping[str, str]:
        """What it needs of the database: expressions by name."""

    def values(self, now: Pass, table: Table) -> Sequence[Any]:
        """What stands in the answer, row by row."""


@dataclass(frozen=True, slots=True)
class Fixed:
    name: str
    value: str

    def columns(self) -> Mapping[str, str]:
        return {}

    def values(self, now: Pass, table: Table) -> Sequence[Any]:
        return [self.value] * len(table["sort_key"])


@dataclass(frozen=True, slots=True)
class Stored:
    """A column of `table`, which is called `column` in the row."""

    name: str
    table: str
    column: str
    made: Column
    shape: Shape

    def columns(self) -> Mapping[str, str]:
        """Where text is made of it, the database does it."""
        return {self.column: f"{self.table}.{self.made.name}" + ("::text" if self.made.of is str else "")}

    def values(self, now: Pass, table: Table) -> Sequence[Any]:
        stored = table[self.column]
        return self.shape.complete(now, stored if self.made.of in (None, str) else list(map(self.made.of, stored)))


@dataclass(frozen=True, slots=True)
class RunsUntil:
    """When an engagement expires: what is stored, until it extends itself."""

    name: str
    shape: Shape

    def columns(self) -> Mapping[str, str]:
        return {"expires_at": "e.expires_at", "auto_extend": "e.auto_extend"}

    def values(self, now: Pass, table: Table) -> Sequence[Any]:
        stored = table["expires_at"]
        if any(table["auto_extend"]):
            at, policy, rows = (
                now.context.request.now,
                now.context.policy,
                zip(stored, table["auto_extend"], strict=True),
            )
            stored = [extended(end, policy, at) if extends else end for end, extends in rows]
            hold_until(min([end for end in stored if end > at], default=NEVER))
        return self.shape.complete(now, stored)


@dataclass(frozen=True, slots=True)
class Beside:
    """An object that came with the row."""

    name: str
    fields: tuple[Field, ...]

    def columns(self) -> Mapping[str, str]:
        return columns(self.fields)

    def values(self, now: Pass, table: Table) -> Sequence[Any]:
        return outputs(self.fields, now, table)


@dataclass(frozen=True, slots=True, eq=False)
class OfAgent:
    """The agent, made once for all answers that show it while its row is remembered."""

    name: str
    shape: Selection

    def columns(self) -> Mapping[str, str]:
        return {}

    def values(self, now: Pass, table: Table) -> Sequence[Any]:
        return [each.shown.get(self) or self._made(now, each) for each in table[AGENTS]]

    def _made(self, now: Pass, row: AgentRow) -> Output:
        if len(row.shown) >= MOST_SHOWN:
            row.shown.clear()
        output: Output = self.shape.complete(now, [agent(row)])[0]
        row.shown[self] = output
        return output


@dataclass(frozen=True, slots=True)
class OfStanding:
    """What is the same for all engagements of one standing. It is made once, and stands in many answers."""

    name: str
    make: Callable[[Context, Standing], Any]
    shape: Shape
    known: dict[Standing, Any] = field(default_factory=dict)

    def columns(self) -> Mapping[str, str]:
        return OUTLINE

    def values(self, now: Pass, table: Table) -> Sequence[Any]:
        found = table[STANDING]
        try:
            return list(map(self.known.__getitem__, found))
        except KeyError:
            self._make(now, list(set(found)))
        return [self.known[each] for each in found]

    def _make(self, now: Pass, standings: list[Standing]) -> None:
        if len(self.known) + len(standings) > MOST:
            self.known.clear()
        made = [self.make(now.context, each) for each in standings]
        self.known.update(zip(standings, self.shape.complete(now, made), strict=True))


def outputs(fields: Sequence[Field], now: Pass, table: Table) -> list[Output]:
    columns = [each.values(now, table) for each in fields]
    return list(starmap(output_of(*[each.name for each in fields]), zip(*columns, strict=True)))


@lru_cache(maxsize=1024)
def output_of(*names: str) -> Callable[..., Output]:
    """A function that makes an object of one value for each name. A short one is written out, in half the time."""
    if len(names) == 3:
        a, b, c = names
        return lambda x, y, z: {a: x, b: y, c: z}
    if len(names) == 4:
        a, b, c, d = names
        return lambda w, x, y, z: {a: w, b: x, c: y, d: z}
    return lambda *values: dict(zip(names, values, strict=True))


def columns(fields: Iterable[Field]) -> dict[str, str]:
    return {name: sql for each in fields for name, sql in each.columns().items()}
