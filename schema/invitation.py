"""Invitations: what they are, asked and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import field

from schema.agent import AgentMember
from schema.edges import edge
from schema.inputs import REPEAT, _optional, _silent
from schema.kinds import InvitationStatus
from schema.node import Node
from schema.person import StaffMember, User
from schema.policy import Role
from schema.problem import (
    IdempotencyConflict,
    InvalidInput,
    InvitationRejected,
    LimitReached,
    NotFound,
    NotPermitted,
    RoleNotGrantable,
    SeparationOfDuty,
    StepUpRequired,
    UnknownRole,
)

CODE = "The code as it was handed over, 43 characters. Upper and lower case differ."


@strawberry.type(
    description="An offer to join a practice's staff or an agent. Whoever accepts it does so under their own login; "
    "its code is shown only once, when it is made."
)
class Invitation(Node):
    email: str = field(description="Whom it is meant for, in the inviter's words. No mail is sent, nothing is checked.")
    name: str = field(description="The name of the person it is meant for, in the inviter's words.")
    admin: bool = field(description="Whether the person will look after the agent; false for a practice.")
    status: InvitationStatus = field(description="Where it stands.")
    invited_at: datetime = field(description="When it was made.")
    expires_at: datetime = field(description="Until when its code works: one hour.")
    roles: list[Role] = edge("The staff roles the person will hold in the practice; empty for an agent.")
    invited_by: User = edge("Who made it.")


@strawberry.type(description="What an invitation offers, for the person who holds its code. Nothing is accepted yet.")
class InvitationCard:
    invited_by: str = field(description="The name of the person who invites.")
    practice_name: str | None = field(description="The practice whose staff it leads to; null for an agent.")
    agent_name: str | None = field(description="The agent it leads to; null for a practice.")
    roles: list[Role] = field(description="The staff roles that it gives; empty for an agent.")
    admin: bool = field(description="Whether it makes an admin of the agent.")
    expires_at: datetime = field(description="Until when it can be accepted.")


@strawberry.input(description="An invitation to look at before accepting it.")
class PreviewInvitationInput:
    code: str = field(description=CODE)
    __repr__ = _silent


@strawberry.input(description="An invitation to accept as the person who is signed in.")
class AcceptInvitationInput:
    code: str = field(description=CODE)
    idempotency_key: str | None = _optional(REPEAT)
    __repr__ = _silent


@strawberry.input(description="An invitation to take back.")
class CancelInvitationInput:
    invitation_id: strawberry.ID = field(description="The invitation.")
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.type(
    description="The invitation is made. Hand the code to the person yourself; it works for one hour, once."
)
class InvitationSuccess:
    invitation: Invitation = field(description="The invitation, without its code.")
    code: str = field(
        description="43 characters that the person enters once signed in. Shown once: not to be read again."
    )

    def __repr__(self) -> str:
        return "<InvitationSuccess>"  # the code belongs in no log


@strawberry.type(description="The invitation is good. Show who invites to what, and ask.")
class PreviewInvitationSuccess:
    card: InvitationCard = field(description="Who invites to what.")


@strawberry.type(description="You are in. One of the two is there.")
class AcceptInvitationSuccess:
    staff: StaffMember | None = field(description="You on the practice's staff; null for an agent.")
    member: AgentMember | None = field(description="You among the agent's people; null for a practice.")


@strawberry.type(description="The invitation opens nothing any more.")
class CancelInvitationSuccess:
    invitation: Invitation = field(description="The invitation as it is now.")


AddStaffResult = Annotated[
    InvitationSuccess
    | UnknownRole
    | RoleNotGrantable
    | SeparationOfDuty
    | StepUpRequired
    | NotPermitted
    | NotFound
    | InvalidInput
    | LimitReached
    | IdempotencyConflict,
    strawberry.union("AddStaffResult", description="What `addStaff` answers."),
]
InviteMemberResult = Annotated[
    InvitationSuccess | StepUpRequired | NotPermitted | NotFound | InvalidInput | LimitReached | IdempotencyConflict,
    strawberry.union("InviteMemberResult", description="What `inviteMember` answers."),
]
PreviewInvitationResult = Annotated[
    PreviewInvitationSuccess | InvitationRejected | NotPermitted,
    strawberry.union("PreviewInvitationResult", description="What `previewInvitation` answers."),
]
AcceptInvitationResult = Annotated[
    AcceptInvitationSuccess | InvitationRejected | NotPermitted | InvalidInput | LimitReached | IdempotencyConflict,
    strawberry.union("AcceptInvitationResult", description="What `acceptInvitation` answers."),
]
CancelInvitationResult = Annotated[
    CancelInvitationSuccess | NotPermitted | NotFound | InvalidInput | IdempotencyConflict,
    strawberry.union("CancelInvitationResult", description="What `cancelInvitation` answers."),
]
