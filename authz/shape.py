"""Reads the keys of one map, strictly: every key is known, every value has the type its reader asks for.

The functions that use a `Cursor` are the format's definition: a key exists because somebody reads it, and
`finish` reports whatever nobody asked for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from authz.diagnostic import Report, Spot, Word, shown
from authz.yaml_subset import Fields, Items, Node, Text

PERMISSION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){1,3}")
WILDCARD = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,2}\.\*")
GRANT = re.compile(f"({PERMISSION.pattern})|({WILDCARD.pattern})")
KEY = re.compile(r"[a-z][a-z0-9_]{1,39}")
PROPERTY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,3}")
WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?")
MEANT = {
    PERMISSION: "a permission is lower case words joined by dots, such as claims.submit",
    GRANT: "a grant is a permission such as claims.submit, or a wildcard such as claims.*",
    KEY: "a key is 2 to 40 lower case letters, digits and underscores",
    PROPERTY: "a property is lower case words joined by dots, such as action.amount",
}


@dataclass(slots=True)
class Cursor:
    """`broken` turns true with the first problem, so that nothing is concluded from what could not be read."""

    fields: Fields
    report: Report
    what: str
    broken: bool = False
    asked: set[str] = field(default_factory=set)
    absent: list[str] = field(default_factory=list)

    def problem(self, code: str, spot: Spot, message: str, suggestion: str = "") -> None:
        self.broken = True
        self.report.add(code, spot, message, suggestion)

    def finish(self) -> None:
        """Reports the keys that nobody asked for, and those that are not there under any spelling."""
        for name, (key, _) in self.fields.entries.items():
            if name not in self.asked:
                near = self.report.nearest(name, self.asked - self.fields.entries.keys())
                near = near or self.report.nearest(name, self.asked)
                if near in self.absent:
                    self.absent.remove(near)
                hint = f"did you mean {near}?" if near else ""
                self.problem("P122", key.spot, f"unknown key {shown(name)} in {self.what}", hint)
        self.report_absent()

    def report_absent(self) -> None:
        for key in self.absent:
            self.problem("P123", self.fields.spot, f"{self.what} has no {key}")
        self.absent.clear()

    def node(self, key: str, required: bool) -> Node | None:
        self.asked.add(key)
        entry = self.fields.entries.get(key)
        if entry is None and required:
            self.broken = True
            self.absent.append(key)
        return entry[1] if entry else None

    def key_spot(self, key: str) -> Spot:
        entry = self.fields.entries.get(key)
        return entry[0].spot if entry else self.fields.spot

    def word(self, key: str, pattern: re.Pattern[str] | None = None, required: bool = True) -> Word | None:
        """A text in one line; with a pattern, a name."""
        node = self.node(key, required)
        return None if node is None else self.as_word(node, key, pattern)

    def choice(self, key: str, options: Collection[str], required: bool = True) -> Word | None:
        word = self.word(key, required=required)
        return None if word is None else self.as_choice(word, options)

    def as_choice(self, word: Word, options: Collection[str]) -> Word | None:
        if word in options:
            return word
        near = self.report.did_you_mean(word, options)
        self.problem("P125", word.spot, f"{shown(word)} is none of {', '.join(options)}", near)
        return None

    def as_word(self, node: Node, key: str, pattern: re.Pattern[str] | None = None) -> Word | None:
        if not isinstance(node, Text):
            self.problem("P124", node.spot, f"{key} is a text, not a {_kind(node)}")
        elif pattern is None and not node.text.strip():
            self.problem("P124", node.spot, f"{key} is empty")
        elif pattern is None and not node.text.isprintable():
            self.problem("P124", node.spot, f"{key} is one line of printable characters")
        elif pattern is not None and not pattern.fullmatch(node.text):
            self.problem("P126", node.spot, f"{shown(node.text)} is not well formed: {MEANT[pattern]}")
        else:
            return Word.at(node.text, node.spot)
        return None

    def words(self, key: str, pattern: re.Pattern[str] | None = None, required: bool = False) -> tuple[Word, ...]:
        """A list of texts, none of them twice."""
        words: dict[str, Word] = {}
        for item in self.items(key, required):
            word = self.as_word(item, f"an entry of {key}", pattern)
            if word is not None and word in words:
                self.problem("P128", word.spot, f"{shown(word)} is in {key} twice")
            elif word is not None:
                words[word] = word
        return tuple(words.values())

    def items(self, key: str, required: bool = False) -> list[Node]:
        node = self.node(key, required)
        if node is None or isinstance(node, Items):
            return [] if node is None else node.items
        self.problem("P124", node.spot, f"{key} is a list, not a {_kind(node)}")
        return []

    def has(self, key: str) -> bool:
        return key in self.fields.entries

    def flag(self, key: str, default: bool = False) -> bool:
        node = self.node(key, required=False)
        if node is None:
            return default
        if isinstance(node, Text) and node.plain and node.text in ("true", "false"):
            return node.text == "true"
        self.problem("P124", node.spot, f"{key} is true or false")
        return default

    def whole(self, key: str, low: int, high: int) -> int | None:
        """A whole number within its range; None when it is absent or wrong."""
        node = self.node(key, required=False)
        return None if node is None else self.as_whole(node, key, low, high)

    def needed_whole(self, key: str, low: int, high: int) -> int:
        node = self.node(key, required=True)
        number = None if node is None else self.as_whole(node, key, low, high)
        return low if number is None else number

    def as_whole(self, node: Node, key: str, low: int, high: int) -> int | None:
        if not (isinstance(node, Text) and node.plain and WHOLE.fullmatch(node.text)):
            self.problem("P124", node.spot, f"{key} is a whole number")
        elif not low <= int(node.text) <= high:
            self.problem("P127", node.spot, f"{key} is from {low} to {high}")
        else:
            return int(node.text)
        return None

    def below(self, key: str, what: str, required: bool = False) -> Cursor | None:
        """The map under a key."""
        node = self.node(key, required)
        return None if node is None else self.as_cursor(node, what)

    def as_cursor(self, node: Node, what: str) -> Cursor | None:
        if isinstance(node, Fields):
            return Cursor(node, self.report, what)
        self.problem("P124", node.spot, f"{what} is a map, not a {_kind(node)}")
        return None

    def each(self, what: str, pattern: re.Pattern[str]) -> Iterator[tuple[Word, Node]]:
        """The entries of a map whose keys are names."""
        for name, (key, value) in self.fields.entries.items():
            self.asked.add(name)
            word = self.as_word(key, what, pattern)
            if word is not None:
                yield word, value


def _kind(node: Node) -> str:
    return {Text: "text", Items: "list", Fields: "map"}[type(node)]
