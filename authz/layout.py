"""The canonical layout of a policy file: `sparekey policy fmt`.

* Keys of the file in one order, two spaces a level, lists indented below their key, LF, one blank line at most.
* What its author wrote over several lines stays so. What stands in brackets stays there while it fits into a line;
  a list of words that does not is filled into lines, anything else is written out.
* Below each other, `{…}` begin in one column. Comments stay where they were, two spaces behind what they are beside.
* Quotes only where the author put them, single ones where they do.

Nothing that the loader reads changes. That is not believed but looked at: a text is only given out when it reads as
the same values and the same comments as the one it came from.
"""

from __future__ import annotations

from collections.abc import Iterator

from authz.diagnostic import Report, SourceFile
from authz.layout_tree import Collection, Entry, File, Scalar, read_tree
from authz.shape import NUMBER
from authz.yaml_subset import Fields, Items, Node, parse

WIDTH = 150  # a test in one line is worth a wide line
ORDER = (
    *("format", "kind", "name", "version", "sensitivities", "tokens", "engagements", "reviews", "training"),
    *("sign_in", "limits"),
    *("title", "held_by", "granted_by", "root", "sensitive", "hint", "sensitivity_max", "includes", "without"),
    *("grants", "review_days", "guards", "permissions", "agents", "redirects"),
    *("never", "separation_of_duty", "no_escalation", "tasks", "subjects", "tests"),
)


class LayoutUnsafe(Exception):
    """The new text would not say the same. The file is left as it is; this is a fault of the formatter."""


def laid_out(file: SourceFile, report: Report) -> str | None:
    """The canonical text; None, with the reason in the report, for what is not a map in YAML."""
    text = "\n".join(file.lines).rstrip("\n") + "\n"
    wrong = Report()
    before = parse(file, text, wrong)
    report.found += wrong.found
    tree = None if wrong.found else read_tree(text)
    if before is None or tree is None:
        return None
    printed = _print(tree)
    after = parse(SourceFile(file.name, tuple(printed.split("\n"))), printed, Report())
    if after is None or _values(after) != _values(before) or _comments(printed) != _comments(text):
        raise LayoutUnsafe(f"{file.name}: its canonical layout would not say the same; left as it is")
    return printed


def _values(node: Node) -> object:
    """What the loader can tell apart: the order of keys and, for most texts, quotes are not among it."""
    if isinstance(node, Fields):
        return {key: _values(value) for key, (_, value) in node.entries.items()}
    if isinstance(node, Items):
        return [_values(item) for item in node.items]
    told_apart = node.text in ("true", "false") or NUMBER.fullmatch(node.text) is not None
    return (node.text, node.plain) if told_apart else node.text


def _comments(text: str) -> list[str]:
    tree = read_tree(text)
    return sorted(_all_comments(tree.root)) + sorted(filter(None, tree.footer)) if tree else []


def _all_comments(collection: Collection) -> Iterator[str]:
    for entry in collection.entries:
        yield from filter(None, [*entry.above, *entry.beside, *entry.below])
        if isinstance(entry.value, Collection):
            yield from _all_comments(entry.value)


def _print(file: File) -> str:
    _sort(file.root)
    lines = [*_block(file.root, 0), *file.footer]
    return "\n".join(_without_doubled_blanks(lines)).strip("\n") + "\n"


def _sort(root: Collection) -> None:
    """What stands above the first key is about the file and stays at its top."""
    head, root.entries[0].above = root.entries[0].above, []
    root.entries.sort(key=lambda entry: ORDER.index(entry.key.text) if entry.key and entry.key.text in ORDER else 99)
    root.entries[0].above = head + root.entries[0].above


def _without_doubled_blanks(lines: list[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if line or (number and lines[number - 1]):
            yield line


def _block(collection: Collection, indent: int) -> list[str]:
    lines: list[str] = []
    columns = _columns(collection, indent)
    for number, entry in enumerate(collection.entries):
        margin = " " * indent
        above = entry.above if number or not indent else _from_first_comment(entry.above)
        lines += [margin + said if said else "" for said in above]
        lines += _entry(entry, indent, columns[number])
        lines += [margin + said for said in entry.below]
    return lines


def _from_first_comment(above: list[str]) -> list[str]:
    """No blank line between a key and what belongs to it."""
    return above[next((at for at, said in enumerate(above) if said), len(above)) :]


def _entry(entry: Entry, indent: int, column: int) -> list[str]:
    head = " " * indent + _head(entry)
    aside = "".join(f"  {said}" for said in entry.beside)
    if isinstance(entry.value, Scalar):
        return [f"{head} {_scalar(entry.value)}".rstrip() + aside]
    if _in_one_line(entry, indent):
        return [f"{head.ljust(column)} {_flow(entry.value)}{aside}"]
    if entry.key is not None and _is_words(entry.value) and entry.value.flow:
        filled = _filled(entry.value, indent + 2)
        return [head, *filled[:-1], filled[-1] + aside]
    return _opened(entry, entry.value, head, aside, indent)


def _opened(entry: Entry, value: Collection, head: str, aside: str, indent: int) -> list[str]:
    lines = _block(value, indent + 2)
    if entry.key is not None:
        return [head + aside, *lines]
    above = [" " * indent + said for said in entry.beside]  # brackets of an item that is written out from now on
    return [*above, f"{head} {lines[0].lstrip()}", *lines[1:]]


def _head(entry: Entry) -> str:
    return "-" if entry.key is None else f"{_scalar(entry.key)}:"


def _in_one_line(entry: Entry, indent: int) -> bool:
    value = entry.value
    if not isinstance(value, Collection) or (value.entries and not value.flow):
        return False
    return indent + len(_head(entry)) + 1 + len(_flow(value)) <= WIDTH


def _columns(collection: Collection, indent: int) -> list[int]:
    """Where the value of each entry begins: the `{…}` of a run of lines share a column, if all of them then fit."""
    columns = [0] * len(collection.entries)
    run: list[int] = []
    for number, entry in enumerate([*collection.entries, None]):
        joins = entry is not None and _is_record(entry) and _in_one_line(entry, indent)
        if not joins or entry is None or (run and "" in entry.above):
            _align(collection, run, indent, columns)
            run = []
        if joins:
            run.append(number)
    return columns


def _align(collection: Collection, run: list[int], indent: int, columns: list[int]) -> None:
    entries = [collection.entries[number] for number in run]
    column = max((indent + len(_head(entry)) for entry in entries), default=0)
    if all(column + 1 + len(_flow(entry.value)) <= WIDTH for entry in entries):
        for number in run:
            columns[number] = column


def _is_record(entry: Entry) -> bool:
    value = entry.value
    return entry.key is not None and isinstance(value, Collection) and value.is_map and bool(value.entries)


def _is_words(collection: Collection) -> bool:
    return not collection.is_map and all(isinstance(entry.value, Scalar) for entry in collection.entries)


def _filled(collection: Collection, indent: int) -> list[str]:
    """A list of words over as many lines as it takes."""
    lines = [" " * indent + "["]
    last = len(collection.entries) - 1
    for number, entry in enumerate(collection.entries):
        word = _flow(entry.value) + ("]" if number == last else ",")
        if len(lines[-1]) + 1 + len(word) > WIDTH and number:
            lines.append(" " * (indent + 1) + word)
        else:
            lines[-1] += word if not number else f" {word}"
    return lines


def _flow(value: Scalar | Collection) -> str:
    if isinstance(value, Scalar):
        return _scalar(value)
    if not value.is_map:
        return f"[{', '.join(_flow(entry.value) for entry in value.entries)}]"
    return f"{{{', '.join(f'{_head(entry)} {_flow(entry.value)}' for entry in value.entries)}}}"


def _scalar(scalar: Scalar) -> str:
    text = scalar.text
    if scalar.plain and "\n" not in text:
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escaped(c) for c in text) + '"'


def _escaped(c: str) -> str:
    if c in '"\\':
        return f"\\{c}"
    return c if c.isprintable() else f"\\U{ord(c):08X}"
