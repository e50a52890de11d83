"""The mutations about an engagement's agreement: each side's acts, the waiver and the end."""

from __future__ import annotations

import strawberry

from authz.actor import Access
from operations import agreement, agreement_end
from resolvers import answers, places
from resolvers.answers import known, repeatable
from resolvers.guard import requires
from schema.agreement import (
    RecordAgreementInput,
    RequestAgreementInput,
    SignAgreementInput,
    WaiveAgreementInput,
)
from schema.engagement_result import EngagementResult
from schema.inputs import EngagementVersionInput


@strawberry.type
class AgreementMutation:
    @strawberry.mutation(
        description="Ask the agent to sign a business associate agreement. Asking again changes nothing; while one is "
        "in force it asks for the next, and the one there is goes on to count until that one does.",
        extensions=requires("agreements.record", places.engagement),
    )
    async def request_agreement(
        self, info: strawberry.Info, access: Access, input: RequestAgreementInput
    ) -> EngagementResult:
        request = repeatable(info, access, input)
        return await answers.changed(
            info, await agreement.request_agreement(access, known(input.engagement_id), request)
        )

    @strawberry.mutation(
        description="Sign for the agent: its side of the agreement. It counts once the practice has recorded the same "
        "document, in whatever order. Needs a recent proof of who you are, so no API key signs.",
        extensions=requires("agreements.sign", places.engagement),
    )
    async def sign_agreement(
        self, info: strawberry.Info, access: Access, input: SignAgreementInput
    ) -> EngagementResult:
        request = repeatable(info, access, input)
        return await answers.changed(
            info, await agreement.sign_agreement(access, known(input.engagement_id), input, request)
        )

    @strawberry.mutation(
        description="Attest for the practice that both sides have signed, or that a front-office worker was trained as "
        "its own. An agreement counts once the agent has signed the same document. Not for people of the agent.",
        extensions=requires("agreements.record", places.engagement),
    )
    async def record_agreement(
        self, info: strawberry.Info, access: Access, input: RecordAgreementInput
    ) -> EngagementResult:
        request = repeatable(info, access, input)
        return await answers.changed(
            info, await agreement.record_agreement(access, known(input.engagement_id), input, request)
        )

    @strawberry.mutation(
        description="Go without an agreement where it is only recommended. Where one is required, now or later, the "
        "waiver does not count. Needs a recent password. Not for people of the agent.",
        extensions=requires("agreements.waive", places.engagement),
    )
    async def waive_agreement(
        self, info: strawberry.Info, access: Access, input: WaiveAgreementInput
    ) -> EngagementResult:
        request = repeatable(info, access, input)
        key = await agreement_end.waive_agreement(access, known(input.engagement_id), input, request)
        return await answers.changed(info, key)

    @strawberry.mutation(
        description="End the agreement, at once and with a renewal that waits. Where it is required, nothing is "
        "permitted from then on; a new one restores the roles without connecting again.",
        extensions=requires("agreements.record", places.engagement),
    )
    async def terminate_agreement(
        self, info: strawberry.Info, access: Access, input: EngagementVersionInput
    ) -> EngagementResult:
        request, version = repeatable(info, access, input), input.expected_version
        key = await agreement_end.terminate_agreement(access, known(input.engagement_id), version, request)
        return await answers.changed(info, key)
