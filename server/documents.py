"""Documents, parsed, measured and validated once, however often they are sent.

Order: tokens while parsing, then our own measure (linear), then the standard validation, whose one quadratic rule
has a budget. So a document made to be expensive is refused before it is. What is kept is found by the sha256 of the
text, and bounded in tokens, because a parsed document takes some 600 bytes for each. Nothing is kept that depends
on variables. A mutation with a literal in it is not kept at all: the literal may be a password or a connect code,
and no such text comes twice.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from graphql import DocumentNode, GraphQLError, GraphQLSchema, GraphQLSyntaxError, OperationType, parse, validate
from graphql.validation.rules import overlapping_fields_can_be_merged
from graphql.validation.validate import ValidationAbortedError

import limits
from resolvers.executor import Compiled
from server import measure, redaction
from server.http_errors import Code, DocumentRejected, ErrorBody, document_rejected, error, located
from server.measure import Measure, Operation

# graphql-core's own switch; a comparison costs two units.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = limits.of("document_overlaps")

# At most one field of each group in a document: aliases would multiply the guesses, or the password hashing.
EXCLUSIVE = (frozenset({"previewToken", "connectAgent"}), frozenset({"signIn"}), frozenset({"signUp"}))

_LITERAL = re.compile(r'"|(?<![A-Za-z0-9_])[0-9]')


@dataclass(slots=True)
class Document:
    node: DocumentNode
    measure: Measure
    compiled: Compiled
    invalid: list[ErrorBody] | None = None  # what the schema says against it; None until it was asked

    def operation(self, name: str | None) -> Operation:
        """The operation to execute. Raises DocumentRejected when the request does not say which."""
        if not name and len(self.measure.operations) == 1:
            return self.measure.operations[0]
        if not name:
            raise document_rejected(Code.OPERATION_NOT_FOUND, "say with operationName which operation to execute")
        for operation in self.measure.operations:
            if operation.name == name:
                return operation
        raise document_rejected(Code.OPERATION_NOT_FOUND, "the document has no operation with this operationName")

    def cost(self, operation: Operation, variables: Mapping[str, object]) -> int:
        """The estimated number of nodes. Raises DocumentRejected above the budget."""
        nodes = self.measure.nodes(operation, variables)
        most = limits.of("document_nodes")
        if nodes > most:
            message = f"the answer may hold {nodes} nodes; at most {most}: ask for smaller pages or fewer levels"
            raise DocumentRejected([error(Code.DOCUMENT_TOO_EXPENSIVE, message)], nodes)
        return nodes


class Documents:
    """The cache. Entries are documents, or the errors of texts that are none."""

    def __init__(self, schema: GraphQLSchema, hide_suggestions: bool) -> None:
        self._schema = schema
        self._hide_suggestions = hide_suggestions
        self._kept: OrderedDict[bytes, tuple[int, Document | list[ErrorBody]]] = OrderedDict()
        self._tokens = 0

    def read(self, text: str) -> Document:
        """Parse and measure. Raises DocumentRejected."""
        key = hashlib.sha256(text.encode()).digest()
        entry = self._find(key)
        if entry is None:
            entry = self._parse(text)
            self._keep(key, text, entry)
        if isinstance(entry, Document):
            return entry
        raise DocumentRejected(entry)

    def compile(self, text: str) -> Document:
        """Parse, measure and validate, and keep nothing. Raises DocumentRejected."""
        entry = self._parse(text)
        if not isinstance(entry, Document):
            raise DocumentRejected(entry)
        self.validate(entry)
        return entry

    def validate(self, document: Document) -> None:
        """Check against the schema, once. Raises DocumentRejected; only for callers who may know the schema."""
        if document.invalid is None:
            document.invalid = self._errors(document.node)
        if document.invalid:
            raise DocumentRejected(document.invalid)

    def _errors(self, node: DocumentNode) -> list[ErrorBody]:
        most = limits.of("errors_returned")
        found = validate(self._schema, node, redaction.RULES, max_errors=most, hide_suggestions=self._hide_suggestions)
        return [_invalid(each) for each in found if not _is_the_count(each)][:most]

    def _parse(self, text: str) -> Document | list[ErrorBody]:
        try:
            node = parse(
                text,
                max_lexical_tokens=limits.of("document_tokens"),
                max_comments=limits.of("document_comments"),
            )
            document = Document(node, measure.of(self._schema, node), Compiled.of(node))
        except GraphQLSyntaxError as syntax:
            return [_unparsable(syntax)]
        except measure.Cycle:
            return [error(Code.GRAPHQL_VALIDATION_FAILED, "fragments must not spread themselves")]
        return _beyond_limits(document.measure) or document

    def _find(self, key: bytes) -> Document | list[ErrorBody] | None:
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][1]

    def _keep(self, key: bytes, text: str, entry: Document | list[ErrorBody]) -> None:
        if isinstance(entry, Document) and _may_hold_a_secret(text, entry):
            return
        self._tokens -= self._kept.pop(key, (0, entry))[0]
        weight = 4 + (entry.node.token_count if isinstance(entry, Document) else len(entry))
        self._kept[key] = (weight, entry)
        self._tokens += weight
        while self._tokens > limits.of("document_cache_tokens"):
            self._tokens -= self._kept.popitem(last=False)[1][0]


def _may_hold_a_secret(text: str, document: Document) -> bool:
    changes = any(each.node.operation is OperationType.MUTATION for each in document.measure.operations)
    return changes and _LITERAL.search(text) is not None


def _beyond_limits(measured: Measure) -> list[ErrorBody]:
    sums = [operation.sum for operation in measured.operations]
    roots: Counter[str] = sum((each.roots for each in sums), Counter())
    counts = (
        ("document_depth", max((each.depth for each in sums), default=0)),
        ("document_aliases", sum(each.aliases for each in sums)),
        ("document_directives", sum(each.directives for each in sums)),
    )
    found = [
        f"the document has {count} {limits.LIMITS[name].unit}, fragments included; at most {limits.of(name)}"
        for name, count in counts
        if count > limits.of(name)
    ]
    for group in EXCLUSIVE:
        if sum(roots[name] for name in group) > 1:
            found.append(f"at most one of {' and '.join(sorted(group))} in one document, once")
    return [error(Code.DOCUMENT_TOO_EXPENSIVE, message) for message in found]


def _unparsable(syntax: GraphQLSyntaxError) -> ErrorBody:
    description = syntax.message.removeprefix("Syntax Error: ")
    if description.startswith("Document contains more than"):
        return located(Code.DOCUMENT_TOO_EXPENSIVE, description.partition(".")[0].lower(), syntax)
    return located(Code.GRAPHQL_PARSE_FAILED, redaction.about_syntax(syntax), syntax)


def _invalid(found: GraphQLError) -> ErrorBody:
    if isinstance(found, ValidationAbortedError):
        message = "the document repeats fields too often to check that they can be merged"
        return error(Code.DOCUMENT_TOO_EXPENSIVE, message)
    return located(Code.GRAPHQL_VALIDATION_FAILED, found.message, found)


def _is_the_count(found: GraphQLError) -> bool:
    """The library's remark that there are more errors than were asked for."""
    return isinstance(found, ValidationAbortedError) and found.message.startswith("Too many validation errors")
