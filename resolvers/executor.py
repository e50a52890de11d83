"""The executor: graphql-core's, with selections completed by compiled functions wherever they can be.

A selection is compiled the first time a document asks for it and kept with the document. Which fields it has may
depend on variables of @skip and @include; so there is one for each combination of their values. When completing one
raises anything, graphql-core executes the same selection from the same object instead, and all that is left of this
operation, so that what it answers and how it tells errors is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphql import DirectiveNode, DocumentNode, GraphQLField, GraphQLObjectType, VariableNode, Visitor, visit
from graphql.execution import get_argument_values
from graphql.execution.collect_fields import FieldDetailsList
from strawberry import UNSET
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from resolvers.selection import STRAWBERRY, NotCompiled, Pass, Selection, selection

Key: TypeAlias = tuple[object, ...]
MOST = 64  # selections kept for a document: each combination of variables in @skip and @include makes its own


@dataclass(slots=True)
class Compiled:
    """The compiled selections of one document, and the variables that decide which fields they have."""

    conditions: tuple[str, ...]
    selections: dict[Key, Selection | None] = field(default_factory=dict)

    @classmethod
    def of(cls, document: DocumentNode) -> Compiled:
        found = _Conditions()
        visit(document, found)
        return cls(tuple(sorted(found.variables)))


class _Conditions(Visitor):
    """Collects the variables in directives. Definitions of variables may have none that matter here."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        values = (argument.value for argument in node.arguments or ())
        self.variables |= {value.name.value for value in values if isinstance(value, VariableNode)}


class Executor(StrawberryGraphQLCoreExecutionContext):
    """`compiled` belongs to the document; without it everything is graphql-core's. `convert` makes the arguments of a
    field what its Python function takes."""

    def __init__(
        self,
        *arguments: Any,
        compiled: Compiled | None = None,
        convert: Callable[[Any, dict[str, Any]], dict[str, Any]] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.compiled = compiled
        self.convert = convert
        self._conditions: Key = ()
        if compiled is not None:
            coerced = self.variable_values.coerced
            self._conditions = tuple(coerced.get(name) for name in compiled.conditions)

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
            outputs = now.begin(lambda now: found.complete(now, [result]))
        except Exception:
            return self._by_the_library(asked)
        return self._settled(now, outputs, asked) if now.waiting else outputs[0]

    async def _settled(self, now: Pass, outputs: list[Any], asked: tuple[Any, ...]) -> Any:
        try:
            await now.settle()
        except Exception:
            completed = self._by_the_library(asked)
            return await completed if optimized_is_awaitable(completed) else completed
        return outputs[0]

    def _by_the_library(self, asked: tuple[Any, ...]) -> Any:
        self.compiled = None
        return super().complete_object_value(*asked)

    def _selection(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Selection | None:
        if self.compiled is None:
            return None
        known = self.compiled.selections
        key = (self.operation.name and self.operation.name.value, type_.name, self._conditions, *map(_node, details))
        if key not in known:
            if len(known) >= MOST:
                known.clear()
            known[key] = self._compile(type_, details)
        return known[key]

    def _compile(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Selection | None:
        try:
            return selection(self, type_, details)
        except NotCompiled:
            return None

    def possible_types(self, type_: Any) -> Iterable[GraphQLObjectType]:
        return self.schema.get_possible_types(type_)

    def arguments(self, definition: GraphQLField, details: FieldDetailsList) -> dict[str, Any]:
        """What was given for a field, in Python's names and values; an argument left out is None, like null."""
        node = details[0].node
        given = get_argument_values(definition, node, self.variable_values, None, self.hide_suggestions)
        field_ = definition.extensions[STRAWBERRY]
        converted = self.convert(field_, given) if self.convert else given
        names = (argument.python_name for argument in field_.arguments)
        return {name: None if (value := converted.get(name)) is UNSET else value for name in names}


def _node(details: Any) -> int:
    """Nodes live as long as their document, and so as long as what is compiled for it."""
    return id(details.node)
