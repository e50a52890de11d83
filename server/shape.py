"""One definition of a document (an operation or a fragment), measured on its own, in one pass.

A fragment is walked once however often it is spread: the walk notes the spreads, and `measure.py` adds them up.
That keeps the work linear in the document, where expanding the fragments would double with every level. The walk
keeps its own stack, so that no nesting can exhaust Python's.

What counts as a node: a field that gives an object counts one, a field with `first` or `last` counts its page, a
list without pages counts `list_size_assumed`; what stands below counts once for each. The plumbing of a
connection (`edges`, `node`, `nodes`, `pageInfo`) counts nothing. Introspection counts neither nodes nor depth: the
standard rule MaxIntrospectionDepth bounds it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

import limits

INTROSPECTION = frozenset({"__schema", "__type"})
PLUMBING = ("Connection", "Edge")


@dataclass(frozen=True, slots=True)
class PageSize:
    """Where `first` and `last` come from: a number, the name of a variable, or nothing."""

    first: int | str | None
    last: int | str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A field that gives objects: the entry it stands under, how many it gives for each, whether they count."""

    parent: int
    size: int | PageSize
    counted: bool


@dataclass(frozen=True, slots=True)
class Spread:
    fragment: str
    depth: int
    entry: int
    introspection: bool


@dataclass(slots=True)
class Shape:
    depth: int = 0
    aliases: int = 0
    directives: int = 0
    roots: Counter[str] = field(default_factory=Counter)
    entries: list[Entry] = field(default_factory=list)
    spreads: list[Spread] = field(default_factory=list)

    @property
    def has_variable_sizes(self) -> bool:
        sizes = [entry.size for entry in self.entries if isinstance(entry.size, PageSize)]
        return any(isinstance(end, str) for size in sizes for end in (size.first, size.last))


@dataclass(frozen=True, slots=True)
class _Place:
    """A selection set still to be walked."""

    selections: SelectionSetNode
    type: GraphQLNamedType | None
    depth: int
    entry: int  # -1: nothing above gives objects
    introspection: bool


def of(schema: GraphQLSchema, definition: OperationDefinitionNode | FragmentDefinitionNode) -> Shape:
    shape = Shape(directives=_own_directives(definition))
    places = [_Place(definition.selection_set, _type_of(schema, definition), 0, -1, False)]
    while places:
        place = places.pop()
        for selection in place.selections.selections:
            inner = _note(schema, shape, place, selection)
            if inner is not None:
                places.append(inner)
    return shape


def _note(schema: GraphQLSchema, shape: Shape, place: _Place, selection: SelectionNode) -> _Place | None:
    shape.directives += len(selection.directives or ())
    if isinstance(selection, FieldNode):
        return _note_field(shape, place, selection)
    if isinstance(selection, InlineFragmentNode):
        condition = selection.type_condition
        type_ = schema.get_type(condition.name.value) if condition else place.type
        return _Place(selection.selection_set, type_, place.depth, place.entry, place.introspection)
    if isinstance(selection, FragmentSpreadNode):
        shape.spreads.append(Spread(selection.name.value, place.depth, place.entry, place.introspection))
    return None


def _note_field(shape: Shape, place: _Place, node: FieldNode) -> _Place | None:
    name = node.name.value
    shape.aliases += node.alias is not None
    if place.depth == 0:
        shape.roots[name] += 1
    introspection = place.introspection or name in INTROSPECTION
    if not introspection:
        shape.depth = max(shape.depth, place.depth + 1)
    if node.selection_set is None:
        return None
    definition = getattr(place.type, "fields", {}).get(name)
    type_ = get_named_type(definition.type) if definition else None
    entry = place.entry
    if not introspection:
        shape.entries.append(_entry(shape, place, node, definition))
        entry = len(shape.entries) - 1
    return _Place(node.selection_set, type_, place.depth + 1, entry, introspection)


def _entry(shape: Shape, place: _Place, node: FieldNode, definition: GraphQLField | None) -> Entry:
    if definition is None or place.type is None:
        return Entry(place.entry, 1, True)
    if definition.args.keys() & {"first", "last"}:
        return Entry(place.entry, PageSize(_argument(node, "first"), _argument(node, "last")), True)
    a_list = is_list_type(get_nullable_type(definition.type))
    of_a_page = place.entry >= 0 and isinstance(shape.entries[place.entry].size, PageSize)
    if place.type.name.endswith(PLUMBING) or (of_a_page and a_list):
        return Entry(place.entry, 1, False)
    return Entry(place.entry, limits.of("list_size_assumed") if a_list else 1, True)


def _argument(node: FieldNode, name: str) -> int | str | None:
    for argument in node.arguments or ():
        if argument.name.value == name:
            return _literal_or_variable(argument.value)
    return None


def _literal_or_variable(value: object) -> int | str | None:
    if isinstance(value, VariableNode):
        return value.name.value
    return as_size(value.value) if isinstance(value, IntValueNode) else None


def as_size(text: str) -> int:
    """An Int literal as a number of nodes. It may have thousands of digits, which int() refuses to read."""
    if text.startswith("-"):
        return 1
    return int(text) if len(text) < 10 else limits.of("page_size_most")


def _own_directives(definition: OperationDefinitionNode | FragmentDefinitionNode) -> int:
    nodes: Iterable[object] = (definition, *(definition.variable_definitions or ()))
    return sum(len(getattr(node, "directives", None) or ()) for node in nodes)


def _type_of(
    schema: GraphQLSchema, definition: OperationDefinitionNode | FragmentDefinitionNode
) -> GraphQLNamedType | None:
    if isinstance(definition, OperationDefinitionNode):
        return schema.get_root_type(definition.operation)
    return schema.get_type(definition.type_condition.name.value)
