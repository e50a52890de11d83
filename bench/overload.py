"""What is left of the useful work when three times as many requests come as can be done.

Promised: at 3 × saturation at least 90 % of the peak, and refusals within 50 ms at the 99th percentile. The crowd
does not wait for answers and ignores Retry-After, which is the worst case: every refusal costs the server time. The
server has a core to itself; the crowd and PostgreSQL share the other.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import interpreter, load, results, servers
from bench.servers import CHECKOUT
from server.embedded import Embedded

# With the demo's data, and without memory: what is given from there is not admitted, and not refused either.
ALONE = {"SPAREKEY_MODE": "development", "SPAREKEY_LIMIT_ANSWER_CACHE_BYTES": "1"}
SECONDS = 5
ROUNDS = 3
SIGN_IN = "mutation ($input: SignInInput!) { signIn(input: $input) { __typename } }"
PERSON = {"email": "owner@elm.example", "password": "demo-password"}
PAGE = "{ practices(first: 5) { nodes { id name kind incorporated staff(first: 20) { nodes { id } } } } }"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sparekey-bench-") as folder, load.beside_the_server():
        os.chmod(folder, 0o755)  # noqa: S103  (the embedded PostgreSQL of a root shell runs as another account)
        embedded = Embedded(Path(folder))
        embedded.start()
        owner, url = embedded.url, embedded.application_url
        settings = {**ALONE, "DATA_DIR": folder, "SPAREKEY_DATABASE_URL": url, "SPAREKEY_DATABASE_OWNER_URL": owner}
        with servers.python(servers.SPAREKEY, settings) as it:
            request = _request(it.port)
            rounds = [_round(it.port, request) for _ in range(ROUNDS)]
        embedded.stop()
    results.keep("overload", list(_table(rounds)), ("uvicorn", "starlette"), (interpreter.fastest().told,))


def _table(rounds: list[dict[int, dict[str, Any]]]) -> Iterator[str]:
    yield f"{'a page of one practice, requests per second':<44} {'offered':>8} {'done':>7} {'refused':>8}  p99 ms"
    for name, rate in (("peak: 64 connections, as fast as answered", 0), ("1 × the peak", 1), ("3 × the peak", 3)):
        yield _line(name, [each[rate] for each in rounds])
    yield f"{'done at 3 ×, of the peak':<44} {statistics.median(_done(r[3]) / _done(r[0]) for r in rounds):>8.0%}"


def _round(port: int, request: bytes) -> dict[int, dict[str, Any]]:
    """What happened, by how many times the peak came."""
    peak = _crowd(port, 0, request)
    return {0: peak, 1: _crowd(port, _done(peak), request), 3: _crowd(port, 3 * _done(peak), request)}


def _crowd(port: int, rate: float, request: bytes) -> dict[str, Any]:
    command = [interpreter.fastest().program, "-m", "bench.crowd", str(port), str(rate), str(SECONDS)]
    given = {**os.environ, **interpreter.environment()}
    ran = subprocess.run(command, cwd=CHECKOUT, env=given, input=request, capture_output=True, check=True)  # noqa: S603  (ourselves)
    return {"offered": rate, **json.loads(ran.stdout)}


def _of(result: dict[str, Any], status: str, column: int) -> float:
    return float(result["answers"].get(status, [0, 0, 0])[column])


def _done(result: dict[str, Any]) -> float:
    return _of(result, "200", 0)


def _line(name: str, measured: list[dict[str, Any]]) -> str:
    offered = statistics.median(each["offered"] for each in measured)
    done, refused = (statistics.median(_of(each, status, 0) for each in measured) for status in ("200", "503"))
    late, told = (statistics.median(_of(each, status, 2) for each in measured) for status in ("200", "503"))
    return f"{name:<44} {offered:>8.0f} {done:>7.0f} {refused:>8.0f}  done {late:.0f}, refused {told:.0f}"


def _request(port: int) -> bytes:
    """The page asked for by somebody who is signed in, as bytes."""
    _, cookie = _post(port, {"query": SIGN_IN, "variables": {"input": PERSON}}, "")
    body = json.dumps({"query": PAGE}).encode()
    _post(port, {"query": PAGE}, cookie)
    head = f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nCookie: {cookie}\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def _post(port: int, content: dict[str, Any], cookie: str) -> tuple[Any, str]:
    headers = {"Content-Type": "application/json", "Cookie": cookie}
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", json.dumps(content).encode(), headers)
    with urllib.request.urlopen(asked) as response:  # noqa: S310  (our own server)
        answer = json.load(response)
        if "errors" in answer:
            raise SystemExit(f"the measured page was not answered: {answer['errors']}")
        return answer, str(response.headers["Set-Cookie"] or "").partition(";")[0]
