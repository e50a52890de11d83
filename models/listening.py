"""What was committed, told as it happens: one LISTEN connection for the process, and who waits for what.

A change notifies in its own transaction, by triggers (migration 0008): it is told once it is committed, whoever made it
and in whatever worker. What is told is a topic, `agent <id>`, `practice <id>` or `token <id>`, and nothing of the
change: it says that there is something to look at, and the table is the truth.

Why nothing is missed: whoever waits is registered before the first look. Whenever the connection is made, for the first
time or anew, everybody is woken after LISTEN was accepted, and looks again. So what was committed before that is seen
by the look, and what is committed later is told. A connection that died without a word is found out by asking it now
and then. Being woken more often than necessary costs a look; two wake-ups before it are one, so nobody has a queue.

The URL has to lead to PostgreSQL itself, or to a pooler in session mode: behind pgbouncer in transaction mode nothing
is heard, and subscriptions then tell only what they find when they begin.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import asyncpg

CHANNEL = "sparekey_changes"
NAME = "sparekey listening"  # of the connection, as pg_stat_activity shows it
CONNECT_SECONDS = 5.0
BEAT_SECONDS = 10.0  # between two questions whether the connection is still there
ANSWER_SECONDS = 5.0  # for the answer to one
FIRST_PAUSE = 0.05  # before a lost connection is tried again; doubled at each failure
LONGEST_PAUSE = 5.0

LOGGER = logging.getLogger("sparekey.listening")


class Listening:
    """The connection is opened for the first who waits, and kept until the process ends."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None
        self._pause = FIRST_PAUSE

    @contextmanager
    def to(self, topic: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever there may be something new. Clear it before looking, never afterwards."""
        woken = asyncio.Event()
        self._waiting.setdefault(topic, set()).add(woken)
        if self._task is None or self._task.done():
            # Shared by many, so it must not end with the deadline of the one that began it.
            self._task = asyncio.create_task(self._listen(), context=contextvars.Context())
        try:
            yield woken
        finally:
            self._waiting[topic].discard(woken)
            if not self._waiting[topic]:
                del self._waiting[topic]

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except Exception as fault:  # whatever it was, nothing is heard; the driver has many words for that
                if self._pause == FIRST_PAUSE:  # once for each loss
                    LOGGER.warning("nothing is heard of changes at present: %s", type(fault).__name__)
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    async def _listen_once(self) -> None:
        settings = {"application_name": NAME}
        connection = await asyncpg.connect(self._dsn, timeout=CONNECT_SECONDS, server_settings=settings)
        try:
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, self._heard)
            self._pause = FIRST_PAUSE
            self._wake_everybody()
            await _while_it_answers(connection, lost)
        finally:
            connection.terminate()

    def _heard(self, connection: object, pid: int, channel: str, topic: object) -> None:
        for woken in self._waiting.get(str(topic), ()):
            woken.set()

    def _wake_everybody(self) -> None:
        for waiting in self._waiting.values():
            for woken in waiting:
                woken.set()


async def _while_it_answers(connection: asyncpg.Connection, lost: asyncio.Event) -> None:
    while not lost.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT_SECONDS):
                await lost.wait()
        if not lost.is_set():
            await connection.execute("SELECT 1", timeout=ANSWER_SECONDS)
