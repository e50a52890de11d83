"""Recording that somebody on the staff completed their HIPAA training (45 CFR 164.530(b)(2)(ii): it is documented)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from authz.actor import Access
from errors import InvalidInput
from models import StaffMember
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations.colleagues import answer, hold
from operations.idempotency import Answer, Request, once
from operations.record import About, record, who

if TYPE_CHECKING:
    from schema.staff import RecordTrainingInput

FIRST_DAY = date(2003, 4, 14)  # from which practices had to train anybody for HIPAA (45 CFR 164.534(a))


async def record_training(access: Access, staff_id: UUID, typed: RecordTrainingInput, request: Request) -> UUID:
    """Note the day. Naming the day that is recorded changes nothing, and the day never moves back: what was attested
    stays, so that nobody makes training overdue or younger by writing over it. People may record their own, because a
    practice of one person has nobody else.

    Refuses, first match wins: IdempotencyConflict, InvalidInput (no possible day), NotFound, NotPermitted,
    InvalidInput (a later day is recorded).
    """

    async def work(connection: Connection) -> Answer:
        _refuse_impossible(typed.completed_on, access.now.date())
        held = await hold(connection, access, staff_id)
        before = held.staff.training_completed_on
        if before is not None and typed.completed_on < before:
            raise InvalidInput("completedOn", "a later training is recorded already, and the day does not move back")
        if typed.completed_on != before:
            await _write(connection, held.access, held.staff, typed.completed_on)
        return await answer(connection, request, held.staff)

    await once(request, lambda: unit_of_work(work))
    return staff_id


def _refuse_impossible(day: date, today: date) -> None:
    """Days are those of UTC, as everywhere."""
    if day > today:
        raise InvalidInput("completedOn", "choose a day that has come; training is recorded once it is completed")
    if day < FIRST_DAY:
        raise InvalidInput("completedOn", f"choose a day from {FIRST_DAY} on: HIPAA asked for no training before")


async def _write(connection: Connection, access: Access, staff: StaffMember, day: date) -> None:
    before, staff.training_completed_on = staff.training_completed_on, day
    await staff.save(using_db=connection, update_fields=["training_completed_on"])
    about = About(practice_id=access.place.practice)
    await record(
        connection,
        who(access, about),
        "staff.training_recorded",
        about,
        "recorded the HIPAA training of a person",
        before={"staff": str(staff.id), "completed_on": before and before.isoformat()},
        after={"staff": str(staff.id), "completed_on": day.isoformat()},
    )
