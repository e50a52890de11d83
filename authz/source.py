"""Reads the files of a set, each exactly once, and refuses what nobody meant to be a policy.

The bytes that are read here are the ones that are digested, parsed and quoted in messages, so a file that
changes in the meantime gives one consistent set or none.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from authz.diagnostic import Report, SourceFile, Spot

MOST_BYTES = 256 * 1024  # the largest file of the shipped set has 6 KiB
LINE_END = re.compile(r"\r\n|\r|\n")
# What YAML does not allow, and the line separators that editors do not show as a new line.
NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Source:
    """`stem` is the file's name without `.yaml`; `text` is None when there is none to read."""

    file: SourceFile
    stem: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Folder:
    """`whole` is false when part of the set lies where nobody can tell what it holds."""

    sources: tuple[Source, ...]
    digest: str
    whole: bool


def read(folder: Path, report: Report) -> Folder:
    """Every `*.yaml` under the folder, in the order of their paths; hidden files and folders are not looked at."""
    digest = hashlib.sha256()
    sources, paths = [], sorted(_paths(folder, report))
    whole = not report.found
    contents = [(path, _bytes(path, report)) for path in paths]
    for path, content in contents:
        if content is None:
            sources.append(Source(SourceFile(path.as_posix(), ()), path.stem, None))
            continue
        name = os.fsencode(path.relative_to(folder).as_posix())  # a name may hold bytes that are no text
        digest.update(b"%d:%s%d:" % (len(name), name, len(content)) + content)
        sources.append(_source(path, content, report))
    if not sources and not report.found:
        report.add("P101", _whole(folder), "no *.yaml file in this folder", "a set has at least a policy.yaml")
    return Folder(tuple(sources), digest.hexdigest(), whole)


def _paths(folder: Path, report: Report) -> Iterator[Path]:
    if not folder.is_dir():
        report.add("P101", _whole(folder), "this is not a folder", "give the folder that holds policy.yaml")
        return

    def unreadable(fault: OSError) -> None:
        report.add("P102", _whole(Path(fault.filename)), f"cannot be read: {fault.strerror}")

    for root, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if (Path(root) / name).is_symlink():
                report.add("P108", _whole(Path(root) / name), "a folder behind a symbolic link is not followed")
        for name in sorted(files):
            path = Path(root) / name
            if name.lower().endswith((".yml", ".yaml")) and not name.startswith("."):
                if name.endswith(".yaml"):
                    yield path
                else:
                    report.add("P107", _whole(path), "would not be read", f"rename it to {path.stem}.yaml")


def _bytes(path: Path, report: Report) -> bytes | None:
    """The content, read once; a named pipe or a device is not opened, because it would never end."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            report.add("P102", _whole(path), "cannot be read: it is not a regular file")
            return None
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as fault:
        report.add("P102", _whole(path), f"cannot be read: {fault.strerror or type(fault).__name__}")
        return None
    if len(content) > MOST_BYTES:
        report.add("P103", _whole(path), f"is larger than {MOST_BYTES // 1024} KiB")
        return None
    return content


def _source(path: Path, content: bytes, report: Report) -> Source:
    text = content.decode("utf-8", errors="replace")
    file = SourceFile(path.as_posix(), tuple(LINE_END.split(text)))
    return Source(file, path.stem, text if _is_text(file, content, text, report) else None)


def _is_text(file: SourceFile, content: bytes, text: str, report: Report) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as fault:
        before = content[: fault.start].decode("utf-8")
        report.add("P104", _spot(file, before), "is not UTF-8 from here on", "save the file as UTF-8")
        return False
    if text.startswith("\ufeff"):
        report.add("P105", Spot(file, 1, 1), "starts with a byte order mark", "save the file as UTF-8 without BOM")
        return False
    strange = NOT_TEXT.search(text)
    if strange:
        before = text[: strange.start()]
        report.add("P104", _spot(file, before), f"holds the control character U+{ord(strange[0]):04X}")
        return False
    tabs = [(number, line.index("\t") + 1) for number, line in enumerate(file.lines, 1) if "\t" in line]
    for number, column in tabs:
        report.add("P106", Spot(file, number, column), "a tab: editors do not agree how wide it is", "use spaces")
    return not tabs


def _spot(file: SourceFile, before: str) -> Spot:
    lines = LINE_END.split(before)
    return Spot(file, len(lines), len(lines[-1]) + 1)


def _whole(path: Path) -> Spot:
    return Spot(SourceFile(path.as_posix(), ()), 1, 1)
