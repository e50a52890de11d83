"""What is wrong with a policy, said so that its author finds it without a search.

Every problem has a code that never changes its meaning, the place (`file:line:column`), the source line with
a caret, and a suggestion where a name is near. Problems are collected, not raised: an author sees all at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

CODES = {
    "P101": "there is no policy here",
    "P102": "a file or folder cannot be read",
    "P103": "a file is too large",
    "P104": "a file is not text",
    "P105": "a byte order mark",
    "P106": "a tab",
    "P107": "a policy file that does not end in .yaml",
    "P108": "a folder behind a symbolic link",
    "P110": "not YAML",
    "P111": "not exactly one document in a file",
    "P112": "a key is there twice",
    "P113": "an anchor or an alias",
    "P114": "a merge key",
    "P115": "a tag or a directive",
    "P116": "nested too deep",
    "P120": "the format is not one this version reads",
    "P121": "the kind of file is unknown",
    "P122": "a key is unknown",
    "P123": "a key is missing",
    "P124": "a value has the wrong type",
    "P125": "a value is not one of those allowed",
    "P126": "a name is not well formed",
    "P127": "a number is out of range",
    "P128": "an entry is in a list twice",
    "P130": "a permission is unknown",
    "P131": "a role is unknown",
    "P132": "a kind of agent is unknown",
    "P133": "a sensitivity is unknown",
    "P134": "a property is not declared on the permission",
    "P135": "a subject is unknown",
    "P136": "a name is declared twice",
    "P137": "the set does not have exactly one policy file",
    "P138": "a wildcard reaches nothing",
    "P139": "a separation is unknown",
    "P140": "roles include each other in a circle",
    "P141": "a permission is above the role's sensitivity_max",
    "P142": "a permission is held without one that it needs",
    "P143": "something is dropped that is not there",
    "P144": "a guard on a permission that the role does not hold",
    "P145": "a guard is not well formed",
    "P146": "a role is offered to agents who cannot hold it",
    "P150": "a promise is broken",
    "P151": "duties are not separated",
    "P152": "a chain of grants escalates",
    "P153": "roles that can be granted together break a separation",
    "P160": "a hint recommends a role that does not do the task",
    "P161": "a hint recommends more than the least role",
    "P162": "a test fails",
    "P163": "a test asserts nothing",
    "P164": "a test and its subject disagree about time",
    "P170": "there is no lock",
    "P171": "a wildcard reaches more than the lock says",
    "P172": "the lock says more than the wildcards reach",
    "P173": "the lock cannot be read",
}
MOST_SUGGESTIONS = 50  # a file of nonsense costs one look-up a name, not one comparison with every name there is
LONGEST_NAME = 80
LONGEST_LINE = 160  # of a longer line a message quotes what surrounds the place


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as it was read, once: nothing looks at the disk again."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a file, counted from 1, and how many characters the caret underlines."""

    file: SourceFile
    line: int
    column: int
    width: int = 1


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One problem. The order of the fields is the order in which problems are listed."""

    file: str
    line: int
    column: int
    code: str
    message: str
    suggestion: str = ""
    source: str = ""
    width: int = 1

    def __str__(self) -> str:
        lines = [f"{self.file}:{self.line}:{self.column}: {self.code} {self.message}"]
        if self.source:
            quoted, carets = self.quote()
            lines += [f"    {quoted}", f"    {carets}"]
        if self.suggestion:
            lines.append(f"    {self.suggestion}")
        return "\n".join(lines)

    def quote(self) -> tuple[str, str]:
        """The source line, or what of a long one surrounds the place, and the carets below it."""
        start = max(0, self.column - 1 - LONGEST_LINE // 2) if len(self.source) > LONGEST_LINE else 0
        quoted = printable(self.source[start : start + LONGEST_LINE])
        before, after = "…" if start else "", "…" if start + LONGEST_LINE < len(self.source) else ""
        at = self.column - 1 - start
        carets = "^" * max(1, min(self.width, len(quoted) - at))
        return before + quoted + after, " " * (len(before) + at) + carets


class Word(str):
    """A text that knows where it stands. It is equal to, and hashes as, the text itself."""

    __slots__ = ("spot",)
    spot: Spot

    @classmethod
    def at(cls, text: str, spot: Spot) -> Word:
        word = cls(text)
        word.spot = spot
        return word


@dataclass(slots=True)
class Report:
    """The problems found so far."""

    found: list[Diagnostic] = field(default_factory=list)
    suggested: int = 0

    def add(self, code: str, spot: Spot, message: str, suggestion: str = "") -> None:
        lines = spot.file.lines
        source = lines[spot.line - 1] if 0 < spot.line <= len(lines) else ""
        name = printable(spot.file.name)
        self.found.append(Diagnostic(name, spot.line, spot.column, code, message, suggestion, source, spot.width))

    def unknown(self, code: str, word: Word, what: str, names: Iterable[str]) -> None:
        self.add(code, word.spot, f"unknown {what} {shown(word)}", self.did_you_mean(word, names))

    def did_you_mean(self, word: str, names: Iterable[str]) -> str:
        near = self.nearest(word, names)
        return f"did you mean {near}?" if near else ""

    def nearest(self, word: str, names: Iterable[str]) -> str:
        """The one name that looks most like a word, or nothing."""
        if self.suggested >= MOST_SUGGESTIONS or len(word) > LONGEST_NAME:
            return ""
        self.suggested += 1
        return next(iter(difflib.get_close_matches(word, sorted(names), n=1)), "")

    def sorted(self) -> tuple[Diagnostic, ...]:
        return tuple(sorted(set(self.found)))


def shown(text: str) -> str:
    """A name as it is printed in a message: never so long that it hides the message."""
    start = printable(text[:LONGEST_NAME])
    return start + ("…" if len(text) > LONGEST_NAME else "") if start else "''"


def printable(text: str) -> str:
    """What would move a terminal's cursor is shown as `?`, so that every character keeps its column."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " if c == "\t" else "?" for c in text)
