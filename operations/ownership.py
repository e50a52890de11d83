"""Handing a practice to another owner: there is one before, one after, and never none or two.

The receiver need not accept. They are on the staff already, the giver may have nobody else to turn to before leaving,
and a practice between two owners would be worse than one whose owner hands it on. What protects it is the proof of who
is at the giver's keyboard, with the second factor where the giver has one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from authz.actor import Access
from authz.policy import Policy
from errors import InvalidInput, NotPermitted
from models import StaffMember, User
from models.connection import Connection
from models.identifier import parse
from models.unit_of_work import unit_of_work
from operations.colleagues import Colleagues, answer, hold
from operations.granting import known_roles, refuse_together, refuse_ungrantable
from operations.idempotency import Answer, Request, once
from operations.record import About, record, who
from operations.step_up import require_recent

if TYPE_CHECKING:
    from schema.staff import TransferOwnershipInput

OWNER = "owner"  # what the database counts one of (`models/staff.py`)
KEPT = ("manager",)


async def transfer_ownership(access: Access, typed: TransferOwnershipInput, request: Request) -> UUID:
    """Make somebody of the staff the owner in the caller's place. Returns the new owner's membership.

    Refuses, first match wins: IdempotencyConflict, NotFound, NotPermitted, InvalidInput, UnknownRole,
    RoleNotGrantable, SeparationOfDuty, StepUpRequired.
    """
    kept = sorted(KEPT if typed.roles is None else map(str, typed.roles))

    async def work(connection: Connection) -> Answer:
        held = await hold(connection, access, parse(typed.to_staff_id))
        giver = _giver(held)
        await _refuse_receiver(connection, held)
        _refuse_kept(held.access, kept)
        require_recent(access)
        await _hand_over(connection, held, giver, kept)
        return await answer(connection, request, held.staff)

    said = await once(request, lambda: unit_of_work(work))
    return UUID(said["staff"])


def _giver(held: Colleagues) -> StaffMember:
    """Whatever a policy says of the permission, only the owner has it to give."""
    if held.caller is None or OWNER not in held.caller.roles:
        raise NotPermitted(held.access.permission, (OWNER,))
    return held.caller


async def _refuse_receiver(connection: Connection, held: Colleagues) -> None:
    if held.same:
        raise InvalidInput("toStaffId", "you are the owner already; choose somebody else")
    user_id = held.staff.user_id  # type: ignore[attr-defined]  # the foreign key's
    if not await User.filter(id=user_id, disabled_at=None).using_db(connection).exists():
        raise InvalidInput("toStaffId", "this person's account is disabled; choose somebody who can sign in")


def _refuse_kept(access: Access, kept: Sequence[str]) -> None:
    """Who is no longer the owner stands within the rules for everybody else."""
    roles = known_roles(access.policy, kept)
    refuse_ungrantable(access, roles, "staff", frozenset(access.policy.permissions))
    refuse_together(access.policy, roles)


async def _hand_over(connection: Connection, held: Colleagues, giver: StaffMember, kept: list[str]) -> None:
    """In this order: at no instant are there two, and who reads meanwhile still sees the old one."""
    before = _said(giver, giver, held.staff)
    giver.roles, taker = kept, held.staff
    await giver.save(using_db=connection, update_fields=["roles"])
    taker.roles = sorted([OWNER, *_beside(held.access.policy, taker.roles)])
    await taker.save(using_db=connection, update_fields=["roles"])
    about = About(practice_id=held.access.place.practice)
    by, summary, after = who(held.access, about), "handed the practice to another owner", _said(taker, giver, taker)
    await record(connection, by, "practice.transferred", about, summary, before=before, after=after)


def _beside(policy: Policy, roles: Sequence[str]) -> list[str]:
    """The roles that still say something beside the owner's: those that hold what the owner's does not."""
    whole = policy.roles[OWNER].permissions if OWNER in policy.roles else frozenset()
    return [key for key in roles if key in policy.roles and not policy.roles[key].permissions <= whole]


def _said(owner: StaffMember, giver: StaffMember, taker: StaffMember) -> dict[str, object]:
    roles = {str(person.id): sorted(person.roles) for person in (giver, taker)}
    return {"owner": str(owner.id), "roles": roles}
