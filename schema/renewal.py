"""What the practice types in to say how long an agent may go on."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field

from schema.inputs import REPEAT, VERSION, _optional


@strawberry.input(description="Another end for an engagement.")
class RenewEngagementInput:
    engagement_id: strawberry.ID = field(
        description="The engagement. One that has expired can be renewed in its grace."
    )
    expires_at: datetime = field(
        description="When it runs out: a time in the future, at most 730 days from now (the policy says how many). An "
        "earlier one than before is allowed, too."
    )
    auto_extend: bool | None = _optional(
        "True: at its end it begins another term by itself, again and again. False: it does not. As it is if left out."
    )
    expected_version: int = field(description=VERSION)
    idempotency_key: str | None = _optional(REPEAT)
