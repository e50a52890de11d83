"""The refusals as clients see them: one type for each class of `errors.py`, with the same name.

`handlers.py` fills the plain fields from the refusal's `fields` of the same name. What is an object, and so takes a
query, is an edge that reads the refusal.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime

import strawberry

import errors
from schema.edges import edge
from schema.engagement import Engagement
from schema.kinds import EndReason, ProblemCode
from schema.policy import Role


@strawberry.interface(
    description="An expected refusal. Every mutation's result union holds the ones it can give; nothing was changed."
)
class Problem:
    code: ProblemCode = strawberry.field(description="Which refusal it is, for programs.")
    message: str = strawberry.field(
        description="One clause that says what to do next, for people. It never repeats what was typed."
    )
    refusal: strawberry.Private[errors.Refusal] = dataclasses.field(repr=False, compare=False)


@strawberry.type(
    description="These letters and this code do not open anything: wrong, expired, used, cancelled or locked. Which of "
    "them is never told; ask the agent for a new token."
)
class TokenRejected(Problem): ...


@strawberry.type(
    description="This invitation does not open anything: unknown, expired, used, cancelled, or not backed by its "
    "inviter any more. Which of them is never told; ask whoever invited you for a new one."
)
class InvitationRejected(Problem): ...


@strawberry.type(
    description="The code's check digit is wrong: misheard or mistyped. No attempt was spent; ask for it once more."
)
class CheckDigitMismatch(Problem): ...


@strawberry.type(description="Too many wrong attempts by this token, person, practice or address.")
class RateLimited(Problem):
    retry_after_seconds: int = strawberry.field(description="In how many seconds to try again; at least 1.")


@strawberry.type(description="The practice and the agent have an engagement that has not ended: set its roles instead.")
class AlreadyEngaged(Problem):
    engagement: Engagement = edge("The engagement that stands.")


@strawberry.type(
    description="A true group's own receptionist belongs on the staff page: no business associate agreement, but HIPAA "
    "training. In a preview it is advice, on connecting a refusal."
)
class UseStaffAccountInstead(Problem):
    next_step: str = strawberry.field(description="What to do instead, in plain words.")
    training_required: bool = strawberry.field(description="Whether that person's HIPAA training falls due.")
    override_with: str = strawberry.field(
        description="The input field that says this person is not the practice's own: repeat with it set to true."
    )


@strawberry.type(description="The agent is not verified yet, is suspended or is closed. The platform can change that.")
class AgentNotActive(Problem): ...


@strawberry.type(
    description="The token belongs to another agent than `confirmAgentId`: preview it again and look at who it is."
)
class AgentConfirmationMismatch(Problem): ...


@strawberry.type(description="You may see the object, but you lack the permission for this.")
class NotPermitted(Problem):
    permission: strawberry.ID = strawberry.field(description="The key of the permission that is missing.")
    held_by: list[Role] = edge("The roles that would give it, the smallest first: ask for one of them.")


@strawberry.type(
    description="Enter the password again with `reauthenticate`, or use a passkey with `reauthenticateWithPasskey`; "
    "then repeat the same mutation. Changes of second factors need one in this proof, once the person has one."
)
class StepUpRequired(Problem):
    max_age_seconds: int = strawberry.field(description="How long such a proof counts, in seconds.")


@strawberry.type(description="The policy does not let you grant this role to this holder.")
class RoleNotGrantable(Problem):
    role: strawberry.ID = strawberry.field(description="The key of the role.")


@strawberry.type(description="The policy has no role with this key.")
class UnknownRole(Problem):
    role: strawberry.ID = strawberry.field(description="The key that is unknown.")
    did_you_mean: list[strawberry.ID] = strawberry.field(
        description="Keys of roles with a similar name, the nearest first; empty when none is near."
    )


@strawberry.type(
    description="Somebody changed the engagement since you read it. Show `current`, let the person look, and repeat "
    "with its version."
)
class StaleVersion(Problem):
    current: Engagement = edge("The engagement as it is now.")


@strawberry.type(description="The engagement is over and never changes again. Connect the agent with a new token.")
class EngagementEnded(Problem):
    ended_at: datetime = strawberry.field(description="When it ended.")
    end_reason: EndReason = strawberry.field(description="Why it ended.")


@strawberry.type(description="Nothing with this id is visible to you: unknown and hidden are never told apart.")
class NotFound(Problem): ...


@strawberry.type(description="One input field is malformed; `message` says how to write it.")
class InvalidInput(Problem):
    field: str = strawberry.field(description="Which one, as a path below `input`: `roles.0.expiresAt`.")


@strawberry.type(description="A count has reached its limit; `message` says which, and what makes room.")
class LimitReached(Problem):
    limit: int = strawberry.field(description="How many there may be.")


@strawberry.type(
    description="The change has warnings. Show them, and repeat with `acknowledgeWarnings: true` once they were read."
)
class WarningsNotAcknowledged(Problem):
    warnings: list[str] = strawberry.field(description="The warnings, one sentence each.")


@strawberry.type(description="The roles together hold permissions that must stay with different people.")
class SeparationOfDuty(Problem):
    permissions: list[strawberry.ID] = strawberry.field(description="The keys of the permissions that must stay apart.")


@strawberry.type(
    description="This idempotency key was used with another input within 24 hours. Send a new key for a new change."
)
class IdempotencyConflict(Problem): ...


@strawberry.type(description="E-mail, password or second factor is not right; which of the first two is never told.")
class SignInFailed(Problem):
    second_factor_required: bool = strawberry.field(
        description="True when the password was right and a second factor is needed: repeat with `secondFactor`."
    )
