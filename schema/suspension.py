"""What stopping an engagement takes."""

from __future__ import annotations

import strawberry
from strawberry import field

from schema.inputs import REPEAT, VERSION, _optional


@strawberry.input(description="An engagement to stop for a while.")
class SuspendEngagementInput:
    engagement_id: strawberry.ID = field(description="The engagement.")
    reason: str = field(description="Why, for the record. 1 to 500 characters.")
    expected_version: int = field(description=VERSION)
    idempotency_key: str | None = _optional(REPEAT)
