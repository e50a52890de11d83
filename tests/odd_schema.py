"""A schema with everything that execution can meet, over objects that are as often wrong as right.

Every field is answered by an attribute or by an edge, so that most of it is compiled; the attributes hold nulls where
there may be none, values that their types do not know, exceptions, and things that are no lists. All can be read
twice, as the objects of the API can: what is read up by the first look has no second answer to compare.
"""

from __future__ import annotations

import asyncio
import enum
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Annotated, Any, Union
from uuid import UUID

import strawberry
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig

from errors import NotFound
from resolvers import edges
from resolvers.edges import edge as answered
from resolvers.edges import to_one
from resolvers.execution import Schema
from schema.edges import edge as declared
from schema.edges import follow
from schema.scalars import SCALARS


@strawberry.enum
class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


Size = Annotated[int | None, strawberry.argument(description="A number.")]
Colours = Annotated[list[Colour] | None, strawberry.argument(description="Some colours.")]
Instant = Annotated[datetime | None, strawberry.argument(description="An instant.")]


async def _sized(root: Any, info: strawberry.Info, size: Size = 2, colours: Colours = None, at: Instant = None) -> Any:
    return await follow(root, info, size=size, colours=colours, at=at)


@strawberry.interface
class Named:
    name: str
    row: strawberry.Private[Any]


@strawberry.type
class Leaf(Named):
    count: int
    ratio: float
    flag: bool
    key: strawberry.ID
    colour: Colour
    at: datetime
    on: date
    extra: JSON
    maybe_count: int | None
    maybe_colour: Colour | None
    numbers: list[int]
    maybe_numbers: list[int | None] | None
    grid: list[list[str]]


@strawberry.type
class Branch(Named):
    leaf: Leaf
    maybe_leaf: Leaf | None
    leaves: list[Leaf]
    maybe_leaves: list[Leaf | None] | None
    either: Either
    someone: Named
    people: list[Named | None]
    mother: Branch | None = declared("To one, awaited.")
    sister: Branch | None = declared("In memory.")
    children: list[Branch] = declared("Awaited.")
    failing: str | None = declared("Refuses some parents.")
    failing_hard: str = declared("Fails for some parents, where there may be no null.")
    sized: list[str] = declared("With arguments.", resolver=_sized)


Either = Annotated[Union[Leaf, Branch], strawberry.union("Either")]  # noqa: UP007  (the library wants it so)


@dataclass
class Context:
    """What the edges need of the real one. `ahead` is set by the executor."""

    branches: dict[UUID, Branch] = field(default_factory=dict)
    roots: dict[str, Any] = field(default_factory=dict)
    actor: None = None
    ahead: Any = None

    async def edge(self, info: strawberry.Info, root: Any, **given: Any) -> Any:
        return await edges.follow(self, info, root, given)  # type: ignore[arg-type]  # stands in for the real one

    async def all_the(self, kind: str, keys: Sequence[UUID]) -> Mapping[UUID, Any]:
        await asyncio.sleep(0)
        return {key: {"branch": self.branches[key]} for key in keys}


to_one(Branch, "mother", "branch", "mother_id", lambda context, row: row["branch"])


@answered(Branch, "sister")
def _sister(context: Context, branch: Branch) -> Branch | None:
    return context.branches.get(branch.row["sister_id"])


@answered(Branch, "children")
async def _children(context: Context, branch: Branch) -> list[Branch]:
    await asyncio.sleep(0)
    return [context.branches[key] for key in branch.row["children"]]


@answered(Branch, "failing")
async def _failing(context: Context, branch: Branch) -> str | None:
    await asyncio.sleep(0)
    if branch.row["fails"]:
        raise NotFound
    return None


@answered(Branch, "failing_hard")
def _failing_hard(context: Context, branch: Branch) -> str:
    if branch.row["fails"]:
        raise ValueError("hard")
    return "well"


@answered(Branch, "sized")
def _size(
    context: Context, branch: Branch, size: int | None, colours: list[Colour] | None, at: datetime | None
) -> list[str]:
    return [f"{size} {colours} {at}"] * min(size or 0, 3)


@strawberry.type
class Query:
    @strawberry.field
    def branch(self, info: strawberry.Info) -> Branch | None:
        found: Branch | None = info.context.roots["branch"]
        return found

    @strawberry.field
    async def branches(self, info: strawberry.Info) -> list[Branch | None]:
        found: list[Branch | None] = info.context.roots["branches"]
        return found

    @strawberry.field
    async def either(self, info: strawberry.Info) -> Either | None:
        found: Either | None = info.context.roots["either"]
        return found

    @strawberry.field
    def people(self, info: strawberry.Info) -> list[Named]:
        found: list[Named] = info.context.roots["people"]
        return found


SCHEMA = Schema(Query, types=[Leaf, Branch], config=StrawberryConfig(scalar_map=SCALARS))


class World:
    """Objects drawn by chance; `wrong` is how often a value is not what its field promises."""

    def __init__(self, chance: random.Random, wrong: float) -> None:
        self.chance = chance
        self.wrong = wrong
        self.context = Context()
        keys = [UUID(int=number) for number in range(1, 6)]
        for key in keys:
            self.context.branches[key] = self._branch(keys)
        some = list(self.context.branches.values())
        self.context.roots = {
            "branch": self._or_wrong(some[0]),
            "branches": [self._or_wrong(each) for each in some],
            "either": self._or_wrong(self.chance.choice([some[1], self._leaf()])),
            "people": [self._or_wrong(self.chance.choice([some[2], self._leaf()])) for _ in range(4)],
        }

    def _or_wrong(self, value: Any) -> Any:
        if self.chance.random() >= self.wrong:
            return value
        return self.chance.choice([None, 7, "text", 2**40, float("nan"), ValueError("a value"), [None], object, {}, ()])

    def _leaf(self) -> Leaf:
        right: dict[str, Any] = {
            "name": "leaf",
            "count": self.chance.choice([0, -1, 2**31 - 1]),
            "ratio": self.chance.choice([0.5, 3]),
            "flag": True,
            "key": self.chance.choice(["a", 5]),
            "colour": self.chance.choice(list(Colour)),
            "at": datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
            "on": date(2026, 3, 1),
            "extra": self.chance.choice([{"a": [1]}, None, "x"]),
            "maybe_count": self.chance.choice([None, 1, True]),
            "maybe_colour": self.chance.choice([None, Colour.RED, "RED"]),
            "numbers": [1, self._or_wrong(2)],
            "maybe_numbers": self.chance.choice([None, [1, None, 3], (1, 2), range(2)]),
            "grid": [["a", "b"], [], [self._or_wrong("c")]],
        }
        return Leaf(row={}, **{name: self._or_wrong(value) for name, value in right.items()})

    def _branch(self, keys: list[UUID]) -> Branch:
        row = {
            "mother_id": self.chance.choice([None, *keys]),
            "sister_id": self.chance.choice(keys),
            "children": self.chance.sample(keys, self.chance.randint(0, 3)),
            "fails": self.chance.random() < self.wrong,
        }
        right: dict[str, Any] = {
            "name": "branch",
            "leaf": self._leaf(),
            "maybe_leaf": self.chance.choice([None, self._leaf()]),
            "leaves": [self._or_wrong(self._leaf()) for _ in range(3)],
            "maybe_leaves": self.chance.choice([None, [self._leaf(), None]]),
            "either": self._leaf(),
            "someone": self._leaf(),
            "people": [self._or_wrong(self._leaf()), None],
        }
        return Branch(row=row, **{name: self._or_wrong(value) for name, value in right.items()})
