from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from server import embedded, postmaster
from server.database import NOT_UP_TO_DATE
from server.embedded import Embedded, EmbeddedUnavailable
from tests.conftest import query
from tests.processes import SPAREKEY

CHECKOUT = Path(__file__).resolve().parent.parent
USE = """
import sys
from pathlib import Path
from server.embedded import Embedded
server = Embedded(Path(sys.argv[1]))
server.start()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """A folder whose server has been started once."""
    folder = Path(tempfile.mkdtemp(prefix="sparekey-embedded-"))
    server = Embedded(folder)
    server.start()
    assert server.stop()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def server(cluster: Path) -> Iterator[Embedded]:
    running = Embedded(cluster)
    running.start()
    yield running
    running.stop()


def other_process(folder: Path) -> subprocess.Popen[str]:
    """Uses the server until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", USE, str(folder)], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    while line := process.stdout.readline():
        if line == "ready\n":
            return
    raise AssertionError(f"ended with {process.wait()}")


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("")
    assert process.returncode == 0


async def test_what_is_acknowledged_is_on_the_disk(server: Embedded) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert (await query(server.url, f"SHOW {setting}"))[0][0] == "on"


async def test_nobody_else_reaches_the_data_or_the_socket(server: Embedded) -> None:
    assert stat.S_IMODE(server.cluster.stat().st_mode) == 0o700
    assert (await query(server.url, "SHOW listen_addresses"))[0][0] == ""


async def test_text_sorts_the_same_on_every_machine(server: Embedded) -> None:
    found = await query(
        server.url, "SELECT datlocprovider::text, datlocale FROM pg_database WHERE datname = 'sparekey'"
    )
    assert tuple(found[0]) == ("b", "C.UTF-8")


async def test_the_log_repeats_no_values(server: Embedded) -> None:
    await query(server.url, "CREATE TABLE secrets (word text PRIMARY KEY)")
    with pytest.raises(asyncpg.UniqueViolationError):
        await query(server.url, "INSERT INTO secrets VALUES ('correct-horse'), ('correct-horse')")
    await query(server.url, "DROP TABLE secrets")
    log = (server.data_dir / "postgres.log").read_text()
    assert "duplicate key" in log
    assert "correct-horse" not in log


async def test_a_second_process_shares_the_server_and_the_last_one_stops_it(server: Embedded) -> None:
    other = other_process(server.data_dir)
    wait_until_ready(other)
    number = postmaster.pid(server.cluster)
    end(other)
    assert postmaster.pid(server.cluster) == number
    assert await query(server.url, "SELECT 1")
    assert server.stop()
    assert postmaster.pid(server.cluster) is None


@pytest.mark.parametrize("farewell", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_asked_to_end_stops_the_server(cluster: Path, farewell: signal.Signals) -> None:
    user = other_process(cluster)
    wait_until_ready(user)
    user.send_signal(farewell)
    user.communicate()
    assert postmaster.pid(cluster / "postgres") is None


def test_after_the_last_user_was_killed_the_next_takes_the_server_over(cluster: Path) -> None:
    user = other_process(cluster)
    wait_until_ready(user)
    number = postmaster.pid(cluster / "postgres")
    user.kill()
    user.communicate()
    following = Embedded(cluster)
    following.start()
    assert postmaster.pid(following.cluster) == number
    assert following.stop()


def kill_server(server: Embedded) -> None:
    while (number := postmaster.pid(server.cluster)) is not None:
        os.kill(number, signal.SIGKILL)


async def test_after_the_server_was_killed_a_start_recovers_what_was_committed(server: Embedded) -> None:
    await query(server.url, "CREATE TABLE kept AS SELECT 1 AS one")
    kill_server(server)
    following = Embedded(server.data_dir)
    following.start()
    assert await query(following.url, "SELECT one FROM kept")
    await query(following.url, "DROP TABLE kept")
    following.stop()


async def test_a_stale_pid_file_may_name_a_living_process(server: Embedded) -> None:
    """In a container numbers are soon used again, by the same account too."""
    kill_server(server)
    server.stop()
    with a_process_of(server) as other:
        # Both files name the server; the killed one's own number may linger as a zombie's for a moment.
        for file in (server.cluster / "postmaster.pid", server.socket_folder / f".s.PGSQL.{postmaster.PORT}.lock"):
            lines = file.read_text().splitlines()
            file.write_text("\n".join([str(other), *lines[1:]]) + "\n")
        server.start()
        assert await query(server.url, "SELECT 1")


@contextmanager
def a_process_of(server: Embedded) -> Iterator[int]:
    process = subprocess.Popen(["/bin/sleep", "600"], **server._account.identity)
    yield process.pid
    process.kill()
    process.wait()


def test_two_first_starts_at_once_share_one_cluster() -> None:
    folder = Path(tempfile.mkdtemp(prefix="sparekey-embedded-"))
    users = [other_process(folder) for _ in range(2)]
    for user in users:
        wait_until_ready(user)
    for user in users:
        end(user)
    assert postmaster.pid(folder / "postgres") is None
    assert {path.name for path in folder.iterdir()} == {"postgres", "postgres.lock", "postgres.log", "postgres.users"}
    shutil.rmtree(folder)


async def test_a_path_too_long_for_a_socket_works() -> None:
    top = Path(tempfile.mkdtemp(prefix="sparekey-embedded-"))
    long = Embedded(top / ("long" * 20) / ("longer" * 20))
    long.start()
    assert await query(long.url, "SELECT 1")
    assert long.socket_folder != long.cluster
    assert stat.S_IMODE(long.socket_folder.stat().st_mode) == 0o700
    assert long.stop()
    shutil.rmtree(long.socket_folder)
    shutil.rmtree(top)


async def test_the_callers_environment_does_not_move_the_server(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "6000")
    monkeypatch.setenv("PGDATA", "/nowhere")
    server = Embedded(cluster)
    server.start()
    assert await query(server.url, "SELECT 1")
    server.stop()


def test_without_the_wheel_the_message_says_what_to_do(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda _: None)
    with pytest.raises(EmbeddedUnavailable, match="SPAREKEY_DATABASE_URL"):
        Embedded(cluster)


def test_a_cluster_that_cannot_start_shows_postgresqls_own_words() -> None:
    folder = Path(tempfile.mkdtemp(prefix="sparekey-embedded-"))
    (folder / "postgres").mkdir()
    (folder / "postgres" / "PG_VERSION").write_text("9\n")
    broken = Embedded(folder)
    with pytest.raises(EmbeddedUnavailable, match="PostgreSQL did not start"):
        broken.start()
    broken.stop()
    shutil.rmtree(folder)


def test_a_command_on_a_new_database_says_to_start_the_server_once(cluster: Path) -> None:
    own = {**os.environ, "DATA_DIR": str(cluster), "SPAREKEY_DATABASE_URL": "", "SPAREKEY_MODE": "development"}
    ran = subprocess.run([*SPAREKEY, "policy", "plan"], cwd=CHECKOUT, env=own, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (1, f"Error: {NOT_UP_TO_DATE}\n")
