"""A practice's own people: inviting somebody, and what they may do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from authz.actor import Access
from errors import InvalidInput, RoleNotGrantable
from models import Invitation, StaffMember
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import wording
from operations.colleagues import Colleagues, answer, hold
from operations.granting import known_roles, refuse_together, refuse_ungrantable, step_up
from operations.idempotency import Answer, Request, once
from operations.invitation import Invited, invite, shown
from operations.record import About, record, who

if TYPE_CHECKING:
    from schema.inputs import AddStaffInput


async def add_staff(access: Access, typed: AddStaffInput, request: Request) -> Invited:
    """Invite a person to the practice's staff with the given roles.

    Refuses, first match wins: IdempotencyConflict, InvalidInput, UnknownRole, RoleNotGrantable,
    SeparationOfDuty, StepUpRequired, LimitReached.
    """
    practice_id = access.place.practice
    roles = sorted(str(role) for role in typed.roles)

    async def work(connection: Connection) -> Answer:
        name, email = wording.text("name", typed.name, 200), wording.email("email", typed.email)
        if not roles:
            raise InvalidInput("roles", "name at least one role")
        _refuse_roles(access, roles, changed=roles)
        same = StaffMember.filter(practice_id=practice_id, user__email=email, removed_at=None)
        if await same.using_db(connection).exists():
            raise InvalidInput("email", "this person is on the practice's staff already; set their roles instead")
        offer = Invitation(practice_id=practice_id, email=email, name=name, roles=roles)
        return await invite(connection, access, request, offer)

    return shown(await once(request, lambda: unit_of_work(work)), request)


async def set_staff_roles(access: Access, staff_id: UUID, typed_roles: Sequence[str], request: Request) -> UUID:
    """Replace the staff roles of one person. Naming the roles they have changes nothing.

    Nobody changes their own roles, and who may not grant a role may not take it away either. Refuses, first
    match wins: IdempotencyConflict, NotFound, NotPermitted, InvalidInput, UnknownRole, RoleNotGrantable,
    SeparationOfDuty, StepUpRequired.
    """
    roles = sorted(str(role) for role in typed_roles)

    async def work(connection: Connection) -> Answer:
        held = await hold(connection, access, staff_id)
        before = sorted(held.staff.roles)
        known_roles(access.policy, roles)
        changed = sorted(set(before) ^ set(roles))
        if changed:
            _refuse_own(held, changed)
            _refuse_roles(held.access, roles, changed)
            await _replace(connection, held.access, held.staff, before, roles)
        return await answer(connection, request, held.staff)

    await once(request, lambda: unit_of_work(work))
    return staff_id


def _refuse_roles(access: Access, roles: Sequence[str], changed: Sequence[str]) -> None:
    """All of the new roles together, but grants only of what changes."""
    named = known_roles(access.policy, roles)
    touched = [access.policy.roles[key] for key in changed if key in access.policy.roles]
    refuse_ungrantable(access, touched, "staff", frozenset(access.policy.permissions))
    refuse_together(access.policy, named)
    step_up(access, [role for role in touched if role.key in roles])


def _refuse_own(held: Colleagues, changed: Sequence[str]) -> None:
    if held.same:
        raise RoleNotGrantable(changed[0], "nobody changes their own roles; ask somebody else who may")


async def _replace(
    connection: Connection, access: Access, staff: StaffMember, before: list[str], after: list[str]
) -> None:
    staff.roles = after
    await staff.save(using_db=connection, update_fields=["roles"])
    about = About(practice_id=access.place.practice)
    await record(
        connection,
        who(access, about),
        "staff.roles_set",
        about,
        "set the staff roles of a person",
        before={"staff": str(staff.id), "roles": before},
        after={"staff": str(staff.id), "roles": after},
    )
