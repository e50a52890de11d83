"""What can be seen of a PostgreSQL server from outside: its pid file, its socket and its process."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

PORT = "5432"  # only a part of the socket's name


def socket_in(folder: Path) -> Path:
    return folder / f".s.PGSQL.{PORT}"


def pid_file(cluster: Path) -> list[str]:
    """Its lines: number, data, start, port, socket folder, address, shared memory, status. None if there is none."""
    with suppress(OSError):
        return (cluster / "postmaster.pid").read_text().splitlines()
    return []


def pid(cluster: Path) -> int | None:
    """The server's number, while it runs: after a crash the number may be another program's."""
    lines = pid_file(cluster)
    number = int(lines[0]) if lines and lines[0].strip().isdigit() else None
    return number if number is not None and _works_in(number, cluster) else None


def accepts(socket_folder: Path) -> bool:
    """Whether somebody listens, be it from another container whose processes we do not see."""
    with socket.socket(socket.AF_UNIX) as attempt, suppress(OSError):
        attempt.connect(str(socket_in(socket_folder)))
        return True
    return False


def ready(cluster: Path, socket_folder: Path) -> bool:
    """Listening begins before recovery has ended; the status in the pid file says when it has."""
    lines = pid_file(cluster)
    return len(lines) >= 8 and lines[7].strip() == "ready" and accepts(socket_folder)


def _works_in(number: int, cluster: Path) -> bool:
    """Whether the process is PostgreSQL on this cluster, which is its working directory."""
    if Path("/proc/self").exists():
        with suppress(OSError):
            return os.readlink(f"/proc/{number}/cwd") == str(cluster.resolve())
        return False
    listed = subprocess.run(  # noqa: S603  (a number)
        ["/bin/ps", "-o", "command=", "-p", str(number)], capture_output=True, text=True
    )
    return f"-D {cluster}" in listed.stdout
