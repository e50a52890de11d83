"""What a field of a document is given, with as little work for each execution as there is difference between two.

The library coerces and converts every argument of every execution. An argument that is written out in the document is
the same each time. One that is a variable of a built-in scalar was coerced when the operation began, and means itself.
Everything else is left to the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import (
    FieldNode,
    GraphQLBoolean,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLString,
    ListValueNode,
    ObjectValueNode,
    VariableNode,
    get_nullable_type,
)
from graphql.execution import get_argument_values

Convert: TypeAlias = Callable[[Any, dict[str, Any]], dict[str, Any]]  # a field's arguments as its function takes them

STRAWBERRY = "strawberry-definition"  # where the library keeps its own definition of a GraphQL type or field
SCALARS = (GraphQLString, GraphQLID, GraphQLInt, GraphQLBoolean)


@dataclass(frozen=True, slots=True)
class Arguments:
    """In Python's names. `fixed` are the same in every execution, `varying` are variables."""

    fixed: Mapping[str, Any]
    varying: tuple[tuple[str, str], ...]

    def given(self, coerced: Mapping[str, Any]) -> dict[str, Any] | None:
        """None where a variable was left out: then there may be a default."""
        found = dict(self.fixed)
        for name, variable in self.varying:
            if variable not in coerced:
                return None
            found[name] = coerced[variable]
        return found


def by_the_library(definition: GraphQLField, node: FieldNode, variables: Any, convert: Convert) -> dict[str, Any]:
    given = get_argument_values(definition, node, variables, None, True)
    return convert(definition.extensions[STRAWBERRY], given)


def of(definition: GraphQLField, node: FieldNode, converted: Mapping[str, Any]) -> Arguments | None:
    """How the arguments of other executions follow from the variables; `converted` are those of one execution. None
    where the library is needed each time."""
    names = {argument.name.value: argument.value for argument in node.arguments or ()}
    varying = {name: value.name.value for name, value in names.items() if isinstance(value, VariableNode)}
    if any(get_nullable_type(definition.args[name].type) not in SCALARS for name in varying):
        return None
    if any(_varies(value) for name, value in names.items() if name not in varying):
        return None
    python = {name: argument.python_name for name, argument in _arguments(definition)}
    fixed = {
        python[name]: converted[python[name]] for name in python if python[name] in converted and name not in varying
    }
    if not all(_is_safe(value) for value in fixed.values()):
        return None
    return Arguments(fixed, tuple((python[name], variable) for name, variable in varying.items()))


def _arguments(definition: GraphQLField) -> Iterator[tuple[str, Any]]:
    """Ours by the names in the schema."""
    return zip(definition.args, definition.extensions[STRAWBERRY].arguments, strict=True)


def _varies(value: Any) -> bool:
    if isinstance(value, ListValueNode):
        return any(map(_varies, value.values))
    if isinstance(value, ObjectValueNode):
        return any(_varies(each.value) for each in value.fields)
    return isinstance(value, VariableNode)


def _is_safe(value: Any) -> bool:
    """Whether nobody can change it for the executions that come later."""
    return value is None or isinstance(value, str | int | bool)
