"""Taking turns at a few things: whoever waits longest is next, and nobody waits longer than they said.

An `asyncio.Semaphore` under an `asyncio.timeout` does the same in twice the time, and under load everybody waits.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None  # asked for once: in Python 3.11 it is a system call

    @property
    def is_closed(self) -> bool:
        """Whether the next one would have to wait."""
        return self._free <= 0

    async def take(self, seconds: float) -> None:
        """Raises TimeoutError after so many seconds. Whoever took a turn gives it back."""
        if self._free > 0:
            self._free -= 1
            return
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(turn)
        patience = self._loop.call_later(seconds, _lose, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.give_back()  # it had come just before
            raise
        finally:
            patience.cancel()

    def give_back(self) -> None:
        """To whoever waits longest, if anybody still does."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def _lose(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(TimeoutError())
