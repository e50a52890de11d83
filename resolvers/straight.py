"""A query executed straight: its one root field is resolved, its selection completed, and that is all.

The library finds out for every execution which fields an operation has, what they are given and who guards them, and
the answer is the same each time. So it does that once: the first execution is the library's, and what it found is kept
with the document. It is used for a query with one root field, while its variables are built-in scalars that need no
coercion. Whatever else happens, and whatever is raised, the library executes the operation from its beginning: a query
only reads, and errors shall be the library's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, TypeAlias

from graphql import (
    GraphQLBoolean,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLString,
    OperationType,
    get_nullable_type,
)
from graphql.execution.collect_fields import FieldDetailsList, collect_fields
from graphql.execution.get_variable_signature import GraphQLVariableSignature
from graphql.execution.values import VariableValueSource
from strawberry.execution import optimized_is_awaitable
from strawberry.extensions.field_extension import build_field_extension_resolvers

from resolvers.arguments import STRAWBERRY
from resolvers.compiling import NotCompiled, shape
from resolvers.executor import Ahead, Compiled, Executor, keep
from resolvers.shapes import Pass, Shape

# The type of a variable, and the Python values that mean themselves there.
ITSELF: Mapping[Any, tuple[type, range | None]] = {
    GraphQLString: (str, None),
    GraphQLID: (str, None),
    GraphQLBoolean: (bool, None),
    GraphQLInt: (int, range(-(2**31), 2**31)),
}


# Its name, its Python type with the range where that has one, and the library's signature.
Variable: TypeAlias = tuple[str, type, range | None, GraphQLVariableSignature]


@dataclass(slots=True)
class Given:
    """The values of an execution's variables. As the library's own; where each came from is said when it asks."""

    coerced: dict[str, Any]
    variables: tuple[Variable, ...]

    @property
    def sources(self) -> dict[str, VariableValueSource]:
        return {name: VariableValueSource(signature, self.coerced[name]) for name, _, _, signature in self.variables}


@dataclass(slots=True)
class Asking:
    """What a root field's function and its guards may look at; the library's `Info` has more, and costs more."""

    context: Any
    operation: Any
    return_type: Any
    field_nodes: list[Any]

    @property
    def _raw_info(self) -> Asking:
        return self


@dataclass(frozen=True, slots=True)
class Straight:
    """How one operation of a document is executed. `ahead` is without variables, `nodes` are those of `details`."""

    ahead: Ahead
    variables: tuple[Variable, ...]
    operation: Any
    name: str
    definition: GraphQLField
    details: FieldDetailsList
    nodes: list[Any]
    resolve: Callable[..., Any]
    shape: Shape

    async def answer(self, context: Any, variables: Mapping[str, Any]) -> dict[str, Any] | None:
        """The data; None where the library is needed. Whatever is raised means the same."""
        given = self._given(variables)
        if given is None:
            return None
        context.ahead = ahead = self.ahead.of(given)
        asking = Asking(context, self.operation, self.definition.type, self.nodes)
        found = self.resolve(None, asking, **ahead.converted(self.definition, self.details))
        value = await found if optimized_is_awaitable(found) else found
        now = Pass(context, ahead)
        output = now.begin(self.shape.one, value)
        await now.settle()
        return {self.name: output}

    def _given(self, variables: Mapping[str, Any]) -> Given | None:
        coerced = {}
        for name, kind, within, _ in self.variables:
            if name not in variables:
                return None
            value = variables[name]
            if type(value) is not kind or (within is not None and value not in within):
                return None
            coerced[name] = value
        return Given(coerced, self.variables)


async def answer(
    compiled: Compiled, operation_name: str | None, variables: Mapping[str, Any], context: Any
) -> dict[str, Any] | None:
    """The data of an operation that was executed before; None where the library is needed."""
    try:
        found = compiled.straight.get((operation_name, compiled.conditions_of(variables)))
        return await found.answer(context, variables) if found else None
    except Exception:
        return None


def learn(compiled: Compiled, operation_name: str | None, executor: Executor) -> None:
    """How the operation that the library just executed without surprises is executed the next time."""
    ahead = executor.ahead
    if ahead is None or (operation_name, ahead.conditions) in compiled.straight:
        return
    keep(compiled.straight, (operation_name, ahead.conditions), _straight(executor, ahead))


def _straight(executor: Executor, ahead: Ahead) -> Straight | None:
    if executor.operation.operation is not OperationType.QUERY:
        return None
    try:
        return _of(executor, ahead)
    except NotCompiled:
        return None


def _of(executor: Executor, ahead: Ahead) -> Straight:
    root = executor.schema.query_type
    if root is None or executor.operation.directives:
        raise NotCompiled
    found = collect_fields(executor.schema, executor.fragments, executor.variable_values, root, executor.operation)
    if len(found.grouped_field_set) != 1 or found.new_defer_usages:
        raise NotCompiled
    ((name, details),) = found.grouped_field_set.items()
    definition = root.fields.get(details[0].node.name.value)
    if definition is None or STRAWBERRY not in definition.extensions:
        raise NotCompiled
    resolve = _guarded(definition.extensions[STRAWBERRY])
    completed = shape(executor, definition.type, details)
    variables = tuple(_variable(key, source.signature) for key, source in executor.variable_values.sources.items())
    begun = ahead.of(None), variables, executor.operation, name, definition, details, [each.node for each in details]
    return Straight(*begun, resolve, completed)


def _variable(name: str, signature: GraphQLVariableSignature) -> Variable:
    found = ITSELF.get(get_nullable_type(signature.type))
    if found is None:
        raise NotCompiled
    return name, *found, signature


def _guarded(field: Any) -> Callable[..., Any]:
    """The function of a root field behind its extensions, as the library puts them together."""
    resolver = field.base_resolver
    if resolver is None or resolver.parent_parameter or resolver.root_parameter:
        raise NotCompiled
    function = partial(resolver.wrapped_func, None) if resolver.self_parameter else resolver.wrapped_func
    asks = resolver.info_parameter.name if resolver.info_parameter else None

    def called(source: Any, info: Any, **given: Any) -> Any:
        return function(**given) if asks is None else function(**given, **{asks: info})

    return reduce(lambda inner, outer: partial(outer, inner), build_field_extension_resolvers(field), called)
