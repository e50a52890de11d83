"""From the command to the first answer, with the database there already: promised under 1.5 s.

The peer is the smallest thing that could answer: the same interpreter, uvicorn and a bare Starlette route.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench import results

CHECKOUT = Path(__file__).resolve().parent.parent
ROUNDS = 5
SPAREKEY = "from server.command import main; main(['serve'])"
BARE = """
import os, uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
async def ready(request): return PlainTextResponse("ok")
uvicorn.run(Starlette(routes=[Route("/readyz", ready)]), port=int(os.environ["PORT"]), log_level="error")
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sparekey-bench-") as folder:
        os.chmod(folder, 0o755)  # noqa: S103  (the embedded PostgreSQL of a root shell runs as another account)
        seconds_to_answer(SPAREKEY, folder)  # the first start makes the database
        ours, bare = [], []
        for _ in range(ROUNDS):
            ours.append(seconds_to_answer(SPAREKEY, folder))
            bare.append(seconds_to_answer(BARE, folder))
    results.keep(
        "start",
        (
            f"{'start to first answer, median of ' + str(ROUNDS):<48} {'seconds':>8} {'ratio':>6}",
            f"{'sparekey serve, database there already':<48} {statistics.median(ours):>8.2f} {ratio(ours, bare):>6.2f}",
            f"{'uvicorn with one bare Starlette route':<48} {statistics.median(bare):>8.2f} {1:>6.2f}",
        ),
        ("starlette", "uvicorn"),
    )


def ratio(ours: list[float], peer: list[float]) -> float:
    """The median of the ratios pair by pair."""
    return statistics.median(one / other for one, other in zip(ours, peer, strict=True))


def seconds_to_answer(program: str, folder: str) -> float:
    """Start a server, ask /readyz until it answers, stop it."""
    port = free_port()
    environment = {**os.environ, "DATA_DIR": folder, "PORT": str(port), "SPAREKEY_DATABASE_URL": ""}
    began = time.monotonic()
    with subprocess.Popen(  # noqa: S603  (our own programs)
        [sys.executable, "-c", program], cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL
    ) as server:
        wait_for(port, server)
        took = time.monotonic() - began
        server.send_signal(signal.SIGTERM)
    return took


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz").read()
            return
        except OSError:
            time.sleep(0.005)
    raise SystemExit("the server ended before it answered")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
