"""Load from `wrk`, and what it cost: requests a second, how long they took, and the processor time behind them.

Two cores share the work. The server under test has the first one to itself; PostgreSQL and wrk have the second. A
server waits for nobody but itself there, unless PostgreSQL is the busier of the two, which the figures show.
Everything stays on 127.0.0.1 and ends by itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).resolve().parent / "load.lua"
CONNECTIONS = 32
SECONDS, WARM_SECONDS = 5, 3
PATIENCE = 20  # seconds for one answer: slow is a figure, not a failure
SMALLEST = 0.98  # of the mean answer; requests in turn do not end with the last one
TICKS = os.sysconf("SC_CLK_TCK")
OWN, ENDED_CHILDREN = 11, 13  # places of processor times in /proc/PID/stat, counted from the state


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run, or the medians of several."""

    per_second: float
    p50: float  # milliseconds
    p99: float
    server: float  # milliseconds of processor time a request
    database: float


@dataclass(frozen=True, slots=True)
class Target:
    """A server with the requests to send it, and the processes that work on them."""

    name: str
    port: int
    requests: Path
    server: int
    database: int
    connections: int = CONNECTIONS


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the session that sends it, if any, and its body."""

    reference: str
    body: Mapping[str, Any]


def check() -> None:
    """Raises SystemExit, with what to do, where load cannot be made here."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing; install it (on Debian and Ubuntu: apt-get install wrk)")
    if shutil.which("taskset") is None:
        raise SystemExit("taskset is missing; install it (on Debian and Ubuntu: apt-get install util-linux)")
    cores()


def write(file: Path, requests: Sequence[Asked]) -> Path:
    """For load.lua, one on a line."""
    file.write_text("".join(f"{each.reference}\t{json.dumps(each.body)}\n" for each in requests))
    return file


@cache
def cores() -> tuple[int, int]:
    """The server's and everybody else's, of those that were ours when this was first asked."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        raise SystemExit("two cores are needed: one for the server, one for PostgreSQL and the load")
    return available[0], available[1]


@contextmanager
def beside_the_server() -> Iterator[None]:
    """We, and PostgreSQL and wrk as our children, on the second core; servers are put on the first."""
    before, (_, second) = os.sched_getaffinity(0), cores()
    os.sched_setaffinity(0, {second})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def interleaved(targets: Sequence[Target], rounds: int = 3) -> dict[str, list[Figures]]:
    """Warm every target, then measure them in turn; each one's figures, round by round."""
    sizes = [_warm(target) for target in targets]
    measured = [[_run(*each) for each in zip(targets, sizes, strict=True)] for _ in range(rounds)]
    return {target.name: [each[place] for each in measured] for place, target in enumerate(targets)}


def _warm(target: Target) -> float:
    """Bytes of an answer, while each one is looked at."""
    found = _wrk(target, WARM_SECONDS, "look")
    return found["bytes"] / found["requests"]


def _run(target: Target, size: float) -> Figures:
    """Raises SystemExit where answers are smaller than those that were looked at: some were errors."""
    before = _worked(target)
    found = _wrk(target, SECONDS)
    server, database = (later - earlier for later, earlier in zip(_worked(target), before, strict=True))
    requests = found["requests"]
    if found["bytes"] < SMALLEST * size * requests:
        raise SystemExit(f"{target.name}: answers became smaller than {size:.0f} bytes")
    per_second = requests / found["microseconds"] * 1_000_000
    each = 1000 / TICKS / requests
    return Figures(per_second, found["p50"] / 1000, found["p99"] / 1000, server * each, database * each)


def medians(rounds: Sequence[Figures]) -> Figures:
    return Figures(*(statistics.median(getattr(each, field.name) for each in rounds) for field in fields(Figures)))


def ratio(one: Sequence[Figures], other: Sequence[Figures], what: str = "per_second") -> float:
    """The median of the ratios round by round: what disturbs the machine for a minute disturbs both."""
    pairs = zip(one, other, strict=True)
    return float(statistics.median(getattr(a, what) / getattr(b, what) for a, b in pairs))


def _wrk(target: Target, seconds: int, *look: str) -> dict[str, int]:
    """What load.lua prints. Raises SystemExit where a request failed."""
    options = ("-t1", f"-c{target.connections}", f"-d{seconds}s", f"--timeout={PATIENCE}s", "-s", str(SCRIPT))
    sent = (f"http://127.0.0.1:{target.port}", "--", str(target.requests), *look)
    done = subprocess.run(["wrk", *options, *sent], capture_output=True, text=True)  # noqa: S603, S607  (our own words)
    found = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", done.stdout)}
    if done.returncode or not found.get("requests") or found["failures"]:
        raise SystemExit(f"{target.name}: the load failed\n{done.stdout}{done.stderr}")
    return found


def _worked(target: Target) -> tuple[int, int]:
    """Ticks of processor time: the server's, and those of PostgreSQL's processes, ended ones included."""
    living = sum(map(_ticks, _children(target.database)))
    return _ticks(target.server), living + _ticks(target.database, ENDED_CHILDREN)


def _children(parent: int) -> Iterator[int]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (stat := _stat(int(folder.name))) and int(stat[1]) == parent:
            yield int(folder.name)


def _ticks(process: int, place: int = OWN) -> int:
    """In user mode and in the kernel."""
    stat = _stat(process)
    return int(stat[place]) + int(stat[place + 1]) if stat else 0


def _stat(process: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name, the state first; none for a process that is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
