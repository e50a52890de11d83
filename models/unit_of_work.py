"""The one way to change what is stored: a transaction that begins, ends and is retried as a whole.

The work runs in a task of its own. A caller that is cancelled (a sibling field failed, a socket closed) stops
waiting, but what it asked for is done or undone completely, never torn off between two statements. A server
that ends waits for these tasks with `settle()`.

At the deadline of its request a unit is given up, unless its COMMIT has been sent: that is never interrupted,
because a server that was told to stop waiting for its standby calls the transaction committed. So the caller is
told the truth at once: it was not done, or it is not known.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from tortoise.transactions import in_transaction

from errors import Refusal
from models import deadline
from models.connection import Connection
from models.deadline import GIVEN_UP, NOT_DONE, UNKNOWN, DeadlinePassed

T = TypeVar("T")

RETRIES = 3
TRY_AGAIN = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected: PostgreSQL undid everything
PAUSE_SECONDS = 0.01  # doubled at each retry, times a random factor, so that two rivals do not meet again

logger = logging.getLogger(__name__)


class Unit:
    """One unit on its way. It may be given up until it begins to commit; `begin_to_commit` refuses afterwards.

    Both are plain functions between two awaits, so that one of them comes first, whatever the timers do.
    """

    def __init__(self) -> None:
        self.task: asyncio.Task[Any] | None = None
        self.committing = False
        self.given_up = False

    def begin_to_commit(self) -> None:
        if self.given_up:
            raise DeadlinePassed(NOT_DONE)
        self.committing = True

    def begin_again(self) -> None:
        """PostgreSQL undid everything, the COMMIT included."""
        self.committing = False
        if self.given_up:
            raise DeadlinePassed(NOT_DONE)

    def give_up(self) -> None:
        if not self.given_up and not self.committing and self.task is not None:
            self.task.cancel()
        self.given_up = True


_running: set[asyncio.Task[Any]] = set()  # asyncio itself keeps only weak references
_inside: ContextVar[Unit | None] = ContextVar("the unit of work that runs here", default=None)


async def unit_of_work(work: Callable[[Connection], Awaitable[T]]) -> T:
    """What `work` returns, after its transaction was committed; its exception unchanged, after a rollback.

    `work` may run up to four times and so must not do anything outside the database. Cancelling the caller
    does not cancel the work.
    """
    if _inside.get() is not None:
        raise RuntimeError("a unit of work cannot contain another: pass the connection on instead")
    unit = Unit()
    task = asyncio.create_task(_until_done(unit, work), name=_name(work))
    unit.task = task
    _running.add(task)
    task.add_done_callback(_running.discard)
    _give_up_at_the_deadline(unit, task)
    try:
        await asyncio.wait({task}, timeout=deadline.left())
    except asyncio.CancelledError:
        task.add_done_callback(_report_unheard)
        raise
    if task.done():
        return task.result()
    unit.give_up()
    task.add_done_callback(_report_unheard)
    raise DeadlinePassed(UNKNOWN if unit.committing else NOT_DONE)


def _name(work: Callable[..., object]) -> str:
    return f"unit of work {getattr(work, '__qualname__', '')}"


def _give_up_at_the_deadline(unit: Unit, task: asyncio.Task[Any]) -> None:
    """Even when the caller has gone."""
    moment = deadline.moment()
    if moment is not None:
        timer = asyncio.get_running_loop().call_at(moment, unit.give_up)
        task.add_done_callback(lambda _: timer.cancel())


async def _until_done(unit: Unit, work: Callable[[Connection], Awaitable[T]]) -> T:
    _inside.set(unit)
    try:
        return await _retried(unit, work)
    except asyncio.CancelledError:
        if unit.given_up:
            raise DeadlinePassed(NOT_DONE) from None
        raise
    except GIVEN_UP as fault:
        raise DeadlinePassed(NOT_DONE) from fault


async def _retried(unit: Unit, work: Callable[[Connection], Awaitable[T]]) -> T:
    for retry in range(RETRIES):
        try:
            return await _once(work)
        except Exception as fault:
            if getattr(fault, "sqlstate", None) not in TRY_AGAIN:
                raise
        unit.begin_again()
        await asyncio.sleep(PAUSE_SECONDS * 2**retry * random.uniform(0.5, 1.5))  # noqa: S311  (spread, not secrecy)
    return await _once(work)


async def _once(work: Callable[[Connection], Awaitable[T]]) -> T:
    async with in_transaction() as connection:
        result = await work(connection)
        if unit := _inside.get():
            unit.begin_to_commit()
        return result


def _report_unheard(task: asyncio.Task[Any]) -> None:
    """Nobody is left to hear this exception. Its kind only: database messages repeat the row's values."""
    if task.cancelled():
        return
    fault = task.exception()
    if fault is not None and not isinstance(fault, Refusal | DeadlinePassed):
        logger.error("%s failed after its caller had gone: %s", task.get_name(), type(fault).__name__)


async def settle(seconds: float = 10.0) -> int:
    """Wait for the running units; the number still running when the time is over."""
    deadline = asyncio.get_running_loop().time() + seconds
    while _running and (left := deadline - asyncio.get_running_loop().time()) > 0:
        await asyncio.wait(set(_running), timeout=left)
    return len(_running)
