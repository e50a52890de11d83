"""From a well-formed request to its result, for every way in: POST, GET, WebSocket, server-sent events.

    document known? · public? else NotSignedIn · valid? · which operation? · cost · execution

`prepare` decides everything that can be decided before execution; `run` executes a query or a mutation. The ways in
differ in how they receive a request and send a result, and in nothing that is here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from graphql import ExecutionResult, OperationType
from graphql.execution import Executor

from errors import NotSignedIn
from resolvers.execution import RequestContext, Schema
from server.body import Asked
from server.documents import Document, Documents
from server.http_errors import Code, RequestRejected, field_errors, invalid_variables
from server.measure import Operation
from server.stored import StoredDocuments

INTROSPECTION = frozenset({"__schema", "__type", "__typename"})


@dataclass(slots=True)
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
    schema: Schema
    documents: Documents
    stored: StoredDocuments
    public_mutations: frozenset[str]
    open_introspection: bool

    def prepare(self, asked: Asked, *, signed_in: bool, safe: bool = False) -> Prepared:
        """`safe`: by a method that must change nothing. Refuses, first match wins: DocumentRejected (not stored,
        unreadable, beyond a limit), RequestRejected (a mutation by such a method), NotSignedIn, DocumentRejected
        (invalid, no such operation, too expensive)."""
        document = self._document(asked)
        if safe:
            _refuse_a_mutation(document.operation(asked.operation_name))
        if not signed_in and not self._is_public(document):
            raise NotSignedIn
        self.documents.validate(document)
        operation = document.operation(asked.operation_name)
        return Prepared(asked, document, operation, document.cost(operation, asked.variables))

    async def run(self, prepared: Prepared, context: RequestContext, request_id: str) -> dict[str, Any]:
        """The body of the answer to a query or mutation. Raises DocumentRejected for variables that do not fit."""
        document, name = prepared.document, prepared.operation.name
        result = await self.schema.run(document.node, name, prepared.asked.variables, context, document.compiled)
        if isinstance(result, list):
            raise invalid_variables(result)
        return body(result, prepared.cost, request_id)

    def _document(self, asked: Asked) -> Document:
        if asked.document_id is not None:
            return self.stored.find(asked.document_id)
        self.stored.refuse_text()
        return self.documents.read(asked.query or "")

    def executor(self, prepared: Prepared, context: RequestContext) -> Executor[Any]:
        """For a subscription. Raises DocumentRejected for variables that do not fit."""
        document, name = prepared.document, prepared.operation.name
        found = self.schema.executor(document.node, name, prepared.asked.variables, context, document.compiled)
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


def _refuse_a_mutation(operation: Operation) -> None:
    if operation.node.operation is OperationType.MUTATION:
        raise RequestRejected(405, Code.METHOD_NOT_ALLOWED, "send mutations by POST", Allow="POST")


def _are_public(roots: Collection[str], public: frozenset[str]) -> bool:
    return bool(roots) and public.issuperset(roots)
