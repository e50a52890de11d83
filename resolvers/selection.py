"""Selections compiled once, completed for many objects at a time.

graphql-core resolves and completes every field of every object on its own: 20 engagements with their agents and
roles are some hundred coroutines. A compiled selection takes all objects of one level together: a plain field is a
loop over them, an edge is asked for all of them at once.

Whatever is met here that graphql-core would report as an error is raised (Unexpected, or the exception itself):
`executor.py` then lets graphql-core execute the same selection from the same object, so that errors, their paths and
their order are its own. Only reads are repeated by that: a mutation's own resolver stands above every compiled
selection. `compiling.py` makes selections.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLField
from graphql.execution.collect_fields import FieldDetailsList

from resolvers import edges
from resolvers.edges import Edge
from resolvers.leaves import Unexpected
from resolvers.shapes import Output, Pass, Read, Shape

# How selections of a class are answered from rows, for those that can be. `resolvers/reads.py` fills it in.
READS: dict[type, Callable[[tuple[Field, ...]], Read | None]] = {}


class Field:
    """One field of a selection: it writes its answer into the output of each parent, or of the only one."""

    __slots__ = ()

    def fill(self, now: Pass, parents: Sequence[Any], outputs: Sequence[Output]) -> None:
        raise NotImplementedError

    def fill_one(self, now: Pass, parent: Any, output: Output) -> None:
        self.fill(now, [parent], [output])


@dataclass(slots=True)
class Selection(Shape):
    """The fields of an object. `origin` is the class its objects have."""

    origin: type
    fields: tuple[Field, ...] = ()
    read: Read | None = None

    def complete(self, now: Pass, values: Sequence[Any]) -> list[Any]:
        if not set(map(type, values)) <= {self.origin}:
            raise Unexpected
        outputs: list[Output] = [{} for _ in values]
        if outputs:
            for each in self.fields:
                each.fill(now, values, outputs)
        return outputs

    def one(self, now: Pass, value: Any) -> Any:
        if type(value) is not self.origin:
            return self.complete(now, [value])[0]
        output: Output = {}
        for each in self.fields:
            each.fill_one(now, value, output)
        return output


@dataclass(frozen=True, slots=True)
class TypeName(Field):
    name: str
    value: str

    def fill(self, now: Pass, parents: Sequence[Any], outputs: Sequence[Output]) -> None:
        for output in outputs:
            output[self.name] = self.value

    def fill_one(self, now: Pass, parent: Any, output: Output) -> None:
        output[self.name] = self.value


@dataclass(frozen=True, slots=True)
class Plain(Field):
    """An attribute of the object."""

    name: str
    attribute: str
    value: Callable[[Any], Any]
    shape: Shape

    def fill(self, now: Pass, parents: Sequence[Any], outputs: Sequence[Output]) -> None:
        _write(self.name, self.shape.complete(now, list(map(self.value, parents))), outputs)

    def fill_one(self, now: Pass, parent: Any, output: Output) -> None:
        output[self.name] = self.shape.one(now, self.value(parent))


@dataclass(frozen=True, slots=True)
class Asked(Field):
    """An edge, asked for all parents at once."""

    name: str
    attribute: str
    edge: Edge
    shape: Shape
    definition: GraphQLField
    details: FieldDetailsList

    def fill(self, now: Pass, parents: Sequence[Any], outputs: Sequence[Output]) -> None:
        given = self._given(now)
        found = self._found(now, parents, given)
        if found is not None:
            _write(self.name, self.shape.complete(now, found), outputs)
            return
        _write(self.name, [None] * len(outputs), outputs)  # keeps its place while the answer is awaited
        now.waiting.append(self._later(now, parents, outputs, given))

    def fill_one(self, now: Pass, parent: Any, output: Output) -> None:
        given = self._given(now)
        found = self._found(now, [parent], given)
        if found is None:
            output[self.name] = None
            now.waiting.append(self._later(now, [parent], [output], given))
        else:
            output[self.name] = self.shape.one(now, found[0])

    def _given(self, now: Pass) -> dict[str, Any]:
        return now.compiler.arguments(self.definition, self.details) if self.definition.args else {}

    def _found(self, now: Pass, parents: Sequence[Any], given: dict[str, Any]) -> list[Any] | None:
        """What there is without waiting."""
        found = edges.at_hand(now.context, self.edge, parents, given)
        if found is None and not self.edge.waits:
            return edges.answers(now.context, self.edge, parents, given)
        return found

    async def _later(self, now: Pass, parents: Sequence[Any], outputs: Sequence[Output], given: dict[str, Any]) -> None:
        found = await edges.awaited(now.context, self.edge, parents, given)
        await now.then(lambda then, found: _write(self.name, self.shape.complete(then, found), outputs), found)


def _write(name: str, values: Sequence[Any], outputs: Sequence[Output]) -> None:
    for output, value in zip(outputs, values, strict=True):
        output[name] = value
