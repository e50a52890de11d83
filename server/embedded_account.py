"""Which account the embedded PostgreSQL runs as: PostgreSQL refuses to run as root, and containers are root.

As an ordinary account, it is that account. As root, it is the owner of the data, or `pgserver` for new data.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

ROOT = 0
SYSTEM_ACCOUNT = "pgserver"


class EmbeddedUnavailable(Exception):
    """The embedded PostgreSQL cannot run here; says what to do."""


class Identity(TypedDict, total=False):
    """Arguments of `subprocess` that make a child run as another account; none for our own."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class ServerAccount:
    uid: int
    gid: int
    identity: Identity

    def own(self, folder: Path, programs: Path) -> None:
        """Hand `folder` to this account and let it reach both folders. Nothing to do for our own account."""
        if not self.identity:
            return
        os.chown(folder, self.uid, self.gid)
        _let_pass(folder.parent)
        _let_pass(programs.parent)
        if not (programs / "postgres").stat().st_mode & stat.S_IROTH:
            package = programs.parents[1]
            _let_read(programs.parent)
            _let_read(package.with_name(f"{package.name}.libs"))  # where the wheel keeps the shared libraries


def account_for(cluster: Path) -> ServerAccount:
    owner = cluster.stat().st_uid if cluster.exists() else None
    if os.geteuid() != ROOT:
        if owner not in (None, os.geteuid()):
            raise EmbeddedUnavailable(f"{cluster} belongs to another account; start as that account or move DATA_DIR")
        return ServerAccount(os.geteuid(), os.getegid(), {})
    entry = _system_account() if owner in (None, ROOT) else _entry_of(owner, cluster)
    return ServerAccount(entry.pw_uid, entry.pw_gid, {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []})


def _entry_of(uid: int | None, cluster: Path) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid or ROOT)
    except KeyError:
        raise EmbeddedUnavailable(f"{cluster} belongs to account {uid}, which this machine does not know") from None


def _system_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SYSTEM_ACCOUNT)
    except KeyError:
        _create_system_account()
        return pwd.getpwnam(SYSTEM_ACCOUNT)


def _create_system_account() -> None:
    instead = (
        f"PostgreSQL cannot run as root and the account {SYSTEM_ACCOUNT!r} is missing: create it, start as an ordinary"
        " account, or set SPAREKEY_DATABASE_URL"
    )
    program = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise EmbeddedUnavailable(instead)
    done = subprocess.run(  # noqa: S603  (found on the PATH of root, arguments are constants)
        [program, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_ACCOUNT],
        capture_output=True,
        text=True,
    )
    already_exists = 9  # another start was faster (exit codes: useradd(8))
    if done.returncode not in (0, already_exists):
        raise EmbeddedUnavailable(f"{instead} (useradd: {done.stderr.strip()})")


def _let_pass(folder: Path) -> None:
    """Permission to pass through, never to list, on the folders above that deny it."""
    for step in (folder, *folder.parents):
        mode = step.stat().st_mode
        if not mode & stat.S_IXOTH:
            step.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
            print(f"sparekey: {step} may now be passed through by all accounts, so that PostgreSQL reaches its files")


def _let_read(folder: Path) -> None:
    """A wheel unpacked under a strict umask is readable by root alone; its files are public."""
    for path in (folder, *folder.rglob("*")):
        if path.exists() and not path.is_symlink():
            execute = stat.S_IXOTH if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0
            path.chmod(stat.S_IMODE(path.stat().st_mode) | stat.S_IROTH | execute)
