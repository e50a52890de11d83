"""What the mutations answer that move an engagement through its life."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import field

from schema.engagement import Engagement
from schema.problem import (
    EngagementEnded,
    IdempotencyConflict,
    InvalidInput,
    NotFound,
    NotPermitted,
    RoleNotGrantable,
    StaleVersion,
    StepUpRequired,
    UnknownRole,
)


@strawberry.type(description="The engagement is as asked.")
class EngagementSuccess:
    engagement: Engagement = field(description="The engagement as it is now, with its new version.")


EngagementResult = Annotated[
    EngagementSuccess
    | StaleVersion
    | EngagementEnded
    | UnknownRole
    | RoleNotGrantable
    | StepUpRequired
    | NotPermitted
    | NotFound
    | InvalidInput
    | IdempotencyConflict,
    strawberry.union("EngagementResult", description="What the mutations answer that change how an engagement stands."),
]
