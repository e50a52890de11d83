"""Stored documents: what a frontend ships, known by the sha256 of its text.

They come from manifest files that the frontend's build writes (`manifest.py`). Everything in them is parsed, measured
and validated when the server starts, and anything wrong stops the start: a page that cannot work should be found by
who deploys it, not by who opens it. They are held apart from the bounded cache of `documents.py`, so that no flood of
other texts can push them out, and a mutation with a literal in it may be held too: what everybody's browser has loaded
is no secret.

With `only`, nothing else is executed, which takes the writing of queries from everybody but the frontend's authors.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from graphql import GraphQLSchema

from server import manifest
from server.documents import Document, Documents
from server.http_errors import Code, DocumentRejected, ErrorBody, document_rejected
from server.manifest import Entry, ManifestRejected


@dataclass(frozen=True, slots=True)
class StoredDocuments:
    by_hash: Mapping[str, Document] = field(default_factory=dict, repr=False)
    only: bool = False

    def find(self, document_id: str) -> Document:
        """Raises DocumentRejected."""
        document = self.by_hash.get(document_id.removeprefix(manifest.PREFIX))
        if document is None:
            message = "no stored document has this id; the server's manifest is perhaps older than the page: try again"
            raise document_rejected(Code.PERSISTED_DOCUMENT_NOT_FOUND, message)
        return document

    def refuse_text(self) -> None:
        """Raises DocumentRejected where only stored documents are answered."""
        if self.only:
            message = "only stored documents are answered here: send the documentId of one, without query"
            raise document_rejected(Code.PERSISTED_DOCUMENT_REQUIRED, message)


def load(files: Iterable[Path], schema: GraphQLSchema, *, only: bool = False) -> StoredDocuments:
    """Raises ManifestRejected with everything that is wrong in any of the files."""
    problems: list[str] = []
    by_hash: dict[str, Document] = {}
    for file in files:
        try:
            with _collector_asleep():
                by_hash |= compiled(manifest.read(file), schema)
        except ManifestRejected as rejected:
            problems += rejected.problems
    if problems:
        raise ManifestRejected(problems)
    return StoredDocuments(by_hash, only)


def compiled(entries: Sequence[Entry], schema: GraphQLSchema) -> dict[str, Document]:
    """The documents by their hashes, validated. Raises ManifestRejected."""
    documents = Documents(schema, hide_suggestions=False)
    found: dict[str, Document] = {}
    problems: list[str] = []
    for entry in entries:
        try:
            found[entry.hash] = _within_budget(documents.compile(entry.text))
        except DocumentRejected as rejected:
            problems += [entry.problem(_said(each)) for each in rejected.errors]
    if problems:
        raise ManifestRejected(problems)
    return found


@contextmanager
def _collector_asleep() -> Iterator[None]:
    """2 ms for each document instead of 3.5: all of this stays, and there is nothing in it to collect."""
    awake = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if awake:
            gc.enable()


def _within_budget(document: Document) -> Document:
    """Refuses what costs too much whatever its variables are: with the least that each of them can ask for."""
    for operation in document.measure.operations:
        names = (each.variable.name.value for each in operation.node.variable_definitions or ())
        document.cost(operation, dict.fromkeys(names, 1))
    return document


def _said(error: ErrorBody) -> str:
    places = error.get("locations") or ()
    return " ".join([*(f"{place['line']}:{place['column']}" for place in places[:1]), error["message"]])
