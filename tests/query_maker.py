"""Random valid documents over a schema: aliases, fragments with and without conditions, directives with variables,
fields asked twice. What arguments hold is said by whoever knows the data."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterable
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_object_type,
)

FLAGS = ("a", "b", "c")  # variables of @skip and @include
# The arguments of a field as GraphQL text, "" for none; None where this field shall not be asked.
Arguments = Callable[[GraphQLNamedType, str, GraphQLField], str | None]


def none_but_optional(parent: GraphQLNamedType, name: str, definition: GraphQLField) -> str | None:
    return None if any(str(argument.type).endswith("!") for argument in definition.args.values()) else ""


class Maker:
    """`most` bounds how many fields a document has."""

    def __init__(
        self, schema: GraphQLSchema, chance: random.Random, arguments: Arguments = none_but_optional, most: int = 60
    ) -> None:
        self.schema = schema
        self.chance = chance
        self.arguments = arguments
        self.left = most
        self.fragments: list[str] = []

    def document(self, depth: int) -> str:
        root = self.schema.query_type
        assert root is not None
        body = self._selections(root, depth)
        flags = ", ".join(f"${name}: Boolean!" for name in FLAGS)
        return "\n".join([f"query ({flags}) {body}", *self.fragments])

    def _selections(self, type_: GraphQLNamedType, depth: int) -> str:
        parts = [self._part(type_, depth) for _ in range(self.chance.randint(1, 5))]
        return "{ " + " ".join(["__typename", *(part for part in parts if part)]) + " }"

    def _part(self, type_: GraphQLNamedType, depth: int) -> str:
        draw = self.chance.random()
        if draw < 0.12:
            return f"...{self._condition(type_)}{self._directive()} {self._selections(type_, depth)}"
        if draw < 0.22:
            return self._spread(type_, depth)
        if is_abstract_type(type_) and draw < 0.7:
            member = self.chance.choice(list(self.schema.get_possible_types(type_)))
            return f"... on {member.name}{self._directive()} {self._selections(member, depth)}"
        return self._field(type_, depth)

    def _condition(self, type_: GraphQLNamedType) -> str:
        return f" on {type_.name}" if self.chance.random() < 0.5 else ""

    def _spread(self, type_: GraphQLNamedType, depth: int) -> str:
        name = f"f{len(self.fragments)}"
        place = len(self.fragments)
        self.fragments.append("")
        self.fragments[place] = f"fragment {name} on {type_.name} {self._selections(type_, depth)}"
        return f"...{name}{self._directive()}"

    def _directive(self) -> str:
        if self.chance.random() < 0.75:
            return ""
        return f" @{self.chance.choice(('skip', 'include'))}(if: ${self.chance.choice(FLAGS)})"

    def _field(self, type_: GraphQLNamedType, depth: int) -> str:
        found = self._askable(type_, depth)
        if not found or self.left <= 0:
            return ""
        self.left -= 1
        name, definition, given = self.chance.choice(found)
        # With other arguments, or below another type, a field could not be merged: so it gets a name of its own.
        own = f"{name}_{zlib.crc32((type_.name + given).encode()) % 1000}: {name}"
        shown = own if given or self.chance.random() < 0.5 else name
        inner = get_named_type(definition.type)
        below = self._selections(inner, depth - 1) if is_composite_type(inner) else ""
        return f"{shown}{given}{self._directive()} {below}"

    def _askable(self, type_: GraphQLNamedType, depth: int) -> list[tuple[str, GraphQLField, str]]:
        found = self._all(type_)
        return [each for each in found if depth > 0 or not is_composite_type(get_named_type(each[1].type))]

    def _all(self, type_: GraphQLNamedType) -> Iterable[tuple[str, GraphQLField, str]]:
        fields: dict[str, GraphQLField] = getattr(type_, "fields", {})
        for name, definition in fields.items():
            given = self.arguments(type_, name, definition)
            if given is not None and (is_object_type(type_) or is_abstract_type(type_)):
                yield name, definition, given


def flags(chance: random.Random) -> dict[str, Any]:
    return {name: chance.random() < 0.5 for name in FLAGS}
