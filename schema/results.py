"""What mutations answer: a success, or one of the refusals that this mutation can give."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import field

from schema.agent import Agent, AgentCard, ConnectToken
from schema.engagement import Engagement, RevocationReceipt
from schema.person import StaffMember, Viewer
from schema.practice import Practice
from schema.problem import (
    AgentConfirmationMismatch,
    AgentNotActive,
    AlreadyEngaged,
    CheckDigitMismatch,
    EngagementEnded,
    IdempotencyConflict,
    InvalidInput,
    LimitReached,
    NotFound,
    NotPermitted,
    RateLimited,
    RoleNotGrantable,
    SeparationOfDuty,
    SignInFailed,
    StaleVersion,
    StepUpRequired,
    TokenRejected,
    UnknownRole,
    UseStaffAccountInstead,
    WarningsNotAcknowledged,
)


@strawberry.type(description="You are signed in, and the session's cookie is set.")
class SignInSuccess:
    viewer: Viewer = field(description="You, as the new session sees you.")


@strawberry.type(description="The token is live: read out its letters and its code.")
class IssueTokenSuccess:
    token: ConnectToken = field(description="The token, without its code.")
    code: str = field(description="Twelve digits as 1234-5678-9012. Shown once: it cannot be read again.")

    def __repr__(self) -> str:
        return "<IssueTokenSuccess>"  # the code belongs in no log


@strawberry.type(description="The token opens nothing any more.")
class CancelTokenSuccess:
    token: ConnectToken = field(description="The token as it is now.")


@strawberry.type(description="The token is good. Show who it is and ask; nothing is connected yet.")
class PreviewTokenSuccess:
    agent: AgentCard = field(description="Who the token belongs to.")
    advice: UseStaffAccountInstead | None = field(
        description="Why a staff account would be right instead; null when connecting is right."
    )


@strawberry.type(description="The agent is connected. It has no role and no permission yet.")
class ConnectAgentSuccess:
    engagement: Engagement = field(description="The new engagement.")
    next_step: str = field(description="What to do next, in plain words: set roles.")


@strawberry.type(description="The roles are as asked; sensitive ones may still wait for the owner.")
class SetRolesSuccess:
    engagement: Engagement = field(description="The engagement with its new roles and its new version.")


@strawberry.type(description="The agent has lost this practice: everything was cut before this answer.")
class RevokeAgentSuccess:
    receipt: RevocationReceipt = field(description="What was cut and what is still owed. Keep it.")
    engagement: Engagement = field(description="The ended engagement.")


@strawberry.type(description="The practice is as asked.")
class PracticeSuccess:
    practice: Practice = field(description="The practice.")


@strawberry.type(description="The person of the staff is as asked.")
class StaffSuccess:
    staff: StaffMember = field(description="The staff membership as it is now.")


@strawberry.type(description="The agent is as asked.")
class AgentSuccess:
    agent: Agent = field(description="The agent as it is now.")


SignInResult = Annotated[
    SignInSuccess | SignInFailed | RateLimited | InvalidInput,
    strawberry.union("SignInResult", description="What signing up, signing in or entering the password again answers."),
]
IssueTokenResult = Annotated[
    IssueTokenSuccess | AgentNotActive | NotPermitted | NotFound | LimitReached | InvalidInput | IdempotencyConflict,
    strawberry.union("IssueTokenResult", description="What `issueToken` answers."),
]
CancelTokenResult = Annotated[
    CancelTokenSuccess | NotPermitted | NotFound | InvalidInput | IdempotencyConflict,
    strawberry.union("CancelTokenResult", description="What `cancelToken` answers."),
]
PreviewTokenResult = Annotated[
    PreviewTokenSuccess | TokenRejected | CheckDigitMismatch | RateLimited | NotPermitted | NotFound,
    strawberry.union("PreviewTokenResult", description="What `previewToken` answers."),
]
ConnectAgentResult = Annotated[
    ConnectAgentSuccess
    | TokenRejected
    | CheckDigitMismatch
    | RateLimited
    | AlreadyEngaged
    | UseStaffAccountInstead
    | AgentConfirmationMismatch
    | NotPermitted
    | NotFound
    | InvalidInput
    | IdempotencyConflict,
    strawberry.union("ConnectAgentResult", description="What `connectAgent` answers."),
]
SetRolesResult = Annotated[
    SetRolesSuccess
    | StaleVersion
    | UnknownRole
    | RoleNotGrantable
    | SeparationOfDuty
    | WarningsNotAcknowledged
    | StepUpRequired
    | NotPermitted
    | EngagementEnded
    | NotFound
    | InvalidInput
    | IdempotencyConflict,
    strawberry.union("SetRolesResult", description="What `setRoles` and `confirmRoles` answer."),
]
RevokeAgentResult = Annotated[
    RevokeAgentSuccess | NotPermitted | NotFound | InvalidInput | IdempotencyConflict,
    strawberry.union("RevokeAgentResult", description="What `revokeAgent` answers."),
]
PracticeResult = Annotated[
    PracticeSuccess | InvalidInput | LimitReached | IdempotencyConflict,
    strawberry.union("PracticeResult", description="What `createPractice` answers."),
]
StaffResult = Annotated[
    StaffSuccess
    | UnknownRole
    | RoleNotGrantable
    | SeparationOfDuty
    | StepUpRequired
    | NotPermitted
    | NotFound
    | InvalidInput
    | IdempotencyConflict,
    strawberry.union("StaffResult", description="What mutations about a person of a practice's staff answer."),
]
AgentResult = Annotated[
    AgentSuccess | NotPermitted | NotFound | InvalidInput | LimitReached | IdempotencyConflict,
    strawberry.union("AgentResult", description="What `registerAgent` and `verifyAgent` answer."),
]
