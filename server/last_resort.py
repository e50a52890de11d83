"""What still runs when its time is over is cut off. One timer looks after everything that is watched: one for each
request, begun and ended with it, would be a thirtieth of the work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

TICK_SECONDS = 0.1  # by so much somebody may be cut off late

Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class Watched:
    task: asyncio.Task[object]
    at: float  # in time.monotonic()
    cancelling: int  # how often others had asked the task to end before
    cut: bool = False


class LastResort:
    def __init__(self) -> None:
        self._running: dict[Watched, None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self, at: float) -> Watched:
        """The current task, until it is lifted."""
        task: Any = asyncio.current_task(self._loop) or asyncio.current_task()
        watched = Watched(task, at, task.cancelling())
        self._running[watched] = None
        loop = task.get_loop()
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(TICK_SECONDS, self._look)
        return watched

    def lift(self, watched: Watched) -> bool:
        """Watch it no more. Whether it was cut off, and by nobody else."""
        if watched not in self._running:
            return False
        del self._running[watched]
        return watched.cut and watched.task.uncancel() <= watched.cancelling

    async def within(self, seconds: float, work: Awaitable[Result]) -> Result:
        """Raises TimeoutError."""
        watched = self.watch(time.monotonic() + seconds)
        try:
            return await work
        except asyncio.CancelledError:
            if self.lift(watched):
                raise TimeoutError from None
            raise
        finally:
            self.lift(watched)

    def _look(self) -> None:
        now = time.monotonic()
        for watched in self._running:
            if not watched.cut and watched.at <= now:
                watched.cut = watched.task.cancel()
        if self._running and self._loop is not None:
            self._loop.call_later(TICK_SECONDS, self._look)
        else:
            self._loop = None


LAST_RESORT = LastResort()
