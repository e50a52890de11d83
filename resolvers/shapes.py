"""How values are completed by their type: leaves, null, lists, interfaces and unions, many at a time.

A shape raises Unexpected for whatever graphql-core would report as an error. Objects are the shapes of `selection.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import NoneType
from typing import Any, Protocol, TypeAlias

from asyncpg import Record
from graphql import GraphQLField, GraphQLObjectType
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import gather_with_cancel

from resolvers import leaves
from resolvers.leaves import Unexpected

Output: TypeAlias = dict[str, Any]


class Compiler(Protocol):
    """What compiling needs of the executor. It is asked at run time too: for the members of a union as they appear."""

    def collect_subfields(self, return_type: GraphQLObjectType, field_details_list: FieldDetailsList) -> Any: ...

    def possible_types(self, type_: Any) -> Iterable[GraphQLObjectType]: ...

    def arguments(self, definition: GraphQLField, details: FieldDetailsList) -> dict[str, Any]: ...


@dataclass(slots=True)
class Pass:
    """One go over objects that are all there. What has to be awaited is noted, and nothing of it has begun yet."""

    context: Any
    compiler: Compiler
    waiting: list[Coroutine[Any, Any, None]] = field(default_factory=list)

    async def then(self, fill: Callable[[Pass, Any], object], found: Any) -> None:
        """The next go, over what was awaited."""
        following = Pass(self.context, self.compiler)
        following.begin(fill, found)
        await following.settle()

    def begin(self, fill: Callable[[Pass, Any], Any], found: Any) -> Any:
        try:
            return fill(self, found)
        except BaseException:
            for each in self.waiting:
                each.close()
            raise

    async def settle(self) -> None:
        """When one fails, the others are ended before that is told."""
        if len(self.waiting) == 1:
            await self.waiting[0]
        elif self.waiting:
            await gather_with_cancel(*self.waiting)


class Shape:
    """How values of one type are completed, many at a time. One alone is a case of that, for which most know a shorter
    way: near the root of a document there is nothing else."""

    __slots__ = ()

    def complete(self, now: Pass, values: Sequence[Any]) -> list[Any]:
        raise NotImplementedError

    def one(self, now: Pass, value: Any) -> Any:
        return self.complete(now, [value])[0]


@dataclass(slots=True)
class Rows:
    """Objects of a list that are still rows, and what was found for each of them."""

    rows: Sequence[Record]
    beside: Sequence[Any]


class Read(Protocol):
    """How such objects are answered (`resolvers/reads.py`)."""

    def complete(self, now: Pass, found: Rows) -> list[Output]: ...


@dataclass(frozen=True, slots=True)
class Leaf(Shape):
    finish: leaves.Complete

    def complete(self, now: Pass, values: Sequence[Any]) -> list[Any]:
        return self.finish(values)


@dataclass(frozen=True, slots=True)
class Exact(Shape):
    """Values of which nearly all are of one type, and mean themselves there. Whatever else there is among them, null
    included, `otherwise` completes."""

    kinds: frozenset[type]
    otherwise: Shape

    def complete(self, now: Pass, values: Sequence[Any]) -> list[Any]:
        if self.kinds.issuperset(map(type, values)):
            return values if type(values) is list else list(values)
        return self.otherwise.complete(now, values)

    def one(self, now: Pass, value: Any) -> Any:
        return value if type(value) in self.kinds else self.otherwise.one(now, value)


@dataclass(frozen=True, slots=True)
class NotNull(Shape):
    inner: Shape

    def complete(self, now: Pass, values: Sequence[Any]) -> list[Any]:
        if NoneType in set(map(type, values)):
            raise Unexpected
        return self.inner.complete(now, values)

    def one(self, now: Pass, value: Any) -> Any:
        if value is None:
            raise Unexpected
        return self.inner.one(now, value)


@dataclass(frozen=True, slots=True)
class Nullable(Shape):
    inner: Shape

    def complete(self, now: Pass, values: Sequence[Any]) -> list[Any]:
        if NoneType not in set(map(type, values)):
            return self.inner.complete(now, values)
        completed = self.inner.complete(now, [value for value in values if value is not None])
        rest = iter(completed)
        return [None if value is None else next(rest) for value in values]

    def one(self, now: Pass, value: Any) -> Any:
        return None if value is None else self.inner.one(now, value)


@dataclass(frozen=True, slots=True)
class Items(Shape):
    """A list: the items of all lists are completed together. `read` is there where items can be rows."""

    item: Shape
    read: Read | None = None

    def complete(self, now: Pass, values: Sequence[Any]) -> list[Any]:
        kinds = set(map(type, values))
        if Rows in kinds:
            return [self.one(now, value) for value in values]
        if not kinds <= {list}:
            raise Unexpected
        completed = self.item.complete(now, list(chain.from_iterable(values)))
        lists, start = [], 0
        for value in values:
            lists.append(completed[start : start + len(value)])
            start += len(value)
        return lists

    def one(self, now: Pass, value: Any) -> Any:
        if type(value) is Rows and self.read is not None:
            return self.read.complete(now, value) if value.rows else []
        if type(value) is not list:
            raise Unexpected
        return self.item.complete(now, value)


@dataclass(frozen=True, slots=True)
class OneOf(Shape):
    """An interface or a union: the objects of each class are completed together."""

    compile: Callable[[Compiler, GraphQLObjectType], Shape]
    types: dict[type, GraphQLObjectType]
    known: dict[type, Shape] = field(default_factory=dict)

    def complete(self, now: Pass, values: Sequence[Any]) -> list[Any]:
        outputs: list[Any] = [None] * len(values)
        for origin in dict.fromkeys(map(type, values)):
            places = [place for place, value in enumerate(values) if type(value) is origin]
            completed = self._of(now.compiler, origin).complete(now, [values[place] for place in places])
            for place, output in zip(places, completed, strict=True):
                outputs[place] = output
        return outputs

    def _of(self, compiler: Compiler, origin: type) -> Shape:
        if origin not in self.known:
            if origin not in self.types:
                raise Unexpected
            self.known[origin] = self.compile(compiler, self.types[origin])
        return self.known[origin]
