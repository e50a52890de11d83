"""Compiles and tests a set in a process of its own, so that no request waits for it.

In a thread the compiling would hold the interpreter: barely felt with the shipped set (20 ms), but a set of 1,000
roles, or a hostile one, would slow every request down for seconds. The child is started from a thread, because the
event loop's own way copies the whole server first.
"""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from server.policy_compiler import Compiled

CHECKOUT = Path(__file__).resolve().parent.parent
SECONDS = 60  # 1,000 roles take one; whatever takes longer is not going to end
PROGRAM = (sys.executable, "-m", "server.policy_compiler")


async def compile_folder(folder: Path) -> Compiled:
    return await asyncio.to_thread(_in_a_child, folder)


async def compile_files(files: Mapping[str, str]) -> Compiled:
    return await asyncio.to_thread(_in_a_child, dict(files))


def _in_a_child(asked: Path | dict[str, str]) -> Compiled:
    try:
        done = subprocess.run(  # noqa: S603  (our own program)
            PROGRAM, cwd=CHECKOUT, input=pickle.dumps(asked), stdout=subprocess.PIPE, timeout=SECONDS, check=True
        )
    except subprocess.TimeoutExpired:
        return Compiled("", diagnostics=f"compiling the set took longer than {SECONDS} seconds; nothing was activated")
    except subprocess.CalledProcessError as fault:
        return Compiled("", diagnostics=f"the compiler ended with {fault.returncode}; nothing was activated")
    compiled = pickle.loads(done.stdout)  # noqa: S301  (our own child wrote it)
    assert isinstance(compiled, Compiled)  # noqa: S101  (tells mypy)
    return compiled
