"""From a well-formed request to its result, for every way in: POST, GET, WebSocket, server-sent events.

    document known? · public? else NotSignedIn · valid? · which operation? · cost · execution

`prepare` decides everything that can be decided before execution; `run` executes a query or a mutation. The ways in
differ in how they receive a request and send a result, and in nothing that is here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema, OperationType
from graphql.execution import Executor

from errors import NotSignedIn
from resolvers.execution import RequestContext
from server.body import Asked
from server.documents import Document, Documents
from server.http_errors import field_errors, invalid_variables
from server.measure import Operation

INTROSPECTION = frozenset({"__schema", "__type", "__typename"})


class ExecutableSchema(Protocol):
    """What the door needs of `resolvers.execution.Schema`."""

    @property
    def graphql_schema(self) -> GraphQLSchema: ...

    async def run(
        self, document: DocumentNode, operation_name: str | None, variables: Mapping[str, Any], context: object
    ) -> ExecutionResult | list[GraphQLError]: ...

    def executor(
        self, document: DocumentNode, operation_name: str | None, variables: Mapping[str, Any], context: object
    ) -> Executor[Any] | list[GraphQLError]: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that may be executed, and the estimated number of nodes in its answer."""

    asked: Asked
    document: Document
    operation: Operation
    cost: int

    @property
    def kind(self) -> OperationType:
        return self.operation.node.operation


@dataclass(frozen=True, slots=True)
class Answering:
    schema: ExecutableSchema
    documents: Documents
    public_mutations: frozenset[str]
    open_introspection: bool

    def prepare(self, asked: Asked, *, signed_in: bool) -> Prepared:
        """Refuses, first match wins: DocumentRejected (unreadable, beyond a limit), NotSignedIn, DocumentRejected
        (invalid, no such operation, too expensive)."""
        document = self.documents.read(asked.query)
        if not signed_in and not self._is_public(document):
            raise NotSignedIn
        self.documents.validate(document)
        operation = document.operation(asked.operation_name)
        return Prepared(asked, document, operation, document.cost(operation, asked.variables))

    async def run(self, prepared: Prepared, context: RequestContext, request_id: str) -> dict[str, Any]:
        """The body of the answer to a query or mutation. Raises DocumentRejected for variables that do not fit."""
        asked, node = prepared.asked, prepared.document.node
        result = await self.schema.run(node, prepared.operation.name, asked.variables, context)
        if isinstance(result, list):
            raise invalid_variables(result)
        return body(result, prepared.cost, request_id)

    def executor(self, prepared: Prepared, context: RequestContext) -> Executor[Any]:
        """For a subscription. Raises DocumentRejected for variables that do not fit."""
        asked, node = prepared.asked, prepared.document.node
        found = self.schema.executor(node, prepared.operation.name, asked.variables, context)
        if isinstance(found, list):
            raise invalid_variables(found)
        return found

    def _is_public(self, document: Document) -> bool:
        """Whether somebody who is not signed in may ask this: every root field of every operation counts."""
        operations = document.measure.operations
        return all(_are_public(each.sum.roots, self._public(each.node.operation)) for each in operations)

    def _public(self, kind: OperationType) -> frozenset[str]:
        public = self.public_mutations if kind is OperationType.MUTATION else frozenset[str]()
        return public | INTROSPECTION if self.open_introspection else public


def body(result: ExecutionResult, cost: int, request_id: str) -> dict[str, Any]:
    """What an execution gave, as a client may see it."""
    errors = {"errors": field_errors(result.errors, request_id)} if result.errors else {}
    return {**errors, "data": result.data, "extensions": {"cost": cost}}


def _are_public(roots: Collection[str], public: frozenset[str]) -> bool:
    return bool(roots) and public.issuperset(roots)
