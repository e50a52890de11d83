"""The one way to change what is stored: a transaction that begins, ends and is retried as a whole.

The work runs in a task of its own. A caller that is cancelled (a sibling field failed, a socket closed) stops
waiting, but what it asked for is done or undone completely, never torn off between two statements. A server
that ends waits for these tasks with `settle()`.
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
from models.connection import Connection

T = TypeVar("T")

RETRIES = 3
TRY_AGAIN = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected: PostgreSQL undid everything
PAUSE_SECONDS = 0.01  # doubled at each retry, times a random factor, so that two rivals do not meet again

logger = logging.getLogger(__name__)

_running: set[asyncio.Task[Any]] = set()  # asyncio itself keeps only weak references
_inside: ContextVar[bool] = ContextVar("inside a unit of work", default=False)


async def unit_of_work(work: Callable[[Connection], Awaitable[T]]) -> T:
    """What `work` returns, after its transaction was committed; its exception unchanged, after a rollback.

    `work` may run up to four times and so must not do anything outside the database. Cancelling the caller
    does not cancel the work.
    """
    if _inside.get():
        raise RuntimeError("a unit of work cannot contain another: pass the connection on instead")
    task = asyncio.create_task(_until_done(work), name=f"unit of work {getattr(work, '__qualname__', '')}")
    _running.add(task)
    task.add_done_callback(_running.discard)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_report_unheard)
        raise


async def _until_done(work: Callable[[Connection], Awaitable[T]]) -> T:
    _inside.set(True)
    for retry in range(RETRIES):
        try:
            return await _once(work)
        except Exception as fault:
            if getattr(fault, "sqlstate", None) not in TRY_AGAIN:
                raise
        await asyncio.sleep(PAUSE_SECONDS * 2**retry * random.uniform(0.5, 1.5))  # noqa: S311  (spread, not secrecy)
    return await _once(work)


async def _once(work: Callable[[Connection], Awaitable[T]]) -> T:
    async with in_transaction() as connection:
        return await work(connection)


def _report_unheard(task: asyncio.Task[Any]) -> None:
    """Nobody is left to hear this exception. Its kind only: database messages repeat the row's values."""
    if task.cancelled():
        return
    fault = task.exception()
    if fault is not None and not isinstance(fault, Refusal):
        logger.error("%s failed after its caller had gone: %s", task.get_name(), type(fault).__name__)


async def settle(seconds: float = 10.0) -> int:
    """Wait for the running units; the number still running when the time is over."""
    deadline = asyncio.get_running_loop().time() + seconds
    while _running and (left := deadline - asyncio.get_running_loop().time()) > 0:
        await asyncio.wait(set(_running), timeout=left)
    return len(_running)
