"""One person of a practice's staff, held while they change, by somebody who still may.

Changes to one practice's staff follow each other: the practice's row is locked first, as by whoever accepts an
invitation to it, so there is one order of locks and nobody waits in a circle. The caller's own roles are read again
under the lock. Whoever was removed, or has handed the practice over, while their request waited, acts no more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from tortoise.expressions import Q

from authz.actor import Access
from errors import NotFound
from models import StaffMember
from models.connection import Connection
from operations.idempotency import Answer, Request

_TURN = "SELECT id FROM practices WHERE id = $1 FOR NO KEY UPDATE"


@dataclass(frozen=True, slots=True)
class Colleagues:
    """`staff` is who changes, `caller` who changes them; the same person twice, for what one may do about oneself.

    `access` is the caller's proof, made anew of the roles they have now.
    """

    access: Access
    staff: StaffMember
    caller: StaffMember | None

    @property
    def same(self) -> bool:
        return self.caller is not None and self.caller.id == self.staff.id


async def hold(connection: Connection, access: Access, staff_id: UUID | None) -> Colleagues:
    """Lock somebody who is on the staff. Refuses, first match wins: NotFound, NotPermitted."""
    practice_id, user_id = access.place.practice, access.actor.user_id
    await connection.execute_query_dict(_TURN, [practice_id])
    both = StaffMember.filter(Q(id=staff_id) | Q(user_id=user_id), practice_id=practice_id, removed_at=None)
    found = await both.order_by("id").using_db(connection).select_for_update()
    staff = next((person for person in found if person.id == staff_id), None)
    caller = next((person for person in found if _user(person) == user_id), None)
    if staff is None:
        raise NotFound
    return Colleagues(_as_of_now(access, caller), staff, caller)


async def answer(connection: Connection, request: Request, staff: StaffMember) -> Answer:
    """Remember which person of the staff the request was about."""
    said = {"staff": str(staff.id)}
    await request.remember(connection, said)
    return said


def _as_of_now(access: Access, caller: StaffMember | None) -> Access:
    actor, practice_id = access.actor, access.place.practice
    seats = actor.practices.get(practice_id, ())
    others = tuple(seat for seat in seats if seat.held_by != "staff")
    own = (
        () if caller is None else (replace(seat, roles=frozenset(caller.roles)) for seat in seats if seat not in others)
    )
    now = replace(actor, practices={**actor.practices, practice_id: (*others, *own)})
    return now.access(access.permission, access.place)


def _user(person: StaffMember) -> UUID:
    found: UUID = person.user_id  # type: ignore[attr-defined]  # the foreign key's
    return found
