"""Where a measurement's table goes: to the terminal and to `bench/results/`, with what it was measured on.

The files are committed, so that a figure in a text can be traced to a run. They name the machine's processor and
the versions of what ran, and no path or name of the machine.
"""

from __future__ import annotations

import asyncio
import os
import platform
import re
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import asyncpg

FOLDER = Path(__file__).resolve().parent / "results"


def keep(name: str, table: Sequence[str], packages: Sequence[str] = (), others: Sequence[str] = ()) -> None:
    """`packages` are Python's, by name; `others` are name and version already."""
    versions = [f"Python {platform.python_version()}", *(f"{each} {version(each)}" for each in packages), *others]
    day = time.strftime("%Y-%m-%d", time.gmtime())
    text = "\n".join([*table, "", f"{day} · {_processor()} · {', '.join(versions)}", ""])
    print(text, flush=True)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.txt").write_text(text)


def postgresql(url: str) -> str:
    async def ask() -> str:
        session = await asyncpg.connect(url)
        try:
            return str(await session.fetchval("SHOW server_version"))
        finally:
            await session.close()

    return f"PostgreSQL {asyncio.run(ask())}"


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", described.read_text(), re.MULTILINE) if described.exists() else None
    return f"{found[1] if found else platform.machine()}, {os.cpu_count()} cores"
