"""From what a document selects to what completes it: which selections are compiled, and which are graphql-core's.

Compiled is what has no surprises: plain fields, edges of `edges.py`, objects of exactly the class the schema names,
lists of them, interfaces and unions of such classes. Anything else is not compiled.

The fields of a selection are found by graphql-core's own `collect_subfields`; so fragments, type conditions, merging
and directives mean what they mean there.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from graphql import (
    GraphQLObjectType,
    GraphQLOutputType,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import FieldDetailsList

from resolvers import edges, leaves
from resolvers.arguments import STRAWBERRY
from resolvers.selection import READS, Asked, Field, Plain, Selection, TypeName
from resolvers.shapes import Compiler, Exact, Items, Leaf, NotNull, Nullable, OneOf, Read, Shape
from schema.node import MADE


class NotCompiled(Exception):
    """This selection is graphql-core's."""


def selection(compiler: Compiler, type_: GraphQLObjectType, details: FieldDetailsList) -> Selection:
    """Compile what `details` select of an object of this type. Raises NotCompiled."""
    collected = compiler.collect_subfields(type_, details)
    if collected.new_defer_usages:
        raise NotCompiled
    found = collected.grouped_field_set.items()
    origin = _origin(type_)
    fields = tuple(_field(compiler, type_, name, inner) for name, inner in found)
    return Selection(origin, fields, READS[origin](fields) if origin in READS else None)


def _field(compiler: Compiler, parent: GraphQLObjectType, name: str, details: FieldDetailsList) -> Field:
    node = details[0].node
    if node.name.value == "__typename":
        return TypeName(name, parent.name)
    definition = parent.fields.get(node.name.value)
    ours = definition.extensions.get(STRAWBERRY) if definition else None
    if definition is None or ours is None or ours.extensions:
        raise NotCompiled
    if ours.is_basic_field:
        value = _getter(_origin(parent), ours.python_name)
        return Plain(name, ours.python_name, value, shape(compiler, definition.type, details))
    edge = edges.known(_origin(parent), ours.python_name)
    if edge is None:
        raise NotCompiled
    return Asked(name, ours.python_name, edge, shape(compiler, definition.type, details), definition, details)


def _getter(origin: type, name: str) -> Callable[[Any], Any]:
    return MADE.get((origin, name)) or attrgetter(name)


def shape(compiler: Compiler, type_: GraphQLOutputType, details: FieldDetailsList) -> Shape:
    """How values of this type are completed. Raises NotCompiled."""
    found: Shape
    if is_non_null_type(type_):
        found = NotNull(_bare(compiler, type_.of_type, details))
    else:
        found = Nullable(_bare(compiler, type_, details))
    itself = leaves.ITSELF.get(get_nullable_type(type_))
    return found if itself is None else Exact(frozenset({itself}), found)


def _bare(compiler: Compiler, type_: Any, details: FieldDetailsList) -> Shape:
    if is_list_type(type_):
        item = shape(compiler, type_.of_type, details)
        return Items(item, _read(item))
    if is_leaf_type(type_):
        return Leaf(leaves.of(type_))
    if is_object_type(type_):
        return selection(compiler, type_, details)
    if is_abstract_type(type_):
        types = {_origin(each): each for each in compiler.possible_types(type_)}
        return OneOf(lambda compiler, found: selection(compiler, found, details), types)
    raise NotCompiled


def _read(item: Shape) -> Read | None:
    inner = item.inner if isinstance(item, NotNull | Nullable) else item
    return inner.read if isinstance(inner, Selection) else None


def _origin(type_: GraphQLObjectType) -> type:
    ours = type_.extensions.get(STRAWBERRY)
    if ours is None:
        raise NotCompiled
    origin: type = ours.origin
    return origin
