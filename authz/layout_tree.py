"""A file as its formatter sees it: entries in their order, each with the comments and blank lines that belong to it.

The parser drops comments, so they are found in the text, outside of every scalar, and given to an entry:

* on a line with something else: to the entry that began last (`beside`);
* on a line of its own: to the entry that begins next (`above`), or, when it is indented deeper than that one, to the
  last entry of the list or map that it is in (`below`), as a line that was commented out;
* after the last entry: to the file (`footer`).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from authz.yaml_subset import LOADER

BLANK = re.compile(r"^[ ]*\n", re.MULTILINE)


@dataclass(slots=True)
class Scalar:
    text: str
    plain: bool


@dataclass(slots=True)
class Collection:
    """A list or a map; `flow` as long as it is written in brackets. It reaches from `start` to `end` in the text."""

    is_map: bool
    flow: bool
    start: int
    end: int
    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """One key with its value, or one item of a list. A blank line among the comments is an empty text."""

    key: Scalar | None
    value: Scalar | Collection
    start: int
    column: int
    above: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)

    @property
    def opened(self) -> Collection | None:
        """Its value, if that is written over several lines without brackets."""
        return self.value if isinstance(self.value, Collection) and not self.value.flow else None


@dataclass(slots=True)
class File:
    root: Collection
    footer: list[str] = field(default_factory=list)


class _Said(NamedTuple):
    """A comment, or a blank line with an empty text, and where in the file it stands."""

    at: int
    text: str


@dataclass(slots=True)
class _Reader:
    """`scalars` and `flows` in the order of the text; of two that begin together the outer one first."""

    text: str
    scalars: list[tuple[int, int]] = field(default_factory=list)
    flows: list[Collection] = field(default_factory=list)

    def value(self, node: Any) -> Scalar | Collection:
        start, end = node.start_mark.index, node.end_mark.index
        if isinstance(node, yaml.ScalarNode):
            if node.style in ("|", ">"):
                start = self.text.find("\n", start)  # a comment may stand behind the mark
            self.scalars.append((start, end))
            return Scalar(node.value, not node.style)
        found = Collection(isinstance(node, yaml.MappingNode), bool(node.flow_style), start, end)
        if found.flow:
            self.flows.append(found)
        found.entries = list(self._entries(node))
        return found

    def _entries(self, node: Any) -> Iterator[Entry]:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                written = self.value(key)
                if isinstance(written, Scalar):
                    yield Entry(written, self.value(value), key.start_mark.index, key.start_mark.column)
            return
        for item in node.value:
            start = item.start_mark.index
            column = item.start_mark.column if node.flow_style else self._dash(start)
            yield Entry(None, self.value(item), start, column)

    def inside_scalar(self, at: int) -> int:
        """The end of the scalar around this place, 0 when there is none."""
        number = bisect_right(self.scalars, (at, len(self.text))) - 1
        return self.scalars[number][1] if number >= 0 and at < self.scalars[number][1] else 0

    def inside_flow(self, at: int) -> Collection | None:
        """The innermost pair of brackets around this place."""
        return next((flow for flow in reversed(self.flows) if flow.start < at < flow.end), None)

    def comments(self) -> Iterator[_Said]:
        """Outside of scalars `#` begins one wherever it stands."""
        at = self.text.find("#")
        while at >= 0:
            behind = self.inside_scalar(at)
            if not behind:
                behind = self.text.find("\n", at)
                yield _Said(at, self.text[at:behind].strip())
            at = self.text.find("#", behind)

    def blanks(self) -> Iterator[_Said]:
        for found in BLANK.finditer(self.text):
            if not self.inside_scalar(found.start()) and not self.inside_flow(found.start()):
                yield _Said(found.start(), "")

    def _dash(self, start: int) -> int:
        """The column of the dash before an item, which may stand on an earlier line."""
        dash = self.text.rfind("-", 0, start)
        return dash - (self.text.rfind("\n", 0, dash) + 1)


def read_tree(text: str) -> File | None:
    """The tree of a text that `yaml_subset.parse` accepts and that is a map; LF ends its lines."""
    node = yaml.compose(text, Loader=LOADER)
    reader = _Reader(text)
    root = reader.value(node) if node is not None else None
    if not isinstance(root, Collection) or not root.is_map:
        return None
    comments = list(reader.comments())
    said = sorted([*comments, *reader.blanks()])
    for flow in reader.flows:
        if flow.entries and any(flow.start < found.at < flow.end for found in comments):
            flow.flow = False  # brackets that hold a comment are written out, so that it keeps its place
    file = File(root)
    _attach(file, reader, said)
    _hoist(root)
    return file


def _attach(file: File, reader: _Reader, said: list[_Said]) -> None:
    order = list(_lines(file.root))
    starts = [entry.start for entry in order]
    for found in said:
        line = reader.text[reader.text.rfind("\n", 0, found.at) + 1 : found.at]
        begun = bisect_left(starts, found.at)
        if found.text and line.strip(" -") and begun:
            entry = order[begun - 1]
            entry.above += entry.beside  # of several the last stays: two on one line would be read as one
            entry.beside = [found.text]
        else:
            _own_line(found, len(line), order, begun, reader.inside_flow(found.at), file.footer)


def _own_line(
    found: _Said, column: int, order: list[Entry], begun: int, inside: Collection | None, footer: list[str]
) -> None:
    """`begun` entries began before it."""
    following = order[begun] if begun < len(order) else None
    if inside and (following is None or following.start > inside.end):
        inside.entries[-1].below.append(found.text)
        return
    outer = following.column if following else 0
    below = None
    if found.text and column > outer and not inside:
        below = next((entry for entry in reversed(order[:begun]) if outer < entry.column <= column), None)
    (below.below if below else following.above if following else footer).append(found.text)


def _lines(collection: Collection) -> Iterator[Entry]:
    """Every entry that begins a line, in the order of the text; of two that begin together the outer one first."""
    for entry in collection.entries:
        yield entry
        if entry.opened:
            yield from _lines(entry.opened)


def _hoist(collection: Collection) -> None:
    """What belongs to the first line of an item's own list or map stands above the item: there is no line between."""
    for entry in collection.entries:
        below = entry.opened
        if entry.key is None and below and below.entries:
            first = below.entries[0]
            entry.above += [*entry.beside, *first.above]
            entry.beside, first.above = [], []
        if below:
            _hoist(below)
