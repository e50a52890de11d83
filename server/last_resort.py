"""What still runs when its time is over is cut off. One timer looks after all requests: one for each, begun and ended
with it, would be a fiftieth of the work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

TICK_SECONDS = 0.1  # by so much somebody may be cut off late


@dataclass(slots=True)
class Watched:
    at: float  # in the time of the event loop
    cancelling: int  # how often others had asked the task to end before
    cut: bool = False


class LastResort:
    def __init__(self) -> None:
        self._running: dict[asyncio.Task[object], Watched] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self, task: asyncio.Task[object], at: float) -> None:
        self._running[task] = Watched(at, task.cancelling())
        loop = task.get_loop()
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(TICK_SECONDS, self._look)

    def lift(self, task: asyncio.Task[object]) -> bool:
        """Watch it no more. Whether it was cut off, and by nobody else."""
        watched = self._running.pop(task, None)
        return watched is not None and watched.cut and task.uncancel() <= watched.cancelling

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        for task, watched in self._running.items():
            if not watched.cut and watched.at <= loop.time():
                watched.cut = task.cancel()
        if self._running:
            loop.call_later(TICK_SECONDS, self._look)
        else:
            self._loop = None
