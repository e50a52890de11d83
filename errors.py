"""Every refusal there is, on one page.

A refusal is an expected answer, not a fault: the caller asked for something that the rules, the present
state or a limit does not allow. Operations and the guard raise these; nothing else is raised on purpose.
GraphQL turns each into the union member of the same name (`schema/problem.py`), or, where a field has no
union, into an error whose `extensions.code` is the refusal's code.

Refusal
├── NotSignedIn                  nobody is signed in (HTTP 401, never a union member)
├── NotFound                     unknown, or not visible to the caller: the two are never told apart
├── NotPermitted                 visible, but the caller lacks the permission
├── StepUpRequired               the caller must re-authenticate first
├── SignInFailed                 e-mail, password or second factor is not right
├── InvalidInput                 one input field is malformed
├── LimitReached                 a count that the policy or the limits table bounds
├── RateLimited                  too many wrong attempts; carries when to come back
├── IdempotencyConflict          the idempotency key was used with another input
├── TokenRejected                one answer for every reason a connect token does not work
├── InvitationRejected           one answer for every reason an invitation's code does not work
├── CheckDigitMismatch           the code was misheard; no attempt was spent
├── AgentNotActive               the agent is not verified, is suspended or is closed
├── AgentConfirmationMismatch    the confirmed agent is not the token's agent
├── UseStaffAccountInstead       a true group's own receptionist belongs on the staff page
├── AlreadyEngaged               the practice and the agent have an engagement that has not ended
├── EngagementEnded              an ended engagement never changes again
├── StaleVersion                 somebody changed the engagement since it was read
├── UnknownRole                  the policy has no such role
├── RoleNotGrantable             the policy does not let this caller grant this role to this holder
├── SeparationOfDuty             the roles together hold permissions that must stay apart
└── WarningsNotAcknowledged      the change has warnings that the caller has not acknowledged

Messages are one clause, lower case, without a full stop, and say what to do next. They never repeat what
the caller typed, so that no code or password reaches an answer or a log.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, ClassVar


class Refusal(Exception):
    """The root of the tree. `code` is the API's name for the refusal, `fields` what the caller needs to act."""

    code: ClassVar[str] = "REFUSED"
    message: ClassVar[str] = "refused"

    def __init_subclass__(cls) -> None:
        if "code" not in vars(cls):
            cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).upper()

    def __init__(self, message: str | None = None, **fields: Any) -> None:
        super().__init__(message or self.message)
        self.fields = fields


class NotSignedIn(Refusal):
    message = "sign in first"


class NotFound(Refusal):
    message = "nothing with this id is visible to you"


class NotPermitted(Refusal):
    """`permission` is the key that is missing, `held_by` the keys of the roles that would give it."""

    message = "you do not hold the permission for this; ask somebody who does"

    def __init__(self, permission: str, held_by: tuple[str, ...] = ()) -> None:
        super().__init__(permission=permission, held_by=held_by)


class StepUpRequired(Refusal):
    """`max_age_seconds`: how recent the last authentication must be."""

    message = "enter your password again to do this"

    def __init__(self, max_age_seconds: int) -> None:
        super().__init__(max_age_seconds=max_age_seconds)


class SignInFailed(Refusal):
    message = "this e-mail and password do not open an account; check both"

    def __init__(self, message: str | None = None, second_factor_required: bool = False) -> None:
        super().__init__(message, second_factor_required=second_factor_required)


class InvalidInput(Refusal):
    """`field`: the input field in the API's spelling, for example `roles.0.expiresAt`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message, field=field)


class LimitReached(Refusal):
    def __init__(self, limit: int, message: str) -> None:
        super().__init__(message, limit=limit)


class RateLimited(Refusal):
    """`retry_after_seconds`: whole seconds, at least 1."""

    message = "too many wrong attempts; wait before the next one"

    def __init__(self, retry_after_seconds: int, message: str | None = None) -> None:
        super().__init__(message, retry_after_seconds=max(1, retry_after_seconds))


class IdempotencyConflict(Refusal):
    message = "this idempotency key was used with another input; send a new key"


class TokenRejected(Refusal):
    message = "these letters and this code do not open anything; ask the agent for a new token"


class InvitationRejected(Refusal):
    message = "this invitation does not open anything; ask whoever invited you for a new one"


class CheckDigitMismatch(Refusal):
    message = "the code was misheard or mistyped; ask for it once more, no attempt was spent"


class AgentNotActive(Refusal):
    message = "this agent is not active; it must be verified by the platform first"


class AgentConfirmationMismatch(Refusal):
    message = "the token belongs to another agent than the one you confirmed; preview the token again"


class UseStaffAccountInstead(Refusal):
    """`override_with` names the input that overrides this advice."""

    code = "USE_STAFF_ACCOUNT"
    message = "somebody who works for your own group needs a staff account, not an outside agent"

    def __init__(self, next_step: str, training_required: bool, override_with: str) -> None:
        super().__init__(next_step=next_step, training_required=training_required, override_with=override_with)


class AlreadyEngaged(Refusal):
    """`engagement_id`: the engagement that stands."""

    message = "this agent is connected to the practice already; set its roles instead"

    def __init__(self, engagement_id: Any) -> None:
        super().__init__(engagement_id=engagement_id)


class EngagementEnded(Refusal):
    """`end_reason` is spelt as it is stored, for example `revoked_by_practice`."""

    message = "this engagement has ended; connect the agent again with a new token"

    def __init__(self, ended_at: datetime, end_reason: str) -> None:
        super().__init__(ended_at=ended_at, end_reason=end_reason)


class StaleVersion(Refusal):
    """`engagement_id`: the engagement as it is now is loaded from it."""

    message = "somebody changed this engagement since you read it; look at it again and repeat"

    def __init__(self, engagement_id: Any) -> None:
        super().__init__(engagement_id=engagement_id)


class UnknownRole(Refusal):
    message = "there is no such role"

    def __init__(self, role: str, did_you_mean: tuple[str, ...] = ()) -> None:
        super().__init__(role=role, did_you_mean=did_you_mean)


class RoleNotGrantable(Refusal):
    def __init__(self, role: str, message: str) -> None:
        super().__init__(message, role=role)


class SeparationOfDuty(Refusal):
    """`permissions`: the keys that one holder must not have together."""

    def __init__(self, permissions: tuple[str, ...], message: str) -> None:
        super().__init__(message, permissions=permissions)


class WarningsNotAcknowledged(Refusal):
    message = "read the warnings and repeat with acknowledgeWarnings"

    def __init__(self, warnings: tuple[str, ...]) -> None:
        super().__init__(warnings=warnings)
