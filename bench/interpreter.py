"""Which Python the measured servers run on: the fastest of this version that the machine has.

Distributions and container images build Python with profile-guided optimisation, as Node's makers build Node; pyenv,
unless told to, does not, and a plain loop takes it half as long again. So a benchmark on whatever made `.venv` would
compare compilers' options. Candidates are those on the PATH whose compiled modules are the same, because they use the
packages of `.venv`; each runs one loop, in turns. The one that was chosen stands below the table.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = sysconfig.get_path("purelib")
ROUNDS = 3
WORTH_IT = 1.1  # less is noise, and ours has nothing to explain
LOOP = """
import platform, sys, time
import asyncpg, httptools, orjson, uvloop
class Pair:
    __slots__ = ("left",)
    def __init__(self, left): self.left = left
    def add(self, right): return self.left + right
def work():
    total, kept = 0, {}
    for number in range(200_000):
        pair = Pair(number)
        total += pair.add(number)
        kept[number & 255] = (pair, number), [each for each in (1, 2, 3)]
def timed():
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
print(min(timed() for _ in range(3)), platform.python_version())
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """`ratio`: by how much it is faster than the one of `.venv`, in the loop."""

    program: str
    version: str
    ratio: float

    @property
    def told(self) -> str:
        if self.program == sys.executable:
            return "servers on the same Python"
        return f"servers on Python {self.version} of the system, {self.ratio:.2f} × as fast in a plain loop"


@cache
def fastest() -> Interpreter:
    programs = [sys.executable, *_others()]
    rounds = [[_timed(program) for program in programs] for _ in range(ROUNDS)]
    ours = min(seconds for (seconds, _), *_ in rounds)
    found = [
        Interpreter(program, rounds[0][place][1], ours / min(each[place][0] for each in rounds))
        for place, program in enumerate(programs)
    ]
    best = max(found, key=lambda each: each.ratio)
    return best if best.ratio >= WORTH_IT else found[0]


def environment() -> dict[str, str]:
    """What a server needs to find our own modules and the packages of `.venv`, whichever Python runs it."""
    return {"PYTHONPATH": os.pathsep.join((str(CHECKOUT), PACKAGES))}


def _others() -> Iterator[str]:
    """On the PATH, by the version's name, each binary once; those that cannot use our packages are left out."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    seen = {Path(sys.executable).resolve()}
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        found = shutil.which(name, path=folder)
        if found and (real := Path(found).resolve()) not in seen:
            seen.add(real)
            if _timed(found)[0] < float("inf"):
                yield found


def _timed(program: str) -> tuple[float, str]:
    given = {**os.environ, **environment()}
    done = subprocess.run([program, "-c", LOOP], env=given, capture_output=True, text=True)  # noqa: S603  (found by us)
    if done.returncode:
        return float("inf"), ""
    seconds, version = done.stdout.split()
    return float(seconds), version
