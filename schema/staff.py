"""What is asked about a practice's own people beside their roles: training, removal, and who owns the practice."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Annotated, Any

import strawberry
from strawberry import UNSET, field

from schema.edges import After, Before, First, Last, follow
from schema.inputs import REPEAT, _optional
from schema.kinds import value


@strawberry.enum(description="What a list of staff is narrowed to by their HIPAA training.")
class TrainingFilter(Enum):
    DUE_SOON = value(
        "due_soon", "Due today or within the days of the policy's first notice, 30 unless it says otherwise."
    )
    OVERDUE = value("overdue", "Due before today (UTC): `Training.overdue` is true.")


ByTraining = Annotated[
    list[TrainingFilter] | None,
    strawberry.argument(description="Only people whose training is in one of these states; everybody when left out."),
]


async def staff_by_training(
    root: Any,
    info: strawberry.Info,
    first: First = UNSET,
    after: After = UNSET,
    last: Last = UNSET,
    before: Before = UNSET,
    training: ByTraining = UNSET,
) -> Any:
    return await follow(root, info, first=first, after=after, last=last, before=before, training=training)


@strawberry.input(description="HIPAA training that somebody on the staff has completed.")
class RecordTrainingInput:
    staff_id: strawberry.ID = field(description="The staff membership: `StaffMember.id`, not the user's id.")
    completed_on: date = field(
        description="The day it was completed: not after today (UTC), not before 14 April 2003, and not before the "
        "day that is recorded."
    )
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="Somebody to take off a practice's staff.")
class RemoveStaffInput:
    staff_id: strawberry.ID = field(description="The staff membership: `StaffMember.id`, not the user's id.")
    reason: str | None = _optional("Why, for the practice's record. At most 500 characters.")
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="A practice to hand to another owner.")
class TransferOwnershipInput:
    practice_id: strawberry.ID = field(description="The practice, which you own.")
    to_staff_id: strawberry.ID = field(
        description="The staff membership of the new owner: `StaffMember.id`, not the user's id. They need not accept."
    )
    roles: list[strawberry.ID] | None = _optional(
        "The keys of the staff roles you keep: Manager when left out, none at all for an empty list."
    )
    idempotency_key: str | None = _optional(
        f"{REPEAT} Afterwards you may not hand the practice over any more: a repeated request answers NotPermitted."
    )
