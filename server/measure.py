"""What a whole document asks for: its definitions' shapes, added up along the fragment spreads.

Each fragment is added up once, after the fragments it spreads, so the work stays linear whatever the document is.
Sums stop growing at MOST, because nested fragments double them at every level. A document whose fragments form a
cycle has no sum; it is refused here, before the standard validation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphql import DocumentNode, FragmentDefinitionNode, GraphQLSchema, IntValueNode, OperationDefinitionNode

import limits
from server import shape
from server.shape import PageSize, Shape

MOST = 1_000_000_000


class Cycle(Exception):
    """The fragments spread each other."""


@dataclass(slots=True)
class Sum:
    depth: int = 0
    aliases: int = 0
    directives: int = 0
    roots: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Operation:
    node: OperationDefinitionNode
    sum: Sum
    shape: Shape
    defaults: Mapping[str, object]  # of the variables, as far as they are whole numbers

    @property
    def name(self) -> str | None:
        return self.node.name.value if self.node.name else None


@dataclass(frozen=True, slots=True)
class Measure:
    operations: tuple[Operation, ...]
    fragments: Mapping[str, Shape]  # in an order in which each stands after those it spreads
    counted: dict[int, int] = field(default_factory=dict, compare=False)  # nodes by operation, where no variable counts

    def nodes(self, operation: Operation, variables: Mapping[str, object]) -> int:
        """The estimated number of nodes in the answer to this operation with these variables."""
        found = self.counted.get(id(operation))
        if found is None:
            found = self._nodes(operation, variables)
            if not any(shape.has_variable_sizes for shape in (operation.shape, *self.fragments.values())):
                self.counted[id(operation)] = found
        return found

    def _nodes(self, operation: Operation, variables: Mapping[str, object]) -> int:
        given = {**operation.defaults, **variables}
        known: dict[str, int] = {}
        for name, fragment in self.fragments.items():
            known[name] = _nodes(fragment, given, known)
        return _nodes(operation.shape, given, known)


def of(schema: GraphQLSchema, document: DocumentNode) -> Measure:
    fragments = {
        node.name.value: shape.of(schema, node)
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    ordered = {name: fragments[name] for name in _innermost_first(fragments)}
    sums: dict[str, Sum] = {}
    for name, fragment in ordered.items():
        sums[name] = _sum(fragment, sums)
    operations = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return Measure(tuple(_operation(schema, node, sums) for node in operations), ordered)


def _operation(schema: GraphQLSchema, node: OperationDefinitionNode, sums: Mapping[str, Sum]) -> Operation:
    own = shape.of(schema, node)
    defaults = {
        definition.variable.name.value: shape.as_size(definition.default_value.value)
        for definition in node.variable_definitions or ()
        if isinstance(definition.default_value, IntValueNode)
    }
    return Operation(node, _sum(own, sums), own, defaults)


def _sum(own: Shape, sums: Mapping[str, Sum]) -> Sum:
    total = Sum(own.depth, own.aliases, own.directives, own.roots.copy())
    for spread in own.spreads:
        inner = sums.get(spread.fragment)
        if inner is None:  # unknown; the standard validation says so
            continue
        total.aliases = min(MOST, total.aliases + inner.aliases)
        total.directives = min(MOST, total.directives + inner.directives)
        if not spread.introspection:
            total.depth = max(total.depth, spread.depth + inner.depth)
        if spread.depth == 0:
            for name, count in inner.roots.items():
                total.roots[name] = min(MOST, total.roots[name] + count)
    return total


def _nodes(own: Shape, given: Mapping[str, object], known: Mapping[str, int]) -> int:
    each: list[int] = []  # how many of this entry the answer holds
    total = 0
    for entry in own.entries:
        above = each[entry.parent] if entry.parent >= 0 else 1
        each.append(min(MOST, above * _size(entry.size, given)))
        total += each[-1] if entry.counted else 0
    for spread in own.spreads:
        if not spread.introspection:
            above = each[spread.entry] if spread.entry >= 0 else 1
            total += above * known.get(spread.fragment, 0)
    return min(MOST, total)


def _size(size: int | PageSize, given: Mapping[str, object]) -> int:
    if isinstance(size, int):
        return size
    asked = [number for end in (size.first, size.last) if (number := _number(end, given)) is not None]
    # What is out of bounds is refused by the resolver, which costs nothing.
    return min(max([1, *asked]), limits.of("page_size_most")) if asked else limits.of("page_size_default")


def _number(end: int | str | None, given: Mapping[str, object]) -> int | None:
    value = given.get(end) if isinstance(end, str) else end
    return value if isinstance(value, int) else None


def _innermost_first(fragments: Mapping[str, Shape]) -> list[str]:
    order: list[str] = []
    done: set[str] = set()
    for start in fragments:
        path: list[tuple[str, Iterator[str]]] = []
        on_path: set[str] = set()
        _enter(start, fragments, done, path, on_path)
        while path:
            name, inner = path[-1]
            following = next(inner, None)
            if following is None:
                path.pop()
                on_path.discard(name)
                done.add(name)
                order.append(name)
            elif following in on_path:
                raise Cycle
            else:
                _enter(following, fragments, done, path, on_path)
    return order


def _enter(
    name: str,
    fragments: Mapping[str, Shape],
    done: set[str],
    path: list[tuple[str, Iterator[str]]],
    on_path: set[str],
) -> None:
    if name in fragments and name not in done:
        path.append((name, iter([spread.fragment for spread in fragments[name].spreads])))
        on_path.add(name)
