"""Which roles an engagement has: always the whole set, against the version its caller saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from authz.actor import Access
from authz.advice import role_warnings
from authz.life import NEVER, Grant
from authz.policy import Role, Task
from errors import WarningsNotAcknowledged
from models import RoleGrant
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import engagement_change
from operations.facts import Held, hold_to_change, refuse_ended
from operations.granting import (
    known_roles,
    needs_step_up,
    refuse_for_kind,
    refuse_own_agent,
    refuse_together,
    refuse_ungrantable,
    step_up,
)
from operations.idempotency import Answer, Request, once
from operations.role_request import ANSWERED
from operations.step_up import require_recent
from operations.typed_roles import ends_kept, ends_typed, standing, tasks_typed

if TYPE_CHECKING:
    from schema.inputs import SetRolesInput


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


@dataclass(frozen=True, slots=True)
class Outlook:
    """What setting roles would ask of whoever sets them."""

    warnings: tuple[str, ...]
    needs_step_up: bool
    needs_confirmation: bool


async def set_roles(access: Access, engagement_id: UUID, typed: SetRolesInput, request: Request) -> UUID:
    """Replace the engagement's roles. Naming those it has changes nothing but answers what the agent has asked for.

    Sensitive roles wait for the owner unless the owner grants them; an owner who names a waiting role confirms
    it. Returns the engagement's id. Refuses, first match wins: IdempotencyConflict, InvalidInput, NotFound,
    EngagementEnded, StaleVersion, UnknownRole, RoleNotGrantable, SeparationOfDuty, WarningsNotAcknowledged,
    StepUpRequired.
    """

    async def work(connection: Connection) -> Answer:
        wanted, tasks = ends_typed(access, typed.roles), tasks_typed(access, typed.tasks or [])
        held = await hold_to_change(connection, access, engagement_id, typed.expected_version)
        change = _change(access, held, wanted)
        warnings = _refuse(access, held, change, tasks, acknowledged=bool(typed.acknowledge_warnings))
        if not change.empty or held.row["requested_roles"]:
            await _apply(connection, access, held, change)
            await _record(connection, access, held, change, tasks, warnings, ANSWERED)
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
            refuse_own_agent(access, held.agent_id, [grant.role for grant in pending])
            require_recent(access)
            kept = {grant.role: grant.expires_at for grant in held.grants}
            change = _Change(kept, (), (), pending)
            await _apply(connection, access, held, change)
            await _record(connection, access, held, change, (), ())
        return await _answer(connection, request, engagement_id)

    await once(request, lambda: unit_of_work(work))
    return engagement_id


def outlook(access: Access, held: Held, wanted: Sequence[str], tasks: Sequence[str]) -> Outlook:
    """What `set_roles` with these roles would ask of this caller. Nothing is written. Roles it has keep their end.

    To somebody who may set no roles there it says what the roles would mean. Refuses, first match wins:
    InvalidInput, EngagementEnded, UnknownRole, RoleNotGrantable, SeparationOfDuty.
    """
    ends, named = ends_kept(access, held, wanted), tasks_typed(access, tasks)
    refuse_ended(held.life)
    change = _change(access, held, ends)
    if not change.empty:
        _refuse_roles(access, held, change)
    waits = not _is_owner(access) and bool(_waiting(held, change))
    return Outlook(_warnings(access, held, change, named), needs_step_up(_proved(access, change)), waits)


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
    _refuse_roles(access, held, change)
    warnings = _warnings(access, held, change, tasks)
    if warnings and not acknowledged:
        raise WarningsNotAcknowledged(warnings)
    step_up(access, _proved(access, change))
    return warnings


def _refuse_roles(access: Access, held: Held, change: _Change) -> None:
    """What nobody may have, and, for whoever may set roles there, what they may not grant or take away."""
    roles = access.policy.roles
    may_set = access.actor.decide("agents.set_roles", access.place).allowed
    touched = [*change.added, *(roles[grant.role] for grant in change.removed if grant.role in roles)]
    if may_set:
        confirmed = [grant.role for grant in change.confirmed]
        refuse_own_agent(access, held.agent_id, [*(role.key for role in touched), *confirmed])
    refuse_for_kind(access.policy, held.row["agent_kind"], change.added)
    if may_set:
        kind = access.policy.agents.get(held.row["agent_kind"])
        refuse_ungrantable(access, touched, "agent", kind.ceiling if kind else frozenset())
    refuse_together(access.policy, [roles[key] for key in change.wanted])


def _warnings(access: Access, held: Held, change: _Change, tasks: Sequence[Task]) -> tuple[str, ...]:
    """About roles that are new, that had lapsed, or that would last longer. An earlier end takes away: no warning."""
    until = {grant.role: grant.expires_at or NEVER for grant in standing(access, held)}
    ends = {key: end or NEVER for key, end in change.wanted.items()}
    more = [role for role in change.added if role.key not in until or ends[role.key] > until[role.key]]
    settled = held.life.agreement_settled
    return role_warnings(access.policy, held.row["agent_kind"], more, tasks, agreement_in_force=settled)


def _proved(access: Access, change: _Change) -> list[Role]:
    """What the caller grants or confirms, of which the sensitive roles need a recent proof of who that is."""
    return [*change.added, *(access.policy.roles[grant.role] for grant in change.confirmed)]


async def take_away(connection: Connection, access: Access, grants: Sequence[Grant]) -> None:
    """Removed grants stay as history."""
    removed = RoleGrant.filter(id__in=[UUID(grant.id) for grant in grants]).using_db(connection)
    await removed.update(removed_at=access.now, removed_by_id=access.actor.user_id)


async def _apply(connection: Connection, access: Access, held: Held, change: _Change) -> None:
    by = access.actor.user_id
    confirmed = [UUID(grant.id) for grant in change.confirmed]
    await take_away(connection, access, change.removed)
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
    answered: Mapping[str, Any] | None = None,
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
    reviewed = {"reviewed_at": access.now, **(answered or {})}  # who sets all roles has looked at all of them
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
