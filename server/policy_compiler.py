"""From files to a sound set with its bytes: in this process, or as the program that `policy_child.py` runs.

The program reads a request on standard input and answers with the compiled set, which takes a millisecond to read. It
gives way to everybody else (`nice`), and imports nothing but what compiling needs.
"""

from __future__ import annotations

import copyreg
import os
import pickle
import sys
import tempfile
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from authz.check import PolicyRejected
from authz.diagnostic import Report
from authz.load import load
from authz.policy import Policy
from authz.source import read

TRIES = 5
NAME = "policies"  # how messages about a stored set call its folder


class FilesKeepChanging(Exception):
    """Somebody writes faster than we read."""


@dataclass(frozen=True, slots=True)
class SoundSet:
    """A set that has passed its tests, and its files, path to text."""

    policy: Policy
    files: Mapping[str, str]

    @property
    def source_digest(self) -> str:
        return self.policy.source_digest


@dataclass(frozen=True, slots=True)
class Compiled:
    """What became of some files: a sound set, or what is wrong with them. The digest is that of their bytes."""

    source_digest: str
    sound: SoundSet | None = None
    diagnostics: str = ""


def sound_set(folder: Path) -> SoundSet:
    """The set as it lies there. The files are read to be kept and read to be compiled: both saw the same bytes.

    Raises PolicyRejected or FilesKeepChanging.
    """
    for _ in range(TRIES):
        found = read(folder, Report())
        policy = load(folder)
        if policy.source_digest == found.digest:
            texts = {Path(source.file.name).relative_to(folder).as_posix(): source.text for source in found.sources}
            return SoundSet(policy, {name: text or "" for name, text in texts.items()})
    raise FilesKeepChanging(f"{folder}: the files change while they are read; nothing was activated")


def from_folder(folder: Path) -> Compiled:
    try:
        sound = sound_set(folder)
    except (PolicyRejected, FilesKeepChanging) as problem:
        return Compiled(read(folder, Report()).digest, diagnostics=str(problem))
    return Compiled(sound.source_digest, sound)


def from_files(files: Mapping[str, str]) -> Compiled:
    """A stored set. It is laid out as files again, because a folder is what the loader reads."""
    with tempfile.TemporaryDirectory(prefix="sparekey-policy-") as place, chdir(place):
        for name, text in files.items():
            path = Path(NAME, name)
            if Path(name).is_absolute() or ".." in path.parts:
                raise ValueError("a stored set has a file outside its folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        return from_folder(Path(NAME))


def _frozen(entries: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(entries)


copyreg.pickle(MappingProxyType, lambda entries: (_frozen, (dict(entries),)))


def main() -> None:
    os.nice(10)
    asked = pickle.load(sys.stdin.buffer)  # noqa: S301  (our own parent wrote it)
    compiled = from_folder(asked) if isinstance(asked, Path) else from_files(asked)
    sys.stdout.buffer.write(pickle.dumps(compiled))


if __name__ == "__main__":
    # Pickled by the name that the parent knows, not as `__main__`.
    from server import policy_compiler

    policy_compiler.main()
