"""How a document is executed, and what the door and the resolvers agree on.

This file, `executor.py`, `compiling.py`, `selection.py`, `shapes.py`, `arguments.py`, `straight.py` and `leaves.py` are
the ones that touch private names of strawberry and graphql-core, so that a new version of either breaks here and
nowhere else (`tests/test_http_execution.py` asks for names that no import asks for).

The library's own `Schema.execute` is not used by the door: it parses and validates again on every request, it
answers request errors and field errors in the same shape although HTTP needs them apart, and it logs the source
line of every error, which may hold a connect code. Schema extensions are therefore not run; guards are field
extensions, which are.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from inspect import isawaitable
from typing import Any, Final, Literal, Protocol

import strawberry
from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema
from strawberry.execution import optimized_is_awaitable
from strawberry.types.arguments import convert_arguments
from strawberry.types.execution import ExecutionContext

import limits
from resolvers import straight
from resolvers.credential import Credential
from resolvers.executor import Compiled, Executor


class SessionChange(enum.Enum):
    ENDED = "ended"


ENDED: Final = SessionChange.ENDED


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What the door knows of a request before anything of it is believed."""

    credential: Credential | None
    address: str
    now: datetime
    request_id: str
    attended: bool = True  # False where the server asks by itself: watching is not using, and keeps no session alive
    browser: str = ""  # what it says that it is, at most 200 printable characters
    confirmed: bool | None = None  # whether what is remembered is known to be true for it; None: nobody asked yet
    clock: Callable[[], datetime] | None = None  # for what goes on after `now`: a subscription


class RequestContext(Protocol):
    """What the door reads of the context that resolvers work with."""

    @property
    def actor(self) -> object | None:
        """None while nobody is signed in."""

    @property
    def user_id(self) -> object | None:
        """The actor's; the same for every session of one person."""

    @property
    def policy_digest(self) -> str:
        """Of the set by which this request is decided."""

    @property
    def session_change(self) -> str | Literal[SessionChange.ENDED] | None:
        """After execution: a new reference for the cookie, ENDED to clear it, None to leave it."""


class Schema(strawberry.Schema):
    @property
    def graphql_schema(self) -> GraphQLSchema:
        return self._schema

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,
    ) -> None:
        """Logs nothing: strawberry would log document lines. The door logs what is unexpected, once."""

    async def run(
        self,
        document: DocumentNode,
        operation_name: str | None,
        variables: Mapping[str, Any],
        context: object,
        compiled: Compiled | None = None,
    ) -> ExecutionResult | list[GraphQLError]:
        """Execute a validated document. A list of errors means that execution did not begin (no `data`)."""
        data = await straight.answer(compiled, operation_name, variables, context) if compiled else None
        if data is not None:
            return ExecutionResult(data, None)
        executor = self.executor(document, operation_name, variables, context, compiled)
        if isinstance(executor, list):
            return executor
        result = executor.execute_operation()
        if isawaitable(result):
            result = await result
        if not isinstance(result, ExecutionResult):
            raise TypeError("incremental delivery is not supported")
        if compiled is not None:
            straight.learn(compiled, operation_name, executor)
        return result

    def executor(
        self,
        document: DocumentNode,
        operation_name: str | None,
        variables: Mapping[str, Any],
        context: object,
        compiled: Compiled | None = None,
    ) -> Executor | list[GraphQLError]:
        """What executes a validated document, or why it cannot begin.

        `compiled` is what was compiled for this document before; without it graphql-core does everything.
        """
        found: Executor | list[GraphQLError] = Executor.build(  # type: ignore[assignment]  # says Executor for Self
            self._schema,
            document,
            context_value=context,
            raw_variable_values=dict(variables),
            operation_name=operation_name,
            max_coercion_errors=limits.of("errors_returned"),
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # says bool where it could say TypeGuard
            hide_suggestions=True,
            operation_extensions={},
            compiled=compiled,
            convert=self._convert,
        )
        return found

    def _convert(self, field: Any, given: dict[str, Any]) -> dict[str, Any]:
        registry = self.schema_converter.scalar_registry
        return convert_arguments(given, field.arguments, scalar_registry=registry, config=self.config)
