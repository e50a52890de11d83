"""Cancelling a coroutine at one exact await, so that a sweep over all of them leaves nothing to luck."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any


class CancelledAt:
    """Awaits `work` and cancels the task that does so when it waits for the `nth` time."""

    def __init__(self, work: Coroutine[Any, Any, Any], nth: int) -> None:
        self.work = work
        self.nth = nth
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self.work.__await__()
        step: Callable[[], Any] = lambda: next(steps)  # noqa: E731  (rebound below to throw into the same steps)
        while True:
            try:
                waiting_for = step()
            except StopIteration as end:
                return end.value
            self.waits += 1
            if self.waits == self.nth:
                _this_task().cancel()
            try:
                yield waiting_for
                step = lambda: next(steps)  # noqa: E731  (as above)
            except BaseException as thrown:
                step = lambda thrown=thrown: steps.throw(thrown)  # type: ignore[misc]  # noqa: E731  (as above)


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def cancel_at_every_await(
    work: Callable[[], Coroutine[Any, Any, Any]], after: Callable[[], Awaitable[None]]
) -> int:
    """Run `work` again and again, cancelled one wait later each time, until it ends by itself. How often it was cut."""
    nth = 0
    while True:
        nth += 1
        attempt = CancelledAt(work(), nth)
        task = asyncio.ensure_future(_run(attempt))
        outcome = (await asyncio.gather(task, return_exceptions=True))[0]
        await after()
        if attempt.waits < nth:
            if isinstance(outcome, BaseException):
                raise outcome
            return nth - 1


async def _run(attempt: CancelledAt) -> Any:
    return await attempt
