"""What callers type about the roles of an engagement: which until when, and for which tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from authz.actor import Access
from authz.advice import task_named
from authz.life import Grant, grant_status
from authz.policy import Task
from errors import InvalidInput
from operations.facts import Held

if TYPE_CHECKING:
    from schema.inputs import RoleInput


def ends_typed(access: Access, typed: Sequence[RoleInput]) -> dict[str, datetime | None]:
    """Role key → end of the grant, in the order typed. Raises InvalidInput."""
    wanted: dict[str, datetime | None] = {}
    for place, role in enumerate(typed):
        if role.role in wanted:
            raise InvalidInput(f"roles.{place}.role", "name each role once")
        if role.expires_at is not None and role.expires_at <= access.now:
            raise InvalidInput(f"roles.{place}.expiresAt", "choose a time in the future")
        wanted[str(role.role)] = role.expires_at
    return wanted


def ends_kept(access: Access, held: Held, keys: Sequence[str]) -> dict[str, datetime | None]:
    """The same for keys alone: a role that stands keeps its end, every other has none. Raises InvalidInput."""
    ends = {grant.role: grant.expires_at for grant in standing(access, held)}
    wanted: dict[str, datetime | None] = {}
    for place, key in enumerate(keys):
        if key in wanted:
            raise InvalidInput(f"roles.{place}", "name each role once")
        wanted[str(key)] = ends.get(key)
    return wanted


def standing(access: Access, held: Held) -> list[Grant]:
    """The grants that have not lapsed, those that wait for the owner among them."""
    return [grant for grant in held.grants if grant_status(grant, access.now) != "lapsed"]


def tasks_typed(access: Access, typed: Sequence[str]) -> tuple[Task, ...]:
    """Raises InvalidInput for words that are no task."""
    tasks = []
    for place, words in enumerate(typed):
        task = task_named(access.policy, words[:200])
        if task is None:
            raise InvalidInput(f"tasks.{place}", "name a task of the policy's list, for example submit_claims")
        tasks.append(task)
    return tuple(tasks)
