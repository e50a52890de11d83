"""Places for requests: some run, some wait a moment for a place, the rest is told at once to come back.

More at a time would make everything slower and nothing faster: the processor and the database are shared by all who
run. Two lanes wait. The urgent one is served first, has `requests_reserved` places to itself, and when the room is
full the ordinary request that came last makes way for it. Every fourth of the other places goes to the ordinary
lane all the same, so that somebody who calls everything urgent cannot close the service to the rest.

Who cannot expect a place in time is not made to wait for a refusal: the pace at which places become free, measured
while all are taken, says how long the queue is in seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from contextlib import suppress
from functools import partial

import limits
from server.hang_up import HangUp

FULL, WAITED, GONE = "full", "waited", "gone"
REASONS = (FULL, WAITED, GONE)
SHARE = 4  # of so many freed places one is for those who are not urgent
SMOOTHING = 32  # freed places over which the pace is averaged: they come in bursts
CAUTION = 4  # an expected wait is let pass up to the limit divided by this, or many would wait in vain after all


class NoPlace(Exception):
    """`reason`: there was no room to wait, waiting did not help, or nobody waits for the answer any more."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Place:
    """Left once, however often it is said."""

    __slots__ = ("_reserved", "_room")

    def __init__(self, room: Room, reserved: bool) -> None:
        self._room: Room | None = room
        self._reserved = reserved

    def leave(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.left(self._reserved)


Turn = asyncio.Future[Place | str]  # a place, or the reason why there is none
Lane = deque[Turn]


class Room:
    """What stands between two awaits happens at once: everything here runs in one event loop."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self._taken = 0
        self._reserved_taken = 0
        self._urgent: Lane = deque()
        self._others: Lane = deque()
        self._freed = 0
        self._coming = 0
        self._pace = Pace()
        self._loop: asyncio.AbstractEventLoop | None = None  # asked for once: in Python 3.11 it is a system call

    @property
    def running(self) -> int:
        return self._taken + self._reserved_taken

    @property
    def waiting(self) -> int:
        return len(self._urgent) + len(self._others)

    @property
    def is_closed(self) -> bool:
        """For those who are not urgent: there is no place and no hope of one in time."""
        places = limits.of("requests_running") - self._taken - self._coming
        if places > 0:
            return False
        waiting = self.waiting + min(self._coming, -places)
        hopeless = self._pace.seconds * (waiting + 1) > _patience() / CAUTION
        return hopeless or waiting >= limits.of("requests_waiting")

    def expect(self) -> None:
        """Somebody is on the way and asks for a place in this turn of the loop. Of a hundred who come at once, all but
        the first are not to find the room empty."""
        if not self._coming:
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._expect_nobody)
        self._coming += 1

    def _expect_nobody(self) -> None:
        self._coming = 0

    def refuse(self) -> None:
        self.refused[FULL] += 1

    async def enter(self, urgent: bool, hang_up: HangUp) -> Place:
        """A place, now or within `request_wait_milliseconds`. Raises NoPlace."""
        if self._taken < limits.of("requests_running"):
            return self._take(reserved=False)
        if urgent and self._reserved_taken < limits.of("requests_reserved"):
            return self._take(reserved=True)
        try:
            return await self._wait(self._lane(urgent), hang_up)
        except NoPlace as hindrance:
            self.refused[hindrance.reason] += 1
            raise

    def left(self, reserved: bool) -> None:
        """Called by the place. It goes to whoever waits first in the lane whose turn it is."""
        if reserved:
            self._reserved_taken -= 1
            self._hand_on(reserved, self._urgent)
            return
        self._pace.beat(self._taken >= limits.of("requests_running"))
        self._taken -= 1
        self._freed += 1
        others_turn = self._freed % SHARE == 0
        self._hand_on(reserved, *((self._others, self._urgent) if others_turn else (self._urgent, self._others)))

    def _hand_on(self, reserved: bool, *lanes: Lane) -> None:
        """To the first who still waits. Who gave up in this turn of the loop has not been taken from the lane yet."""
        for lane in lanes:
            while lane:
                turn = lane.popleft()
                if not turn.done():
                    turn.set_result(self._take(reserved))
                    return

    def _take(self, reserved: bool) -> Place:
        if reserved:
            self._reserved_taken += 1
        else:
            self._taken += 1
        return Place(self, reserved)

    def _lane(self, urgent: bool) -> Lane:
        """Where to wait, if there is hope. Somebody urgent finds room as long as not all who wait are urgent."""
        if not urgent:
            if self.is_closed:
                raise NoPlace(FULL)
            return self._others
        if self.waiting >= limits.of("requests_waiting"):
            if not self._others:
                raise NoPlace(FULL)
            _tell(self._others.pop(), FULL)
        return self._urgent

    async def _wait(self, lane: Lane, hang_up: HangUp) -> Place:
        loop = asyncio.get_running_loop()
        turn: Turn = loop.create_future()
        lane.append(turn)
        patience = loop.call_later(_patience(), _tell, turn, WAITED)
        gone = partial(_tell, turn, GONE)
        hang_up.then(gone)
        try:
            answer = await turn
        except asyncio.CancelledError:
            _give_back(turn)
            _take_from(lane, turn)
            raise
        finally:
            patience.cancel()
            hang_up.forget(gone)
        if isinstance(answer, Place):
            return answer
        _take_from(lane, turn)
        raise NoPlace(answer)


class Pace:
    """Seconds from one freed place to the next while all are taken; 0 while nobody knows."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._beats = 0
        self._last = 0.0

    def beat(self, all_taken: bool) -> None:
        if not all_taken:
            self.seconds, self._beats = 0.0, 0
            return
        now = time.monotonic()
        if self._beats:
            self.seconds += (now - self._last - self.seconds) / min(self._beats, SMOOTHING)
        self._beats += 1
        self._last = now


def _patience() -> float:
    return limits.of("request_wait_milliseconds") / 1000


def _tell(turn: Turn, reason: str) -> None:
    if not turn.done():
        turn.set_result(reason)


def _take_from(lane: Lane, turn: Turn) -> None:
    """Whoever got a place, or made way, was taken from it before: looking through it for them would be in vain."""
    with suppress(ValueError):
        lane.remove(turn)


def _give_back(turn: Turn) -> None:
    """The place of somebody who was cancelled in the moment in which it came."""
    if turn.done() and not turn.cancelled() and isinstance(place := turn.result(), Place):
        place.leave()
