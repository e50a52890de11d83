"""What is cut off is what ran too long, and nothing else; whoever else ends a task is obeyed."""

from __future__ import annotations

import asyncio

import pytest

from server.last_resort import TICK_SECONDS, LastResort

SOON = TICK_SECONDS / 2


async def test_what_ends_in_time_gives_its_result_and_leaves_nothing_behind() -> None:
    resort = LastResort()
    assert await resort.within(SOON, asyncio.sleep(0, "done")) == "done"
    await asyncio.sleep(2 * TICK_SECONDS)
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]  # a test is a task


async def test_what_runs_too_long_is_cut_off_and_the_task_goes_on() -> None:
    resort = LastResort()
    for _ in range(2):  # the timer begins anew when nobody was left to be watched
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(resort.within(SOON, asyncio.Event().wait()), 5)
        await asyncio.sleep(2 * TICK_SECONDS)


async def test_whoever_else_cancels_is_obeyed() -> None:
    task = asyncio.ensure_future(LastResort().within(60, asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_of_two_limits_in_one_task_each_cuts_off_its_own() -> None:
    resort = LastResort()

    async def inner() -> str:
        try:
            await resort.within(SOON, asyncio.Event().wait())
        except TimeoutError:
            return "the inner one"
        return "nobody"

    assert await resort.within(60, inner()) == "the inner one"
