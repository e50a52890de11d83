"""`policy.lock`: what each wildcard of each role reaches, committed, so that a wildcard grows only under review.

`claims.*` gives tomorrow's `claims.export` to everybody who holds it today. Nothing is wrong with such a set, so
it loads; but `check --locked` names every permission that a wildcard came to reach since somebody last looked,
until the lock is written anew and its diff is read. One permission a line, sorted, so that the diff of a new
permission is one line for each role that gets it:

    role biller
      claims.*
        claims.read
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from authz.diagnostic import Report, SourceFile, Spot, Word
from authz.expand import Expansion
from authz.source import LINE_END

NAME = "policy.lock"
FORMAT = "sparekey/lock/v1"
HEAD = f"""# What each wildcard reaches: `sparekey policy lock` writes it, `check --locked` compares.
{FORMAT}
"""
REWRITE = "read what changed, then run sparekey policy lock"
Key = tuple[str, ...]  # (role,), (role, wildcard) or (role, wildcard, permission)


@dataclass(slots=True)
class _Lock:
    """The lines of a lock by what they say, each with its place."""

    file: SourceFile
    lines: dict[Key, Spot] = field(default_factory=dict)


def lock_text(expansion: Expansion) -> str:
    """The lock of a set: always with LF and without a byte order mark, sorted, nothing from the clock."""
    parts = [HEAD]
    for role, wildcards in sorted(_reached(expansion).items()):
        parts.append(f"\nrole {role}\n")
        for wildcard, reached in sorted(wildcards.items()):
            parts += [f"  {wildcard}\n", *(f"    {key}\n" for key in sorted(reached))]
    return "".join(parts)


def compare_lock(folder: Path, expansion: Expansion, report: Report) -> None:
    """Reports where the wildcards and the lock disagree; a role that is broken is left for when it is mended."""
    lock = _read(folder / NAME, report)
    if lock is None:
        return
    wanted: set[Key] = set()
    for role, wildcards in _reached(expansion).items():
        wanted.add((role,))
        for wildcard, reached in wildcards.items():
            wanted |= {(role, wildcard), *((role, wildcard, key) for key in reached)}
            _compare(role, wildcard, reached, lock, report)
    for key, spot in lock.lines.items():
        if key not in wanted and key[:-1] not in lock.lines.keys() - wanted and key[0] not in expansion.draft.broken:
            report.add("P172", spot, f"{_stale(key)}: the lock is behind", REWRITE)


def _reached(expansion: Expansion) -> Mapping[str, Mapping[Word, list[str]]]:
    return {role: found for role, found in expansion.wildcards.items() if role not in expansion.draft.broken}


def _compare(role: str, wildcard: Word, reached: Iterable[str], lock: _Lock, report: Report) -> None:
    new = [key for key in reached if (role, wildcard, key) not in lock.lines]
    if (role, wildcard) not in lock.lines:
        message = f"{wildcard} of {role} is not in {NAME}: it reaches {', '.join(new)}"
        report.add("P171", wildcard.spot, message, REWRITE)
    elif new:
        report.add("P171", wildcard.spot, f"{wildcard} now gives {role} {', '.join(new)}, not in {NAME}", REWRITE)


def _stale(key: Key) -> str:
    role, *rest = key
    if not rest:
        return f"{role} has no wildcard"
    return f"{role} has no {rest[0]}" if len(rest) == 1 else f"{rest[0]} of {role} does not reach {rest[1]}"


def _read(path: Path, report: Report) -> _Lock | None:
    """The lock, whatever line ends and byte order mark an editor gave it; None when there is none to compare with."""
    nowhere = Spot(SourceFile(path.as_posix(), ()), 1, 1)
    try:
        content = path.read_bytes() if path.is_file() else None
        text = None if content is None else content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        report.add("P173", nowhere, "cannot be read as text", "run sparekey policy lock")
        return None
    if text is None:
        report.add("P170", nowhere, f"there is no {NAME} to compare with", "run sparekey policy lock")
        return None
    lock = _Lock(SourceFile(path.as_posix(), tuple(LINE_END.split(text))))
    return lock if _parse(lock, report) else None


def _parse(lock: _Lock, report: Report) -> bool:
    """Two spaces a level: the depth of a line says which key of which line above it is continued."""
    above: Key | None = None
    for number, line in enumerate(lock.file.lines, 1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        key = _next_key(above, line.rstrip(), content)
        if key is None or key in lock.lines:
            expected = "a role, a wildcard or a permission" if above is not None else FORMAT
            report.add("P173", Spot(lock.file, number, 1, len(line)), f"not a line of a lock: {expected} belongs here")
            return False
        above = key
        if key:
            lock.lines[key] = Spot(lock.file, number, len(line) - len(line.lstrip()) + 1, len(content))
    if above is None:
        report.add("P173", Spot(lock.file, 1, 1), "the lock is empty", "run sparekey policy lock")
    return above is not None


def _next_key(above: Key | None, line: str, content: str) -> Key | None:
    """`above` is None before the format line and empty right after it."""
    depth, odd = divmod(len(line) - len(line.lstrip()), 2)
    if above is None:
        return () if line == FORMAT else None
    if depth == 0:
        return (content[5:],) if content.startswith("role ") and not odd else None
    return (*above[:depth], content) if depth <= min(len(above), 2) and not odd else None
