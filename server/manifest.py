"""Manifest files: the documents that a frontend ships, in the forms in which frontends' tools write them.

    {"<sha256>": "<text>", …}                       GraphQL Code Generator, Relay
    {"format": "apollo-persisted-query-manifest",   Apollo, and `sparekey documents build`
     "version": 1, "operations": [{"id", "name", "type", "body"}, …]}

An id is the sha256 of the text, in lower-case hexadecimal, with or without `sha256:` before it. It is computed anew
here: an id that stands for another text would run what nobody reviewed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

PREFIX = "sha256:"
APOLLO = "apollo-persisted-query-manifest"
FORMS = f'write an object of id → document text, or Apollo\'s {{"format": "{APOLLO}", "version": 1, "operations": […]}}'
MAKE_SHA256 = (
    "ids are the sha256 of the exact text: GraphQL Code Generator needs hashAlgorithm: 'sha256', "
    'Relay "algorithm": "SHA256" in its persistConfig'
)


class ManifestRejected(Exception):
    """The message has one line for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True, slots=True)
class Entry:
    file: Path
    id: str
    text: str = field(repr=False)
    name: str = ""

    @property
    def hash(self) -> str:
        return self.id.removeprefix(PREFIX)

    def problem(self, message: str) -> str:
        name = f" ({self.name})" if self.name else ""
        return f"{self.file}: document {self.hash[:12]}{name}: {message}"


def id_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read(file: Path) -> list[Entry]:
    """Raises ManifestRejected."""
    return entries(file, _content(file))


def entries(file: Path, content: Mapping[str, Any]) -> list[Entry]:
    """Of a manifest with this content. Raises ManifestRejected, whose messages name the file."""
    found = list(_entries(file, content))
    problems = [entry.problem(MAKE_SHA256) for entry in found if entry.hash != id_of(entry.text)]
    if not found:
        problems = [f"{file}: there is no document in it; build the frontend first, or leave the file out"]
    if problems:
        raise ManifestRejected(problems)
    return found


def _content(file: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(file.read_bytes())
    except OSError as fault:
        raise ManifestRejected([f"{file}: cannot be read ({fault.strerror}); name a file that exists"]) from None
    except ValueError as fault:
        raise ManifestRejected([f"{file}: is not JSON ({fault}); {FORMS}"]) from None
    if not isinstance(content, dict):
        raise ManifestRejected([f"{file}: is not an object; {FORMS}"])
    return content


def _entries(file: Path, content: Mapping[str, Any]) -> Iterator[Entry]:
    if "format" not in content:
        for id, text in content.items():
            yield _entry(file, id, text)
        return
    operations = content.get("operations")
    if content["format"] != APOLLO or content.get("version") != 1 or not isinstance(operations, list):
        raise ManifestRejected([f"{file}: its format is unknown; {FORMS}"])
    for number, operation in enumerate(operations, 1):
        if not isinstance(operation, dict):
            raise ManifestRejected([f"{file}: operation {number} is not an object; {FORMS}"])
        yield _entry(file, operation.get("id"), operation.get("body"), operation.get("name"))


def _entry(file: Path, id: object, text: object, name: object = None) -> Entry:
    if not isinstance(id, str) or not isinstance(text, str):
        known = id if isinstance(id, str) else name if isinstance(name, str) else "?"
        raise ManifestRejected([f"{file}: document {known[:64]}: its id and its text must be strings; {FORMS}"])
    return Entry(file, id, text, name if isinstance(name, str) else "")
