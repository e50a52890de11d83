"""Turns: in order, for a limited time, and none is ever lost."""

from __future__ import annotations

import asyncio
import random

import pytest

from models.turns import Turns


async def test_whoever_waits_longest_is_next_and_nobody_overtakes() -> None:
    turns, order = Turns(1), list[int]()
    await turns.take(1)

    async def come(number: int) -> None:
        await turns.take(1)
        order.append(number)
        await asyncio.sleep(0)
        turns.give_back()

    tasks = [asyncio.ensure_future(come(number)) for number in range(5)]
    await asyncio.sleep(0)
    turns.give_back()
    await asyncio.gather(come(9), *tasks)
    assert order == [0, 1, 2, 3, 4, 9]


async def test_nobody_waits_longer_than_they_said_and_whoever_gave_up_is_passed_over() -> None:
    turns = Turns(1)
    await turns.take(1)
    later = asyncio.ensure_future(turns.take(1))
    with pytest.raises(TimeoutError):
        await turns.take(0.01)
    assert turns.is_closed
    turns.give_back()
    await asyncio.wait_for(later, 0.1)
    turns.give_back()
    assert not turns.is_closed


async def test_a_turn_that_comes_in_the_moment_of_a_cancellation_goes_to_the_next() -> None:
    turns = Turns(1)
    await turns.take(1)
    first, second = [asyncio.ensure_future(turns.take(1)) for _ in range(2)]
    await asyncio.sleep(0)
    turns.give_back()
    first.cancel()
    await asyncio.wait_for(second, 0.1)
    assert first.cancelled() or isinstance((await asyncio.gather(first, return_exceptions=True))[0], BaseException)


async def test_whatever_happens_while_they_wait_no_turn_is_lost() -> None:
    turns, chance = Turns(3), random.Random(7)

    async def come_and_go() -> None:
        try:
            await turns.take(chance.choice([0, 0.001, 0.01]))
        except TimeoutError:
            return
        try:
            await asyncio.sleep(chance.choice([0, 0.001]))
        finally:
            turns.give_back()

    for _ in range(100):
        tasks = [asyncio.ensure_future(come_and_go()) for _ in range(chance.randrange(10))]
        await asyncio.sleep(chance.choice([0, 0, 0.001]))
        for task in tasks:
            if chance.random() < 0.3:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for _ in range(3):
        await asyncio.wait_for(turns.take(1), 0.1)
    assert turns.is_closed
