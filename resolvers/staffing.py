"""Mutations about a practice's own people beside their roles."""

from __future__ import annotations

import strawberry

from authz.actor import Access
from operations import ownership, removal, training
from resolvers import answers, places
from resolvers.answers import known, repeatable
from resolvers.context import context_of
from resolvers.guard import requires
from schema.results import StaffResult, StaffSuccess
from schema.staff import RecordTrainingInput, RemoveStaffInput, TransferOwnershipInput


@strawberry.type
class StaffMutation:
    @strawberry.mutation(
        description="Record that a person of the staff, maybe you, completed their HIPAA training. The recorded day "
        "moves forward only.",
        extensions=requires("staff.training.record", places.staff),
    )
    async def record_training(self, info: strawberry.Info, access: Access, input: RecordTrainingInput) -> StaffResult:
        request = repeatable(info, access, input)
        key = await training.record_training(access, known(input.staff_id), input, request)
        return StaffSuccess(staff=await answers.staff(context_of(info), key))

    @strawberry.mutation(
        description="Take a person off the staff: their access to the practice ends with the answer. Not you, and not "
        "the owner. They can be invited again.",
        extensions=requires("staff.remove", places.staff),
    )
    async def remove_staff(self, info: strawberry.Info, access: Access, input: RemoveStaffInput) -> StaffResult:
        request = repeatable(info, access, input)
        key = await removal.remove_staff(access, known(input.staff_id), input, request)
        return StaffSuccess(staff=await answers.staff(context_of(info), key))

    @strawberry.mutation(
        description="Make another person of the staff the practice's owner in your place. Answers the new owner. It "
        "takes effect at once, and only they can undo it.",
        extensions=requires("practice.transfer", places.practice),
    )
    async def transfer_ownership(
        self, info: strawberry.Info, access: Access, input: TransferOwnershipInput
    ) -> StaffResult:
        request = repeatable(info, access, input)
        key = await ownership.transfer_ownership(access, input, request)
        await context_of(info).refresh()
        return StaffSuccess(staff=await answers.staff(context_of(info), key))
