"""A process that has imported the command `sparekey` and is copied whenever a test wants one of its own.

More than a hundred servers and commands are started by the tests, and each took a second of the processor until it had
imported everything. A copy is a process like any other, with an environment, a folder, output and signals of its own;
what it has in common with others is that nothing has happened in it yet. Only what is read while importing cannot
differ: see `can_be_forked`.

The tests talk to the original over a socket: one message for each copy, with three files in it, for what it prints,
for its errors and for its number and its end.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import socket
import sys
from collections.abc import Mapping

import orjson

MOST = 200_000  # bytes of a message: the environment is the longest part
FILES = 3


def can_be_forked(environment: Mapping[str, str]) -> bool:
    """Limits are read while the program is imported."""
    return not any(name.startswith("SPAREKEY_LIMIT_") for name in environment)


def wait_for_orders(orders: socket.socket) -> None:
    """Returns in each copy, which then is what was asked for. The original ends with the tests."""
    while True:
        message, files, _, _ = socket.recv_fds(orders, MOST, FILES)
        if not message:
            sys.exit()
        if os.fork() == 0:
            orders.close()
            _watch_over_a_copy(files[2])
            _become(orjson.loads(message), *files[:2])
            return
        for file in files:
            os.close(file)
        _let_go_of_the_ended()


def _let_go_of_the_ended() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _watch_over_a_copy(told: int) -> None:
    """Returns in the copy. The process in between tells its number, waits for its end and tells that."""
    if number := os.fork():
        os.write(told, b"%d " % number)
        _, status = os.waitpid(number, 0)
        os.write(told, b"%d" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(told)


def _become(order: dict[str, object], out: int, errors: int) -> None:
    for here, there in ((out, 1), (errors, 2)):
        os.dup2(here, there)
    for file in {out, errors}:
        os.close(file)
    os.environ.clear()
    os.environ.update(order["environment"])  # type: ignore[call-overload]  # JSON of our own
    sys.argv[1:] = order["words"]  # type: ignore[call-overload]  # as above


# What the commands import when they are asked for.
LATER = ("banner", "before_serving", "doctor_command", "policy_plan", "run", "service")

if __name__ == "__main__":
    command = importlib.import_module("server.command")
    for name in LATER:
        importlib.import_module(f"server.{name}")
    gc.freeze()
    wait_for_orders(socket.socket(fileno=int(sys.argv[1])))
    sys.argv[0] = "sparekey"
    command.main()
