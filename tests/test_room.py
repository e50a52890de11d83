"""Places: who gets one, who waits, who is sent away, and that none is ever lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping

import pytest

import limits
from server.hang_up import HangUp
from server.room import FULL, GONE, SHARE, WAITED, NoPlace, Place, Room

SMALL = {"REQUESTS_RUNNING": "3", "REQUESTS_RESERVED": "1", "REQUESTS_WAITING": "4", "REQUEST_WAIT_MILLISECONDS": "100"}


def table(**changes: str) -> Mapping[str, limits.Limit]:
    return limits.read({f"SPAREKEY_LIMIT_{name}": value for name, value in {**SMALL, **changes}.items()})


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LIMITS", table())


async def enter(room: Room, urgent: bool = False) -> Place:
    return await room.enter(urgent, HangUp())


async def waiting(room: Room, *urgent: bool) -> list[asyncio.Task[Place]]:
    found = [asyncio.ensure_future(enter(room, each)) for each in urgent]
    await asyncio.sleep(0)
    return found


async def reason(attempt: asyncio.Task[Place]) -> str:
    with pytest.raises(NoPlace) as refused:
        await attempt
    return refused.value.reason


async def test_nobody_waits_while_there_are_places_and_a_place_is_left_once() -> None:
    room = Room()
    places = [await enter(room) for _ in range(3)]
    assert room.running == 3
    for place in places:
        place.leave()
        place.leave()
    assert room.running == 0


async def test_a_place_that_becomes_free_goes_to_the_one_who_waited_longest() -> None:
    room = Room()
    places = [await enter(room) for _ in range(3)]
    first, second = await waiting(room, False, False)
    places[0].leave()
    (await first).leave()
    await second
    assert (room.running, room.waiting) == (3, 0)


async def test_waiting_is_bounded_in_number_and_in_time() -> None:
    room = Room()
    for _ in range(3):
        await enter(room)
    began = asyncio.get_running_loop().time()
    queue = await waiting(room, *[False] * 4)
    (one_too_many,) = await waiting(room, False)
    assert await reason(one_too_many) == FULL
    assert asyncio.get_running_loop().time() - began < 0.05
    assert [await reason(each) for each in queue] == [WAITED] * 4
    assert 0.09 < asyncio.get_running_loop().time() - began < 0.5
    assert (room.running, room.waiting) == (3, 0)
    assert room.refused == {FULL: 1, WAITED: 4}


async def test_somebody_urgent_finds_a_place_that_others_cannot_take() -> None:
    room = Room()
    for _ in range(3):
        await enter(room)
    reserved = await enter(room, urgent=True)
    ordinary, urgent = await waiting(room, False, True)
    reserved.leave()
    await urgent
    assert await reason(ordinary) == WAITED


async def test_the_urgent_go_first_and_every_fourth_place_is_for_the_others_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "LIMITS", table(REQUESTS_WAITING="40"))
    room, order = Room(), list[str]()
    places = [await enter(room) for _ in range(3)] + [await enter(room, urgent=True)]

    async def pass_through(name: str) -> None:
        place = await enter(room, urgent=name == "urgent")
        order.append(name)
        place.leave()

    names = ["other"] * 4 + ["urgent"] * 12
    tasks = [asyncio.ensure_future(pass_through(name)) for name in names]
    await asyncio.sleep(0)
    places[0].leave()
    await asyncio.gather(*tasks)
    assert order == [*["urgent"] * (SHARE - 1), "other"] * 4


async def test_in_a_full_room_the_last_of_the_others_makes_way_for_somebody_urgent() -> None:
    room = Room()
    places = [await enter(room) for _ in range(3)] + [await enter(room, urgent=True)]
    *ordinary, last = await waiting(room, *[False] * 4)
    (urgent,) = await waiting(room, True)
    assert await reason(last) == FULL
    places[0].leave()
    await urgent
    assert not any(each.done() for each in ordinary)
    await asyncio.gather(*ordinary, return_exceptions=True)


async def test_who_hangs_up_leaves_the_queue_at_once() -> None:
    room, hang_up = Room(), HangUp()
    for _ in range(3):
        await enter(room)
    caller = asyncio.ensure_future(room.enter(False, hang_up))
    await asyncio.sleep(0.01)
    hang_up.happens()
    began = asyncio.get_running_loop().time()
    assert await reason(caller) == GONE
    assert asyncio.get_running_loop().time() - began < 0.05
    assert room.waiting == 0
    assert await reason(asyncio.ensure_future(room.enter(False, hang_up))) == GONE, "they had gone before they waited"


async def test_a_place_passes_from_a_lane_in_which_all_just_gave_up_to_the_other() -> None:
    room, hang_up = Room(), HangUp()
    places = [await enter(room) for _ in range(3)] + [await enter(room, urgent=True)]
    gone = asyncio.ensure_future(room.enter(True, hang_up))
    (next_one,) = await waiting(room, False)
    hang_up.happens()
    while not room._urgent[0].done():  # noqa: ASYNC110  (told, and not yet awake: nobody can wait for that)
        await asyncio.sleep(0)
    places[0].leave()
    await asyncio.wait_for(next_one, 0.05)
    assert await reason(gone) == GONE


async def test_who_cannot_expect_a_place_in_time_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LIMITS", table(REQUESTS_WAITING="100"))
    room = Room()

    async def work() -> float:
        """Three at a time, 10 ms each: a queue of 15 is what 50 ms can serve. Gives how long a refusal took."""
        began = asyncio.get_running_loop().time()
        try:
            place = await enter(room)
        except NoPlace:
            return asyncio.get_running_loop().time() - began
        await asyncio.sleep(0.01)
        place.leave()
        return 0

    tasks = []
    for _ in range(150):  # two come for one who can be served
        tasks += [asyncio.ensure_future(work()) for _ in range(2)]
        await asyncio.sleep(0.0033)
    took = sorted(await asyncio.gather(*tasks))
    assert room.refused[FULL] > 5 * room.refused[WAITED]
    assert took[-1 - room.refused[WAITED]] < 0.01
    assert room.running == 0


async def test_whatever_happens_while_it_waits_no_place_is_lost() -> None:
    """Places freed, callers cancelled, hung up or out of time, at random moments and often at the same one."""
    room, chance = Room(), random.Random(7)

    async def come_and_go() -> None:
        hang_up = HangUp()
        asyncio.get_running_loop().call_later(chance.choice([0.0, 0.001, 0.002, 1]), hang_up.happens)
        try:
            place = await room.enter(chance.random() < 0.3, hang_up)
        except NoPlace:
            return
        try:
            await asyncio.sleep(chance.choice([0, 0.001, 0.002]))
        finally:
            place.leave()

    for _ in range(300):
        tasks = [asyncio.ensure_future(come_and_go()) for _ in range(chance.randrange(12))]
        await asyncio.sleep(chance.choice([0, 0, 0.001]))
        for task in tasks:
            if chance.random() < 0.3:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert (room.running, room.waiting) == (0, 0)
    assert room.refused[GONE] > 0
