"""Leaf values, completed by functions that know their type: what graphql-core finds out for each value, found out once.

Each function answers exactly as the type's own `coerce_output_value` for the values it knows, and hands every other
value to it. What that would report as an error is Unexpected: graphql-core shall say it, in its words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from graphql import (
    GraphQLBoolean,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
    Undefined,
    is_enum_type,
)
from strawberry.execution import optimized_is_awaitable

# From values of which none is null to what stands in the answer.
Complete: TypeAlias = Callable[[Sequence[Any]], list[Any]]

# Values of exactly this Python type go into the answer unchanged.
ITSELF: Mapping[Any, type] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}
_INT = range(-(2**31), 2**31)


class Unexpected(Exception):
    """A value that a compiled selection does not complete: an error, or nothing that it was made for."""


def of(type_: GraphQLLeafType) -> Complete:
    """The function that completes values of this type."""
    one = _one(type_)
    if type_ in ITSELF:
        return _as_they_are(ITSELF[type_], one)
    if type_ is GraphQLInt:
        return lambda values: [v if type(v) is int and v in _INT else one(v) for v in values]
    if type_ is GraphQLFloat:
        return lambda values: [v if type(v) is float and math.isfinite(v) else one(v) for v in values]
    return _enum(type_, one) if is_enum_type(type_) else lambda values: [one(value) for value in values]


def _as_they_are(kind: type, one: Callable[[Any], Any]) -> Complete:
    return lambda values: [value if type(value) is kind else one(value) for value in values]


def _enum(type_: Any, one: Callable[[Any], Any]) -> Complete:
    """By look-up: the library compares with every value of the enum."""
    members = getattr(type_, "wrapped_cls", None)
    names = {member.name: type_.coerce_output_value(member) for member in members or ()}

    def complete(values: Sequence[Any]) -> list[Any]:
        return [names[value._name_] if type(value) is members else one(value) for value in values]

    return complete


def _one(type_: GraphQLLeafType) -> Callable[[Any], Any]:
    coerce = type_.coerce_output_value

    def complete(value: Any) -> Any:
        if value is Undefined or isinstance(value, Exception) or optimized_is_awaitable(value):
            raise Unexpected
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise Unexpected
        return coerced

    return complete
