"""Leaf values, completed by functions that know their type: what graphql-core finds out for each value, found out once.

Each function answers exactly as the type's own `coerce_output_value` for the values it knows, and hands every other
value to it. What that would report as an error is Unexpected: graphql-core shall say it, in its words.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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

Complete: TypeAlias = Callable[[Any], Any]

_INT = range(-(2**31), 2**31)


class Unexpected(Exception):
    """A value that a compiled selection does not complete: an error, or nothing that it was made for."""


def of(type_: GraphQLLeafType) -> Complete:
    """The function that completes values of this type, none of them null."""
    general = _general(type_)
    if type_ is GraphQLString or type_ is GraphQLID:
        return lambda value: value if type(value) is str else general(value)
    if type_ is GraphQLBoolean:
        return lambda value: value if type(value) is bool else general(value)
    if type_ is GraphQLInt:
        return lambda value: value if type(value) is int and value in _INT else general(value)
    if type_ is GraphQLFloat:
        return lambda value: value if type(value) is float and math.isfinite(value) else general(value)
    return _enum(type_, general) if is_enum_type(type_) else general


def _general(type_: GraphQLLeafType) -> Complete:
    coerce = type_.coerce_output_value

    def complete(value: Any) -> Any:
        if value is Undefined or isinstance(value, Exception) or optimized_is_awaitable(value):
            raise Unexpected
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise Unexpected
        return coerced

    return complete


def _enum(type_: Any, general: Complete) -> Complete:
    """By look-up: the library compares with every value of the enum."""
    members = getattr(type_, "wrapped_cls", ())
    names = {member.name: type_.coerce_output_value(member) for member in members}

    def complete(value: Any) -> Any:
        return names[value._name_] if type(value) is members else general(value)

    return complete
