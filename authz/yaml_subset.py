"""YAML without its surprises: texts, lists and maps, each with its place in the file.

Nothing is converted here: `no`, `on`, `012`, `12:30` and `2026-01-01` stay the texts they are, and a number
is one only where the reader of that key expects it. Built on the parser's events, because the composed tree
no longer knows which node carried an anchor, and because events do not recurse.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from authz.diagnostic import Report, SourceFile, Spot, shown

DEEPEST = 16  # the format itself needs 7
LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # libyaml where PyYAML was built with it


@dataclass(slots=True)
class Text:
    spot: Spot
    text: str
    plain: bool


@dataclass(slots=True)
class Items:
    spot: Spot
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Fields:
    """`entries` in the order of the file; the key knows its own place."""

    spot: Spot
    entries: dict[str, tuple[Text, Node]] = field(default_factory=dict)


Node = Text | Items | Fields


@dataclass(slots=True)
class _Builder:
    """The tree as far as it has been read: `open` are the collections not yet closed, `keys` their waiting keys."""

    file: SourceFile
    report: Report
    open: list[Items | Fields] = field(default_factory=list)
    keys: list[Node | None] = field(default_factory=list)
    root: Node | None = None
    aliased: bool = False

    def start(self, node: Items | Fields) -> None:
        self.open.append(node)
        self.keys.append(None)

    def end(self) -> None:
        self.keys.pop()
        self.place(self.open.pop())

    def place(self, node: Node) -> None:
        """A finished node goes where its parent waits for one: as an item, a key or the value of a key."""
        if not self.open:
            self.root = node
            return
        parent = self.open[-1]
        if isinstance(parent, Items):
            parent.items.append(node)
        elif self.keys[-1] is None:
            self.keys[-1] = node
        else:
            key, self.keys[-1] = self.keys[-1], None
            self.enter(parent, key, node)

    def enter(self, parent: Fields, key: Node, value: Node) -> None:
        if not isinstance(key, Text):
            self.report.add("P124", key.spot, "a key is a text, not a list or a map")
        elif key.text == "<<" and key.plain:
            self.report.add("P114", key.spot, "merge keys are not read", "write the entries out")
        elif key.text in parent.entries:
            first = parent.entries[key.text][0].spot.line
            self.report.add("P112", key.spot, f"{shown(key.text)} is here twice, first on line {first}")
        else:
            parent.entries[key.text] = (key, value)


def parse(file: SourceFile, text: str, report: Report) -> Node | None:
    """The one document of a file; None, with the reason in the report, when it cannot be read at all."""
    builder = _Builder(file, report)
    loader = LOADER(text)
    try:
        whole = _read(loader, builder)
    except yaml.YAMLError as fault:
        report.add("P110", _fault_spot(file, fault), f"not YAML: {_fault_text(fault)}")
        return None
    finally:
        loader.dispose()
    return builder.root if whole and not builder.aliased else None


def _read(loader: Any, builder: _Builder) -> bool:
    documents = 0
    while True:
        event = loader.get_event()
        kind = type(event)
        if kind is yaml.ScalarEvent:
            _check_properties(event, builder)
            plain = event.style is None or event.style == ""
            builder.place(Text(_spot(builder.file, event), event.value, plain))
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            _check_properties(event, builder)
            if len(builder.open) >= DEEPEST:
                builder.report.add("P116", _spot(builder.file, event), f"nested deeper than {DEEPEST} levels")
                return False
            spot = _spot(builder.file, event)
            builder.start(Fields(spot) if kind is yaml.MappingStartEvent else Items(spot))
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            builder.end()
        elif kind is yaml.AliasEvent:
            builder.aliased = True
            builder.report.add("P113", _spot(builder.file, event), "aliases are not read", "write the value out")
            builder.place(Text(_spot(builder.file, event), "", True))
        elif kind is yaml.DocumentStartEvent:
            documents += 1
            if not _may_start(documents, event, builder):
                return False
        elif kind is yaml.StreamEndEvent:
            return _ended(documents, builder)


def _may_start(documents: int, event: Any, builder: _Builder) -> bool:
    if event.version or event.tags:
        builder.report.add("P115", _spot(builder.file, event), "directives are not read")
    if documents > 1:
        builder.report.add("P111", _spot(builder.file, event, 3), "a second document in one file", "use two files")
    return documents == 1


def _ended(documents: int, builder: _Builder) -> bool:
    if documents == 0:
        builder.report.add("P111", Spot(builder.file, 1, 1), "the file is empty")
    return documents == 1


def _check_properties(event: Any, builder: _Builder) -> None:
    if event.anchor is not None:
        builder.report.add("P113", _spot(builder.file, event, 1), "anchors are not read", "write the value out")
    if event.tag is not None:
        builder.report.add("P115", _spot(builder.file, event, 1), "tags are not read")


def _spot(file: SourceFile, event: Any, width: int | None = None) -> Spot:
    start, end = event.start_mark, event.end_mark
    if width is None:
        width = end.column - start.column if end.line == start.line else 1
    return Spot(file, start.line + 1, start.column + 1, max(1, width))


def _fault_spot(file: SourceFile, fault: yaml.YAMLError) -> Spot:
    mark = getattr(fault, "problem_mark", None) or getattr(fault, "context_mark", None)
    if mark is None:
        return Spot(file, 1, 1)
    line = min(mark.line, max(0, len(file.lines) - 1))
    return Spot(file, line + 1, (mark.column if line == mark.line else len(file.lines[line])) + 1)


def _fault_text(fault: yaml.YAMLError) -> str:
    """What the parser says, and where the thing began that it did not find the end of."""
    context, problem = getattr(fault, "context", None), getattr(fault, "problem", None)
    began = getattr(fault, "context_mark", None)
    if context and began:
        context = f"{context} that began at {began.line + 1}:{began.column + 1}"
    return ", ".join(part for part in (context, problem) if part) or type(fault).__name__
