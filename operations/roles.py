"""Which roles an engagement has: always the whole set, against the version its caller saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from authz.actor import Access
from authz.advice import role_warnings, task_named
from authz.life import Grant
from authz.policy import Role, Task
from errors import InvalidInput, RoleNotGrantable, WarningsNotAcknowledged
from models import RoleGrant
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import engagement_change
from operations.facts import Held, hold_to_change
from operations.granting import known_roles, refuse_together, refuse_ungrantable, step_up
from operations.idempotency import Answer, Request, once
from operations.step_up import require_recent

if TYPE_CHECKING:
    from schema.inputs import RoleInput, SetRolesInput


@dataclass(frozen=True, slots=True)
class _Change:
    """The difference between the grants there are and the roles that were asked for."""

    wanted: Mapping[str, datetime | None]
    added: tuple[Role, ...]
    removed: tuple[Grant, ...]
    confirmed: tuple[Grant, ...]

    @property
    def empty(self) -> bool:
        return not (self.added or self.removed or self.confirmed)


async def set_roles(access: Access, engagement_id: UUID, typed: SetRolesInput, request: Request) -> UUID:
    """Replace the engagement's roles. Naming those it has changes nothing. Returns the engagement's id.

    Sensitive roles wait for the owner unless the owner grants them; an owner who names a waiting role confirms
    it. Refuses, first match wins: IdempotencyConflict, InvalidInput, NotFound, EngagementEnded, StaleVersion,
    UnknownRole, RoleNotGrantable, SeparationOfDuty, WarningsNotAcknowledged, StepUpRequired.
    """

    async def work(connection: Connection) -> Answer:
        wanted, tasks = _wanted(access, typed.roles), _tasks(access, typed.tasks or [])
        held = await hold_to_change(connection, access, engagement_id, typed.expected_version)
        change = _change(access, held, wanted)
        warnings = _refuse(access, held, change, tasks, acknowledged=bool(typed.acknowledge_warnings))
        if not change.empty:
            await _apply(connection, access, held, change)
            await _record(connection, access, held, change, tasks, warnings)
        return await _answer(connection, request, engagement_id)

    await once(request, lambda: unit_of_work(work))
    return engagement_id


async def confirm_roles(access: Access, engagement_id: UUID, expected_version: int, request: Request) -> UUID:
    """The owner's yes to the sensitive roles that somebody else granted. Without any it changes nothing.

    Refuses, first match wins: IdempotencyConflict, NotFound, EngagementEnded, StaleVersion, RoleNotGrantable,
    StepUpRequired.
    """

    async def work(connection: Connection) -> Answer:
        held = await hold_to_change(connection, access, engagement_id, expected_version)
        pending = tuple(grant for grant in held.grants if grant.confirmed_at is None)
        if pending:
            _refuse_own_agent(access, held, [grant.role for grant in pending])
            require_recent(access)
            kept = {grant.role: grant.expires_at for grant in held.grants}
            change = _Change(kept, (), (), pending)
            await _apply(connection, access, held, change)
            await _record(connection, access, held, change, (), ())
        return await _answer(connection, request, engagement_id)

    await once(request, lambda: unit_of_work(work))
    return engagement_id


def _wanted(access: Access, typed: Sequence[RoleInput]) -> dict[str, datetime | None]:
    """Role key → end of the grant, in the order typed. Raises InvalidInput."""
    wanted: dict[str, datetime | None] = {}
    for place, role in enumerate(typed):
        if role.role in wanted:
            raise InvalidInput(f"roles.{place}.role", "name each role once")
        if role.expires_at is not None and role.expires_at <= access.now:
            raise InvalidInput(f"roles.{place}.expiresAt", "choose a time in the future")
        wanted[str(role.role)] = role.expires_at
    return wanted


def _tasks(access: Access, typed: Sequence[str]) -> tuple[Task, ...]:
    tasks = []
    for place, words in enumerate(typed):
        task = task_named(access.policy, words[:200])
        if task is None:
            raise InvalidInput(f"tasks.{place}", "name a task of the policy's list, for example submit_claims")
        tasks.append(task)
    return tuple(tasks)


def _change(access: Access, held: Held, wanted: Mapping[str, datetime | None]) -> _Change:
    """Grants that stay as they are keep who granted them and when. Raises UnknownRole."""
    roles = known_roles(access.policy, list(wanted))
    kept = {g.role: g for g in held.grants if g.role in wanted and g.expires_at == wanted[g.role]}
    removed = tuple(grant for grant in held.grants if grant.role not in kept)
    waiting = tuple(grant for grant in kept.values() if grant.confirmed_at is None) if _is_owner(access) else ()
    return _Change(wanted, tuple(role for role in roles if role.key not in kept), removed, waiting)


def _refuse(
    access: Access, held: Held, change: _Change, tasks: Sequence[Task], *, acknowledged: bool
) -> tuple[str, ...]:
    """Every rule about who may change which role; returns the warnings that were acknowledged."""
    if change.empty:
        return ()
    roles = access.policy.roles
    touched = [*change.added, *(roles[grant.role] for grant in change.removed if grant.role in roles)]
    _refuse_for_agent(access, held, change, touched)
    refuse_together(access.policy, [roles[key] for key in change.wanted])
    before = {grant.role for grant in held.grants}
    new = [role for role in change.added if role.key not in before]
    warnings = role_warnings(
        access.policy, held.row["agent_kind"], new, tasks, agreement_in_force=held.life.agreement_settled
    )
    if warnings and not acknowledged:
        raise WarningsNotAcknowledged(warnings)
    step_up(access, [*change.added, *(roles[grant.role] for grant in change.confirmed)])
    return warnings


def _refuse_for_agent(access: Access, held: Held, change: _Change, touched: Sequence[Role]) -> None:
    kind = access.policy.agents.get(held.row["agent_kind"])
    _refuse_own_agent(access, held, [*(role.key for role in touched), *(grant.role for grant in change.confirmed)])
    for role in change.added:
        if kind is None or role.key not in kind.roles:
            title = kind.title.lower() if kind else "agent of this kind"
            raise RoleNotGrantable(role.key, f"a {title} cannot be given the role {role.title}")
    refuse_ungrantable(access, touched, "agent", kind.ceiling if kind else frozenset())


def _refuse_own_agent(access: Access, held: Held, changed: Sequence[str]) -> None:
    if changed and held.agent_id in access.actor.agents:
        raise RoleNotGrantable(changed[0], "nobody changes the roles of an agent they belong to")


async def _apply(connection: Connection, access: Access, held: Held, change: _Change) -> None:
    by = access.actor.user_id
    removed = [UUID(grant.id) for grant in change.removed]
    confirmed = [UUID(grant.id) for grant in change.confirmed]
    await RoleGrant.filter(id__in=removed).using_db(connection).update(removed_at=access.now, removed_by_id=by)
    await RoleGrant.filter(id__in=confirmed).using_db(connection).update(confirmed_at=access.now, confirmed_by_id=by)
    for role in change.added:
        confirmed_by = by if _is_owner(access) or not role.sensitive else None
        await RoleGrant.create(
            using_db=connection,
            engagement_id=held.id,
            role=role.key,
            granted_at=access.now,
            granted_by_id=by,
            expires_at=change.wanted[role.key],
            confirmed_at=access.now if confirmed_by else None,
            confirmed_by_id=confirmed_by,
        )


async def _record(
    connection: Connection,
    access: Access,
    held: Held,
    change: _Change,
    tasks: Sequence[Task],
    warnings: Sequence[str],
) -> None:
    waiting = [] if _is_owner(access) else sorted(_waiting(held, change))
    after = {
        "roles": sorted(change.wanted),
        "waiting_for_confirmation": waiting,
        "tasks": [task.key for task in tasks],
        "warnings_acknowledged": list(warnings),
        "version": held.row["version"] + 1,
    }
    before = {"roles": [grant.role for grant in held.grants], "version": held.row["version"]}
    titles = ", ".join(access.policy.roles[key].title for key in sorted(change.wanted)) or "none"
    summary = f"set the roles of {held.row['agent_legal_name']}: {titles}"
    reviewed = {"reviewed_at": access.now}  # who sets all roles has looked at all of them
    await engagement_change.change(
        connection, access, held, "engagement.roles_set", summary, before=before, after=after, columns=reviewed
    )


def _waiting(held: Held, change: _Change) -> set[str]:
    kept = {g.role for g in held.grants if g.confirmed_at is None and g.role in change.wanted}
    return kept | {role.key for role in change.added if role.sensitive}


def _is_owner(access: Access) -> bool:
    """A root role of the practice: the owner."""
    roles = access.policy.roles
    return any(roles[key].root for key in access.actor.roles_at(access.place.practice) if key in roles)


async def _answer(connection: Connection, request: Request, engagement_id: UUID) -> Answer:
    answer = {"engagement": str(engagement_id)}
    await request.remember(connection, answer)
    return answer
