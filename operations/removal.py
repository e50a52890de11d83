"""Taking somebody off a practice's staff. What they could do there ends with the answer.

Nothing of theirs elsewhere is touched: they stay signed in, for themselves and for wherever else they belong. Their
row stays for the record; if they are invited again, it comes back with the roles of that invitation and no others,
and with the training that was recorded. Invitations they made give nothing any more (`operations/inviter.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from authz.actor import Access
from errors import InvalidInput
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import wording
from operations.colleagues import Colleagues, answer, hold
from operations.granting import refuse_ungrantable
from operations.idempotency import Answer, Request, once
from operations.record import About, record, who

if TYPE_CHECKING:
    from schema.staff import RemoveStaffInput


async def remove_staff(access: Access, staff_id: UUID, typed: RemoveStaffInput, request: Request) -> UUID:
    """End a person's membership of the staff, which takes away all of their roles: the rules of taking roles away hold.

    So nobody removes the owner, whose role nobody gives, and nobody removes themselves. Refuses, first match wins:
    IdempotencyConflict, InvalidInput (the reason), NotFound, NotPermitted, InvalidInput (yourself), RoleNotGrantable.
    """

    async def work(connection: Connection) -> Answer:
        reason = wording.optional("reason", typed.reason, 500)
        held = await hold(connection, access, staff_id)
        _refuse(held)
        held.staff.removed_at = access.now
        await held.staff.save(using_db=connection, update_fields=["removed_at"])
        await _record(connection, held, reason)
        return await answer(connection, request, held.staff)

    await once(request, lambda: unit_of_work(work))
    return staff_id


def _refuse(held: Colleagues) -> None:
    if held.same:
        raise InvalidInput("staffId", "nobody removes themselves; ask somebody else who may, or hand the practice over")
    policy = held.access.policy
    lost = [policy.roles[key] for key in held.staff.roles if key in policy.roles]
    refuse_ungrantable(held.access, lost, "staff", frozenset(policy.permissions))


async def _record(connection: Connection, held: Colleagues, reason: str | None) -> None:
    about = About(practice_id=held.access.place.practice)
    before = {"staff": str(held.staff.id), "roles": sorted(held.staff.roles)}
    after = {"staff": str(held.staff.id), "note": reason}
    by = who(held.access, about)
    await record(connection, by, "staff.removed", about, "removed a person from the staff", before=before, after=after)
