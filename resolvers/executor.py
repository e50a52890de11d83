"""The executor: graphql-core's, with selections completed by compiled functions wherever they can be.

A selection is compiled the first time a document asks for it and kept with the document. Which fields it has may
depend on variables of @skip and @include; so there is one for each combination of their values. When completing one
raises anything, graphql-core executes the same selection from the same object instead, and all that is left of this
operation, so that what it answers and how it tells errors is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import strawberry
from graphql import (
    DirectiveNode,
    DocumentNode,
    GraphQLField,
    GraphQLObjectType,
    VariableNode,
    Visitor,
    get_named_type,
    visit,
)
from graphql.execution.collect_fields import FieldDetailsList
from strawberry import UNSET
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from resolvers import arguments, edges
from resolvers.arguments import STRAWBERRY, Arguments, Convert
from resolvers.compiling import NotCompiled, selection
from resolvers.selection import Asked, Selection
from resolvers.shapes import Pass, Shape

Key: TypeAlias = tuple[object, ...]
Value = TypeVar("Value")
Made = TypeVar("Made")
Make: TypeAlias = Callable[[dict[str, Any], Shape], Made | None]
MOST = 64  # of each sort kept for a document: each combination of variables in @skip and @include makes its own


@dataclass(slots=True)
class Compiled:
    """The compiled selections of one document, and the variables that decide which fields they have."""

    conditions: tuple[str, ...]
    selections: dict[Key, Selection | None] = field(default_factory=dict)
    arguments: dict[int, Arguments | None] = field(default_factory=dict)  # by the field's node
    fixed: dict[int, dict[str, Any]] = field(default_factory=dict)  # what an edge is given in every execution
    straight: dict[Key, Any] = field(default_factory=dict)  # how operations are executed (`straight.py`)
    below: dict[Key, Any] = field(default_factory=dict)  # what resolvers made of what is asked below their fields

    def are_fixed(self, details: FieldDetailsList) -> bool:
        """Whether a field is given the same in every execution. Known once it was given anything."""
        found = self.arguments.get(id(details[0].node))
        return found is not None and not found.varying

    def conditions_of(self, variables: Mapping[str, Any]) -> Key:
        return tuple(variables.get(name) for name in self.conditions)

    @classmethod
    def of(cls, document: DocumentNode) -> Compiled:
        found = _Conditions()
        visit(document, found)
        return cls(tuple(sorted(found.variables)))


def keep(known: dict[Key, Value], key: Key, value: Value) -> None:
    if len(known) >= MOST:
        known.clear()
    known[key] = value


class _Conditions(Visitor):
    """Collects the variables in directives. Definitions of variables may have none that matter here."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        values = (argument.value for argument in node.arguments or ())
        self.variables |= {value.name.value for value in values if isinstance(value, VariableNode)}


@dataclass(slots=True)
class Ahead:
    """What one execution will ask for, for a resolver that can fetch it along with its own row."""

    compiled: Compiled
    operation: str | None
    conditions: Key
    variables: Any
    convert: Convert
    known: dict[int, dict[str, Any]] = field(default_factory=dict)  # arguments by the field's node

    def of(self, variables: Any) -> Ahead:
        """The same for another execution, under which the same fields are asked for."""
        return Ahead(self.compiled, self.operation, self.conditions, variables, self.convert)

    def below(self, info: strawberry.Info, parent: type, name: str, make: Make[Made]) -> Made | None:
        """What `make` makes of how field `name` of `parent` is asked for right below the field that `info` is about:
        its arguments and its shape. Made once where those are the same in every execution. None where the field is not
        asked once, or where that is not known yet: the first time a document is executed.
        """
        raw = info._raw_info
        nodes = (self.operation, self.conditions, *map(id, raw.field_nodes))
        made: Made | None = self.compiled.below.get((make, nodes))
        if made is not None:
            return made
        asked = self._asked_below((self.operation, get_named_type(raw.return_type).name, *nodes[1:]), parent, name)
        if asked is None:
            return None
        made = make(self.arguments(asked.definition, asked.details), asked.shape)
        if self.compiled.are_fixed(asked.details):
            keep(self.compiled.below, (make, nodes), made)
        return made

    def _asked_below(self, selected: Key, parent: type, name: str) -> Asked | None:
        found = self.compiled.selections.get(selected)
        edge = edges.known(parent, name)
        asked = [each for each in (found.fields if found else ()) if isinstance(each, Asked) and each.edge is edge]
        return asked[0] if len(asked) == 1 else None

    def arguments(self, definition: GraphQLField, details: FieldDetailsList) -> dict[str, Any]:
        """What was given for an edge, in Python's names and values; an argument left out is None, like null."""
        node = id(details[0].node)
        found = self.compiled.fixed.get(node) or self.known.get(node)
        if found is None:
            converted = self.converted(definition, details)
            names = [argument.python_name for argument in definition.extensions[STRAWBERRY].arguments]
            found = {name: None if (v := converted.get(name)) is UNSET else v for name in names}
            known = self.compiled.fixed if self.compiled.are_fixed(details) else self.known
            known[node] = found
        return found

    def converted(self, definition: GraphQLField, details: FieldDetailsList) -> dict[str, Any]:
        """What was given for a field, in Python's names and values."""
        node, kept = details[0].node, self.compiled.arguments
        arguments_ = kept.get(id(node))
        found = arguments_.given(self.variables.coerced) if arguments_ else None
        if found is not None:
            return found
        converted = arguments.by_the_library(definition, node, self.variables, self.convert)
        if id(node) not in kept:
            kept[id(node)] = arguments.of(definition, node, converted)
        return converted

    # As `Compiler`, while nothing has to be compiled.
    def collect_subfields(self, return_type: GraphQLObjectType, field_details_list: FieldDetailsList) -> Any:
        raise NotCompiled

    def possible_types(self, type_: Any) -> Iterable[GraphQLObjectType]:
        raise NotCompiled


def _unchanged(field: Any, given: dict[str, Any]) -> dict[str, Any]:
    return given


class Executor(StrawberryGraphQLCoreExecutionContext):
    """`compiled` belongs to the document; without it everything is graphql-core's."""

    def __init__(
        self, *arguments: Any, compiled: Compiled | None = None, convert: Convert = _unchanged, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._tell(self._ahead(compiled, convert) if compiled is not None else None)

    def _tell(self, ahead: Ahead | None) -> None:
        self.ahead = ahead
        if hasattr(self.context_value, "ahead"):
            self.context_value.ahead = ahead

    def _ahead(self, compiled: Compiled, convert: Convert) -> Ahead:
        coerced = self.variable_values.coerced
        name = self.operation.name.value if self.operation.name else None
        return Ahead(compiled, name, compiled.conditions_of(coerced), self.variable_values, convert)

    def complete_object_value(
        self,
        return_type: GraphQLObjectType,
        field_details_list: FieldDetailsList,
        info: Any,
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        asked = (return_type, field_details_list, info, path, result, position_context)
        found = self._selection(return_type, field_details_list)
        if found is None:
            return super().complete_object_value(*asked)
        try:
            now = Pass(self.context_value, self)
            output = now.begin(found.one, result)
        except Exception:
            return self._by_the_library(asked)
        return self._settled(now, output, asked) if now.waiting else output

    async def _settled(self, now: Pass, output: Any, asked: tuple[Any, ...]) -> Any:
        try:
            await now.settle()
        except Exception:
            completed = self._by_the_library(asked)
            return await completed if optimized_is_awaitable(completed) else completed
        return output

    def _by_the_library(self, asked: tuple[Any, ...]) -> Any:
        self._tell(None)
        return super().complete_object_value(*asked)

    def _selection(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Selection | None:
        if self.ahead is None:
            return None
        known = self.ahead.compiled.selections
        nodes = (id(each.node) for each in details)  # nodes live as long as the document that these are kept with
        key = (self.ahead.operation, type_.name, self.ahead.conditions, *nodes)
        if key not in known:
            keep(known, key, self._compile(type_, details))
        return known[key]

    def _compile(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Selection | None:
        try:
            return selection(self, type_, details)
        except NotCompiled:
            return None

    def possible_types(self, type_: Any) -> Iterable[GraphQLObjectType]:
        return self.schema.get_possible_types(type_)

    def arguments(self, definition: GraphQLField, details: FieldDetailsList) -> dict[str, Any]:
        if self.ahead is None:
            raise NotCompiled
        return self.ahead.arguments(definition, details)
