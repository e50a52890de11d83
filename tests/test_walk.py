"""The walk against a real server process: it passes there however often it is played, and catches a liar."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from server.embedded import Embedded
from server.walk import play
from tests.conftest import query

CHECKOUT = Path(__file__).parent.parent
SPAREKEY = [sys.executable, "-c", "from server.command import main; main()"]
QUICK = "from pytest import MonkeyPatch; from tests.hashing import be_quick; be_quick(MonkeyPatch()); "
SERVE = [sys.executable, "-c", f"{QUICK}from server.command import main; main()", "serve"]
OPERATOR = ("operator@sparekey.example", "demo-password")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


def answers(process: subprocess.Popen[bytes], url: str) -> bool:
    """Waits until the server is ready; False once it has gone."""
    while process.poll() is None:
        try:
            if httpx2.get(f"{url}/readyz", trust_env=False).status_code == 200:
                return True
        except httpx2.TransportError:
            time.sleep(0.05)
    return False


@contextmanager
def serving(database_url: str, folder: Path) -> Iterator[str]:
    """`sparekey serve` as a process of its own, in development, with demo accounts. Its hashes are quick: they were
    most of the work of a walk, and are not what is tested here."""
    port = free_port()
    own = {name: value for name, value in os.environ.items() if not name.startswith("SPAREKEY_")}
    own |= {"PORT": str(port), "DATA_DIR": str(folder), "SPAREKEY_DATABASE_URL": database_url}
    log = folder / "log"
    with log.open("wb") as out, subprocess.Popen(SERVE, cwd=CHECKOUT, env=own, stdout=out, stderr=out) as process:
        try:
            assert answers(process, f"http://127.0.0.1:{port}"), log.read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
async def server(
    postgres: Embedded, template: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """The address of a server over a database of its own."""
    name = f"walk_{worker_id}"
    await query(postgres.url, f"CREATE DATABASE {name} TEMPLATE {template}")
    with serving(postgres.url_of(name), tmp_path_factory.mktemp("walk")) as url:
        yield url


def walk(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SPAREKEY, "walk", "--url", url, *options], cwd=CHECKOUT, capture_output=True, text=True)


async def test_the_walk_meets_no_surprise_however_often_it_is_played(server: str) -> None:
    for _ in range(2):
        played = walk(server)
        assert (played.returncode, played.stderr) == (0, "")
        assert played.stdout.splitlines()[-1].startswith("No surprise: ")
        assert "\x1b" not in played.stdout  # colour is for terminals


async def test_an_operator_who_cannot_sign_in_ends_the_walk_at_that_step(server: str) -> None:
    played = walk(server, "--operator-password", "not-the-password")
    assert played.returncode == 1
    assert "at: The platform's operator signs in" in played.stderr
    assert "SignInFailed" in played.stderr


def test_where_nothing_listens_the_walk_says_so_without_a_traceback() -> None:
    played = walk(f"http://127.0.0.1:{free_port()}")
    assert played.returncode == 1
    assert "expected  an answer from http://127.0.0.1:" in played.stderr
    assert "Traceback" not in played.stderr


class Liar(BaseHTTPRequestHandler):
    """Hands everything on to the real server, and says one thing instead of another in its answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer waits 40 ms for the next packet
    truth, lie, honest = b"", b"", ""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["content-length"]))
        passed_on = {name: self.headers[name] for name in ("content-type", "cookie") if name in self.headers}
        with closing(HTTPConnection(self.honest)) as server:
            server.request("POST", self.path, asked, passed_on)
            answer = server.getresponse()
            said = answer.read().replace(self.truth, self.lie)
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(said)))
        for line in answer.headers.get_all("set-cookie", []):
            self.send_header("Set-Cookie", line)
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def lying(honest: str, truth: str, lie: str) -> Iterator[str]:
    told = {"honest": honest.removeprefix("http://"), "truth": truth.encode(), "lie": lie.encode()}
    handler = type("ThisLiar", (Liar,), told)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as between:
        thread = threading.Thread(target=between.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{between.server_port}"
        between.shutdown()
        thread.join()


async def test_a_page_instead_of_a_graphql_answer_is_a_surprise(
    server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with lying(server, "{", "<html>") as url:
        assert play(url, *OPERATOR) == 1
    assert "expected  a GraphQL answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("truth", "lie", "step"),
    [
        ('"AWAITING_AGREEMENT"', '"ACTIVE"', "She turns on Biller."),
        ('"SUSPENDED"', '"ACTIVE"', "Olivia has a question about a bill"),
        ('"practice":null', '"practice":{"name":"Maple Street Therapy"}', "She leaves the company."),
        ('"REVOKED_BY_PRACTICE"', '"LEFT_BY_AGENT"', "Harriet ends the engagement"),
        ('"LOCKED"', '"ISSUED"', "Ben sees that his token is LOCKED."),
        ('"ACTIVE","roles":["biller"]', '"ACTIVE","roles":["biller","manager"]', "Who could submit claims"),
    ],
)
async def test_a_server_that_lies_about_one_thing_is_caught_at_that_step(
    server: str, truth: str, lie: str, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with lying(server, truth, lie) as url:
        assert play(url, *OPERATOR) == 1
    surprise = capsys.readouterr().err.splitlines()[1]
    assert step in surprise
