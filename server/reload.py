"""The set that this worker decides by, and how it stays the one that all workers decide by.

The newest row of `policy_activations` is in force. A worker knows of a new one in two ways:
- the query that finds out who is asking also reads the newest number, so a request that begins after an activation
  was answered cannot be decided by the set before it, whatever else fails; it waits until the worker has the set;
- NOTIFY tells it earlier, first to compile a set that is about to be activated, then to take it over, so that in
  practice no request waits. A lost notification costs time, never truth.

What a worker cannot confirm or cannot load within CONFIRM_SECONDS it does not guess: the request is refused.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime
from typing import Any

import asyncpg
from tortoise.exceptions import BaseORMException

from authz.policy import Policy
from models.connection import client
from operations import policy as activations
from resolvers.inforce import InForce
from server import policy_child
from server.metrics import Metrics
from server.policy_compiler import Compiled

CONFIRM_SECONDS = 5.0
PAUSE_SECONDS = 1.0  # before a lost connection is tried again
MOST_READY = 8  # compiled sets kept; the one in force and one or two on their way are what is needed

UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it is shutting down, or somebody ended the connection
)

LOGGER = logging.getLogger("sparekey.policy")


class Unconfirmed(Exception):
    """This worker cannot tell which set is in force, or cannot load it: it decides nothing."""


class Follower:
    """`in_force` is replaced whole; a request that took it keeps it."""

    def __init__(self, first: Policy, now: datetime, metrics: Metrics) -> None:
        self.metrics = metrics
        self.ready = {first.source_digest: first}
        self.in_force = InForce(first, now, 0)
        self._unloadable, self._retry_at = "", 0.0  # a stored set that this worker could not load
        self._catching_up: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def at(self, number: int) -> InForce:
        """The set in force, for somebody who has just read that `number` is the newest activation."""
        if number > self.in_force.activation:
            try:
                async with asyncio.timeout(CONFIRM_SECONDS):
                    await self._reach(number)
            except TimeoutError:
                raise Unconfirmed("the set in force was not loaded in time") from None
        return self.in_force

    async def _reach(self, number: int) -> None:
        for _ in range(2):  # an attempt that was under way may have looked before there was this number
            await self.catch_up()
            if number <= self.in_force.activation:
                return
        raise Unconfirmed("the set in force cannot be loaded")

    async def catch_up(self) -> None:
        """Take over the newest activation. All who wait share one attempt, which goes on when they give up."""
        if self._catching_up is None or self._catching_up.done():
            self._catching_up = self._in_background(self._catch_up())
        await asyncio.shield(self._catching_up)

    async def _catch_up(self) -> None:
        newest = await activations.newest()
        if newest is None or newest.number <= self.in_force.activation:
            return
        policy = await self._load(newest.source_digest)
        if policy is not None:
            began = self.in_force.activation == 0
            self.take(InForce(policy, newest.activated_at, newest.number))
            if not began:
                self.metrics.reloads["activated"] += 1
                LOGGER.warning("the policy %s %s (%s) is in force", policy.name, policy.version, policy.digest)

    def take(self, in_force: InForce) -> None:
        """The swap: one reference."""
        self.in_force = in_force
        self.metrics.digest, self.metrics.activation = in_force.policy.digest, in_force.activation
        if self._unloadable:
            self._unloadable, self.metrics.reload_failing = "", False
        self.keep(in_force.policy)

    def keep(self, policy: Policy) -> None:
        """Have a compiled set at hand."""
        self.ready.pop(policy.source_digest, None)
        self.ready[policy.source_digest] = policy
        while len(self.ready) > MOST_READY:
            del self.ready[next(iter(self.ready))]

    async def stored(self, source_digest: str) -> Policy | None:
        """A set that was in force at some time. It is not kept: the past is asked about rarely."""
        if source_digest in self.ready:
            return self.ready[source_digest]
        files = await activations.files_of(source_digest)
        compiled = None if files is None else await policy_child.compile_files(files)
        return compiled.sound.policy if compiled and compiled.sound else None

    async def _load(self, source_digest: str) -> Policy | None:
        if source_digest == self._unloadable and asyncio.get_running_loop().time() < self._retry_at:
            return None
        return self.ready.get(source_digest) or await self._compile(source_digest)

    async def _compile(self, source_digest: str) -> Policy | None:
        files = await activations.files_of(source_digest)
        nothing = Compiled(source_digest, diagnostics="its files are not stored")
        compiled = nothing if files is None else await policy_child.compile_files(files)
        if compiled.sound is None:
            self._cannot_load(source_digest, compiled.diagnostics)
            return None
        self.keep(compiled.sound.policy)
        return compiled.sound.policy

    def _cannot_load(self, source_digest: str, reason: str) -> None:
        """Said once; tried again after a while, because a compiler may also have been killed."""
        self.metrics.reloaded("failed")
        if source_digest != self._unloadable:
            LOGGER.error("the stored policy %s cannot be loaded here: %s", source_digest[:12], reason)
        self._unloadable, self._retry_at = source_digest, asyncio.get_running_loop().time() + CONFIRM_SECONDS

    def listen(self) -> None:
        self._in_background(self._listen())

    async def stop(self) -> None:
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # Shared by many requests, so it must not end with the deadline of the one that began it.
        task = asyncio.create_task(work, context=contextvars.Context())
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        """What fails here is tried again by the first request that needs it, and told there."""
        self._running.discard(task)
        if not task.cancelled():
            task.exception()

    async def _listen(self) -> None:
        """On a connection of its own, for ever; after every loss it looks for itself first."""
        while True:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, BaseORMException):
                await self._listen_once()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(client().dsn, timeout=CONFIRM_SECONDS)
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(activations.CHANNEL, self._heard)
            await self.catch_up()
            await lost.wait()
        finally:
            with suppress(OSError, TimeoutError, asyncpg.InterfaceError):
                await connection.close(timeout=PAUSE_SECONDS)

    def _heard(self, connection: object, pid: int, channel: str, source_digest: object) -> None:
        self._in_background(self._prepare(str(source_digest)) if source_digest else self.catch_up())

    async def _prepare(self, source_digest: str) -> None:
        if source_digest not in self.ready:
            await self._compile(source_digest)


def unreachable(fault: BaseException | None) -> bool:
    """Does this exception say that the database did not answer?"""
    while fault is not None:
        if isinstance(fault, UNREACHABLE):
            return True
        fault = fault.__cause__
    return False
