"""Reloading from the policy folder: when a file changes (in development) and on SIGHUP.

In development the files are the truth: a sound change of their bytes is activated at once, for every worker on the
database. Files that did not change bring nothing back: what was applied since stays. In production
`sparekey policy apply` activates, after a plan and within limits; SIGHUP then only says what the folder holds.
Whatever is wrong with the files, the last good set stays, and each problem is logged once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from authz.policy import Policy
from operations import policy as activations
from server import policy_child
from server.metrics import Metrics
from server.policy_compiler import SoundSet
from server.reload import PAUSE_SECONDS, Follower, unreachable

DEBOUNCE_MS, STEP_MS, LOOK_MS = 100, 20, 2_000  # an editor's burst is one change; a folder that vanished is looked for

LOGGER = logging.getLogger("sparekey.policy")


class PolicyFolder:
    def __init__(
        self, folder: Path, follower: Follower, clock: Callable[[], datetime], metrics: Metrics, *, activates: bool
    ) -> None:
        self.folder = folder
        self.follower = follower
        self.clock = clock
        self.metrics = metrics
        self.activates = activates
        self._asked = asyncio.Event()
        self._taken = follower.in_force.policy.source_digest  # the bytes that came into force last from here
        self._told = ""  # the problems that were logged last, and the bytes that had them
        self._terminal = _has_terminal()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks.append(asyncio.create_task(self._reload_when_asked(), name="policy reload"))
        if self.activates:
            self._tasks.append(asyncio.create_task(self._watch(), name="policy watch"))
        with suppress(RuntimeError, ValueError, NotImplementedError):  # not the main thread: no signals there
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hang_up)

    async def stop(self) -> None:
        with suppress(RuntimeError, ValueError, NotImplementedError):
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _hang_up(self) -> None:
        """SIGHUP asks for a reload; when the terminal that started us is gone, it means what it always meant."""
        if self._terminal and not _has_terminal():
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            self._asked.set()

    async def _reload_when_asked(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self.reload()
            except Exception as fault:  # the loop outlives whatever happened to one attempt
                self._failed(fault)
                await asyncio.sleep(PAUSE_SECONDS)
                self._asked.set()

    def _failed(self, fault: Exception) -> None:
        self.metrics.reloaded("failed")
        reason = "the database does not answer" if unreachable(fault) else type(fault).__name__
        self._tell(f"the policy could not be reloaded, the last good one stays: {reason}", "")

    async def reload(self) -> None:
        """One attempt, from the bytes as they are now."""
        compiled = await policy_child.compile_folder(self.folder)
        if compiled.sound is None:
            self.metrics.reloaded("rejected")
            message = f"the policy was rejected, the last good one stays\n{compiled.diagnostics}"
            self._tell(message, compiled.source_digest)
            return
        await self._consider(compiled.sound)
        self._told = ""

    async def _consider(self, sound: SoundSet) -> None:
        await self.follower.catch_up()
        in_force = sound.source_digest == self.follower.in_force.policy.source_digest
        if in_force or (self.activates and sound.source_digest == self._taken):
            self._taken = sound.source_digest
            self.metrics.reloaded("unchanged")
        elif self.activates:
            await self._activate(sound)
        else:
            self._say_what_it_holds(sound.policy)

    async def _activate(self, sound: SoundSet) -> None:
        policy, now = sound.policy, self.clock()
        self.follower.keep(policy)
        await activations.store(policy, sound.files, now)
        await activations.activate(policy, "policy folder", now)
        await self.follower.catch_up()
        self._taken = policy.source_digest
        self.metrics.reload_failing = False

    def _say_what_it_holds(self, policy: Policy) -> None:
        self.metrics.reloaded("unchanged")
        LOGGER.warning(
            "the folder holds the policy %s, in force is %s: see `sparekey policy plan`",
            policy.digest,
            self.follower.in_force.policy.digest,
        )

    def _tell(self, message: str, source_digest: str) -> None:
        """Log a problem once; again only when the bytes or the problem are others."""
        told = f"{source_digest} {message}"
        if told != self._told:
            LOGGER.error("%s", message)
        self._told = told

    async def _watch(self) -> None:
        """Watch the folder that is there now; when it is replaced or removed, the next one."""
        polling = False
        while True:
            try:
                await self._watch_this_one(polling)
            except FileNotFoundError:
                pass
            except (OSError, RuntimeError) as fault:  # no more watches allowed, or a file system without them
                if not polling:
                    LOGGER.warning("the system does not watch folders (%s); looking at the files instead", fault)
                polling = True
                await asyncio.sleep(PAUSE_SECONDS)
            self._asked.set()
            while not self.folder.is_dir():  # noqa: ASYNC110  (nobody tells when a folder appears)
                await asyncio.sleep(LOOK_MS / 1000)

    async def _watch_this_one(self, polling: bool) -> None:
        """Until another folder, or none, has its name."""
        held = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)  # so that no new folder gets this one's number
        try:
            looked = False
            async for changed in self._changes(polling):
                if changed or not looked:  # the first look finds what changed before the watch began
                    self._asked.set()
                looked = True
                if not _is_still(self.folder, held):
                    return
        finally:
            os.close(held)

    def _changes(self, polling: bool) -> AsyncIterator[set[Any]]:
        """Also says, with an empty set, that nothing changed for a while."""
        from watchfiles import awatch  # 50 ms of import that a start does not wait for

        return awatch(
            self.folder,
            watch_filter=None,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            rust_timeout=LOOK_MS,
            yield_on_timeout=True,
            force_polling=polling or None,
        )


def _is_still(folder: Path, held: int) -> bool:
    try:
        return os.path.samestat(os.stat(folder), os.fstat(held))
    except OSError:
        return False


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
