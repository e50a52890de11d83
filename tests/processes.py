"""`sparekey` as processes that the tests start, watch and end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import orjson

from tests.forking import can_be_forked

CHECKOUT = Path(__file__).resolve().parent.parent
SPAREKEY = [sys.executable, "-c", "from server.command import main; main()"]


class Copy:
    """One copy of the process in `tests/forking.py`."""

    def __init__(self, number: int, told: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.returncode: int | None = None
        self._ended = asyncio.create_task(self._wait(told, writer))

    async def _wait(self, told: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        self.returncode = int(await told.read())
        writer.close()
        return self.returncode

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def send_signal(self, signal: int, /) -> None:
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.number, signal)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Original:
    """Started when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None

    async def copy(self, words: Sequence[str], environment: Mapping[str, str], output: BinaryIO) -> Copy:
        ours, theirs = socket.socketpair()
        order = orjson.dumps({"words": words, "environment": environment})
        with theirs:
            socket.send_fds(self._reached(), [order], [output.fileno(), output.fileno(), theirs.fileno()])
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        return Copy(int(await reader.readuntil(b" ")), reader, writer)

    def _reached(self) -> socket.socket:
        if self._orders is None:
            self._orders, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
            own = {name: value for name, value in os.environ.items() if not name.startswith("SPAREKEY_")}
            program = [sys.executable, "-m", "tests.forking", str(theirs.fileno())]
            with theirs:
                self._process = subprocess.Popen(
                    program, cwd=CHECKOUT, env=own, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
                )
        return self._orders

    def end(self) -> None:
        if self._orders is not None and self._process is not None:
            self._orders.close()
            self._process.wait()


ORIGINAL = Original()


async def start(words: Sequence[str], environment: Mapping[str, str], output: BinaryIO) -> Process | Copy:
    """`sparekey` with these words. Everything that it prints is in `output`."""
    if can_be_forked(environment):
        return await ORIGINAL.copy(words, environment, output)
    return await asyncio.create_subprocess_exec(
        *SPAREKEY, *words, cwd=CHECKOUT, env=environment, stdout=output, stderr=output
    )


async def ran(words: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """A command's exit code and everything that it printed."""
    with TemporaryFile() as output:
        code = await (await start(words, environment, output)).wait()
        output.seek(0)
        return code, output.read().decode()
