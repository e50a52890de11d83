"""The agent's people and its own side of an engagement: assigning, departing, asking for roles, leaving."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import field

from schema.agent import AgentMember
from schema.inputs import REPEAT, _optional
from schema.problem import IdempotencyConflict, InvalidInput, LimitReached, NotFound, NotPermitted


@strawberry.input(description="One of the agent's people, and an engagement to work in or not.")
class AssignMemberInput:
    engagement_id: strawberry.ID = field(description="The engagement.")
    member_id: strawberry.ID = field(description="The person: `AgentMember.id`, not the user's id.")
    cap: list[strawberry.ID] | None = _optional(
        "The keys of the roles that the person is narrowed to, each one that the engagement has. All of its roles, "
        "also later ones, when left out. `unassignMember` takes none."
    )
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="One of the agent's people.")
class MemberInput:
    member_id: strawberry.ID = field(description="The person: `AgentMember.id`, not the user's id.")
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="An engagement that the agent ends.")
class LeavePracticeInput:
    engagement_id: strawberry.ID = field(description="The engagement.")
    reason: str | None = _optional("Why, for the record; both sides see it. At most 500 characters.")
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="Roles that the agent would like to have in a practice.")
class RequestRolesInput:
    engagement_id: strawberry.ID = field(description="The engagement.")
    roles: list[strawberry.ID] = field(
        description="The keys of all roles that it would like to have there, those it has included: at least one."
    )
    reason: str = field(description="What they are needed for; the practice sees it. 1 to 500 characters.")
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.type(description="The person is out: access was cut in every practice before this answer.")
class MemberSuccess:
    member: AgentMember = field(description="The person as they are now.")
    practices_notified: int = field(
        description="In how many practices the person worked, each of which has it in its record now; 0 for somebody "
        "who had departed before."
    )


MemberResult = Annotated[
    MemberSuccess | NotPermitted | NotFound | InvalidInput | LimitReached | IdempotencyConflict,
    strawberry.union("MemberResult", description="What `departMember` answers."),
]
