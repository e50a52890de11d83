"""One's own password and sessions: what is asked to change and end them, and what is answered."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import field

from schema.inputs import CHOSEN, REPEAT, SECOND_FACTOR, _optional, _silent
from schema.person import Viewer
from schema.problem import (
    IdempotencyConflict,
    InvalidInput,
    NotFound,
    NotPermitted,
    RateLimited,
    SignInFailed,
    StepUpRequired,
)


@strawberry.input(description="A new password, and the proof that it is you who wants it.")
class ChangePasswordInput:
    password: str = field(description="Your password until now.")
    new_password: str = field(description=CHOSEN)
    second_factor: str | None = _optional(SECOND_FACTOR)
    __repr__ = _silent


@strawberry.input(description="A session of yours to end.")
class EndSessionInput:
    session_id: strawberry.ID = field(description="Another than the one in use, from `Viewer.sessions`.")
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.type(description="The password is changed and all other sessions are over; the cookie is renewed.")
class ChangePasswordSuccess:
    viewer: Viewer = field(description="You, as the new session sees you.")


@strawberry.type(description="The session opens nothing any more.")
class EndSessionSuccess:
    viewer: Viewer = field(description="You, with the sessions that are left.")


@strawberry.type(description="You are signed in only here.")
class EndOtherSessionsSuccess:
    ended: int = field(description="How many sessions were ended.")


ChangePasswordResult = Annotated[
    ChangePasswordSuccess | SignInFailed | RateLimited | NotPermitted | InvalidInput,
    strawberry.union("ChangePasswordResult", description="What `changePassword` answers."),
]
EndSessionResult = Annotated[
    EndSessionSuccess | StepUpRequired | NotPermitted | NotFound | InvalidInput | IdempotencyConflict,
    strawberry.union("EndSessionResult", description="What `endSession` answers."),
]
EndOtherSessionsResult = Annotated[
    EndOtherSessionsSuccess | StepUpRequired | NotPermitted,
    strawberry.union("EndOtherSessionsResult", description="What `endOtherSessions` answers."),
]
