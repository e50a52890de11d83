"""Servers and commands as processes of their own, on one database, each with a policy folder of its own."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx2

from models.identifier import uuid7
from operations.session import reference_hash
from tests.canary import CANARY, HOOKS
from tests.processes import Copy, ran, start
from tests.stored import as_application

PEPPER = "a pepper of the tests, which guards nothing"
DIGEST = "Sparekey-Policy"
ASKED = "{ policy { digest } }"


def environment(url: str, **more: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SPAREKEY_", "DATA_DIR", "PORT"))}
    return {**own, "SPAREKEY_DATABASE_URL": as_application(url), "SPAREKEY_DATABASE_OWNER_URL": url, **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Worker:
    process: asyncio.subprocess.Process | Copy
    http: httpx2.AsyncClient
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    async def ask(self, document: str = ASKED, reference: str = "") -> httpx2.Response:
        headers = {"Cookie": f"sparekey={reference}"} if reference else {}
        return await self.http.post("/graphql", json={"query": document}, headers=headers)

    async def digest(self, reference: str) -> str:
        """Of the set that decided this one request."""
        answer = await self.ask(reference=reference)
        assert answer.status_code == 200, answer.text
        found: str = answer.headers[DIGEST]
        assert answer.json()["data"]["policy"]["digest"] == found
        return found

    async def metric(self, name: str) -> float:
        lines = (await self.http.get("/metrics")).text.splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")), 0.0)

    async def reloads(self, outcome: str) -> float:
        return await self.metric(f'sparekey_policy_reloads_total{{outcome="{outcome}"}}')

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@asynccontextmanager
async def serving(
    url: str, policies: Path, data_dir: Path, mode: str = "development", **settings: str
) -> AsyncIterator[Worker]:
    """`sparekey serve`, answering. In production the cookie's name starts with __Host-."""
    os.makedirs(data_dir, exist_ok=True)
    port, log_file = free_port(), data_dir / "log"
    own = environment(url, PORT=str(port), DATA_DIR=str(data_dir), SPAREKEY_POLICIES=str(policies), SPAREKEY_MODE=mode)
    own |= {"SPAREKEY_PEPPER": PEPPER, **settings}
    with log_file.open("wb") as log:
        process = await start(["serve"], own, log)
    address = f"http://127.0.0.1:{port}"
    async with httpx2.AsyncClient(base_url=address, trust_env=False, timeout=30, event_hooks=HOOKS) as http:
        worker = Worker(process, http, log_file)
        try:
            await until(lambda: _ready(worker))
            yield worker
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            CANARY.hear("the log of a server", worker.log)


async def _ready(worker: Worker) -> bool:
    assert worker.process.returncode is None, worker.log
    try:
        return (await worker.http.get("/readyz")).status_code == 200
    except httpx2.TransportError:
        return False


async def until(holds: Callable[[], Any], seconds: float = 20) -> None:
    """Wait for something that happens by itself."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110  # another process, which has no events for us
            await asyncio.sleep(0.02)


async def sparekey(url: str, *arguments: str | Path) -> tuple[int, str]:
    """One `sparekey policy` command: its exit code and everything it printed."""
    return await ran(["policy", *map(str, arguments)], environment(url))


async def signed_in(url: str) -> str:
    """The session reference of a new person."""
    reference, now, user = secrets.token_urlsafe(32), datetime.now(UTC), uuid7()
    session = await asyncpg.connect(url)
    try:
        person = "INSERT INTO users (id, name, email, created_at) VALUES ($1, 'Somebody', $2, $3)"
        await session.execute(person, user, f"{user}@elm.example", now)
        times = "started_at, last_seen_at, reauthenticated_at, expires_at"
        opened = f"INSERT INTO sessions (id, user_id, reference_hash, {times}) VALUES ($1, $2, $3, $4, $4, $4, $5)"
        await session.execute(opened, uuid7(), user, reference_hash(reference), now, now + timedelta(days=1))
    finally:
        await session.close()
    return reference


class Wire:
    """A wire to PostgreSQL that can be cut without anybody noticing: bytes just stop."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        asked = parse_qs(parts.query)
        self.socket = f"{asked['host'][0]}/.s.PGSQL.{asked['port'][0]}"
        self.database = parts.path
        self.whole = asyncio.Event()
        self.whole.set()

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._both_ways, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://postgres@127.0.0.1:{port}{self.database}"
        server.close()

    async def _both_ways(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(self.socket)
        await asyncio.gather(self._carry(reader, inner_writer), self._carry(inner_reader, writer))

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while content := await source.read(65_536):
                await self.whole.wait()
                target.write(content)
                await target.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            target.close()
