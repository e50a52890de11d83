"""Attempts that were refused, in the record of the practice where they were made: bounded, and a moment later.

Whoever sees a practice and tries what they may not is worth an event; who is shown nothing has not been refused
anything. The event is written after the answer, together with what came meanwhile, so that a refusal costs a request
nothing. However often somebody tries, a permission is at most one event an hour for each person, and a practice has at
most so many of them a day: asked of the record itself, with its end locked, so that it holds for all workers together.
The next event says how many attempts came since the last one, as far as this worker saw them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from logging import getLogger
from typing import Any, NamedTuple
from uuid import UUID

import limits
from authz.actor import Actor
from authz.life import Party
from models.connection import Connection
from models.tenancy import SERVICE, acting_for
from models.unit_of_work import unit_of_work
from operations.record import About, Who, instant, record

WRITTEN_AFTER = 1.0  # seconds
DENIED = "access.denied"
DAY = timedelta(days=1)
LOGGER = getLogger("sparekey.denials")

_LOCK = "SELECT 1 FROM audit_heads WHERE chain_id = $1 FOR UPDATE"
_LAST = f"""
SELECT at, actor_user_id, after ->> 'permission' AS permission FROM audit_events
WHERE chain_id = $1 AND type = '{DENIED}' ORDER BY sequence DESC LIMIT $2
"""  # noqa: S608  (our own text)


class Attempt(NamedTuple):
    """What is counted together."""

    practice_id: UUID
    user_id: UUID | None
    permission: str


@dataclass(slots=True)
class Counted:
    """How often since the last event, and since when; `who` and `field` are the last attempt's. `quiet_until`: no event
    before that instant."""

    who: Who
    field: str
    since: datetime
    count: int = 0
    quiet_until: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        return self.count > 0 and not self.is_quiet(now)

    def is_quiet(self, now: datetime) -> bool:
        return self.quiet_until is not None and now < self.quiet_until


class Outcome(NamedTuple):
    """Of one attempt: how many of them an event was written for, and how long there will be no other."""

    written: int
    quiet_until: datetime


class Denials:
    def __init__(self, written_after: float = WRITTEN_AFTER) -> None:
        self._written_after = written_after
        self._counted: dict[Attempt, Counted] = {}
        self._now: datetime | None = None  # of the newest attempt
        self._again = False
        self._writing: asyncio.Task[None] | None = None

    def note(self, actor: Actor, practice_id: UUID, permission: str, field: str) -> None:
        """`field`: what was tried, as the API names it."""
        now = self._now = max(self._now or actor.now, actor.now)
        attempt = Attempt(practice_id, actor.user_id, permission)
        if attempt not in self._counted and not self._has_room(now):
            return
        who = _who(actor, practice_id)
        counted = self._counted.setdefault(attempt, Counted(who, field, now))
        counted.who, counted.field, counted.count = who, field, counted.count + 1
        if not counted.is_quiet(now):
            self._write_later()

    def _has_room(self, now: datetime) -> bool:
        if len(self._counted) >= limits.of("denials_remembered"):
            self._counted = {key: each for key, each in self._counted.items() if each.count or each.is_quiet(now)}
        return len(self._counted) < limits.of("denials_remembered")

    def _write_later(self) -> None:
        self._again = True
        if self._writing is None or self._writing.done():
            # In a context of its own: it is nobody's request, and no request's deadline is its own.
            self._writing = asyncio.get_running_loop().create_task(self._write_soon(), context=Context())

    async def _write_soon(self) -> None:
        while self._again:
            self._again = False
            await asyncio.sleep(self._written_after)
            await self.write()

    async def write(self) -> None:
        """Everything that may be written now, a transaction for each practice. What fails is counted on."""
        now, due = self._now, defaultdict[UUID, dict[Attempt, Counted]](dict)
        if now is None:
            return
        for attempt, counted in self._counted.items():
            if counted.is_due(now):
                due[attempt.practice_id][attempt] = counted
        for practice_id, attempts in due.items():
            try:
                with acting_for(SERVICE):
                    found = await unit_of_work(partial(_write, practice_id, attempts, now))
            except Exception as fault:
                LOGGER.warning("%d refused attempts were not recorded: %s", len(attempts), type(fault).__name__)
            else:
                self._settle(found, now)

    def _settle(self, found: Mapping[Attempt, Outcome], now: datetime) -> None:
        """Some may have come while the event was written."""
        for attempt, outcome in found.items():
            counted = self._counted[attempt]
            counted.quiet_until = outcome.quiet_until
            counted.count -= outcome.written
            counted.since = now if outcome.written else counted.since

    async def close(self) -> None:
        """Write what is left."""
        if self._writing is not None:
            self._writing.cancel()
        await self.write()


def _who(actor: Actor, practice_id: UUID) -> Who:
    party, key = _party(actor, practice_id), actor.api_key_id
    return Who(actor.name, actor.user_id, party, actor.policy.digest, actor.now, api_key_id=key)


def _party(actor: Actor, practice_id: UUID) -> Party:
    """Of those who see a practice: its staff, else the platform's operators, else the people of an agent."""
    if any(seat.held_by == "staff" for seat in actor.practices.get(practice_id, ())):
        return Party.PRACTICE
    return Party.PLATFORM if actor.operator else Party.AGENT


async def _write(
    practice_id: UUID, attempts: Mapping[Attempt, Counted], now: datetime, connection: Connection
) -> dict[Attempt, Outcome]:
    await connection.execute_query_dict(_LOCK, [practice_id])
    most = limits.of("denials_practice_day")
    last: list[Mapping[str, Any]] = list(await connection.execute_query_dict(_LAST, [practice_id, most]))
    found = {}
    for attempt, counted in attempts.items():
        if quiet_until := _quiet_until(attempt, last, most, now):
            found[attempt] = Outcome(0, quiet_until)
            continue
        found[attempt] = Outcome(counted.count, now + _pause())
        await _record(connection, attempt, counted, now)
        last.insert(0, {"at": now, "actor_user_id": attempt.user_id, "permission": attempt.permission})
    return found


def _quiet_until(attempt: Attempt, last: Sequence[Mapping[str, Any]], most: int, now: datetime) -> datetime | None:
    """Until when the newest events, latest first, forbid another one of this attempt."""
    same = [each for each in last if (each["actor_user_id"], each["permission"]) == attempt[1:]]
    ends = [each["at"] + _pause() for each in same[:1]] + [each["at"] + DAY for each in last[most - 1 : most]]
    return max((end for end in ends if end > now), default=None)


def _pause() -> timedelta:
    return timedelta(seconds=limits.of("denials_seconds"))


async def _record(connection: Connection, attempt: Attempt, counted: Counted, now: datetime) -> None:
    times = "" if counted.count == 1 else f", {counted.count} times"
    summary = f"was refused {counted.field}{times}: that takes {attempt.permission}"
    after = {
        "permission": attempt.permission,
        "field": counted.field,
        "count": counted.count,
        "since": instant(counted.since),
    }
    await record(
        connection, replace(counted.who, now=now), DENIED, About(practice_id=attempt.practice_id), summary, after=after
    )
