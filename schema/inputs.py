"""What mutations take. The GraphQL types are checked here; what the text in them must look like, in `operations/`.

An optional field that was left out is None in Python, like an explicit null, and the SDL prints no `= null`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from strawberry import UNSET, field

from schema.kinds import AgentKind, PracticeKind, Purpose

REPEAT = (
    "A text of your choice, at most 128 characters, new for each change. Sent again with the same input within 24 "
    "hours, it returns the first answer and changes nothing."
)
VERSION = "The engagement's `version` as you read it; if it has moved on, nothing changes and StaleVersion answers."
CHOSEN = "8 to 256 characters, any of them; not one that everybody tries, nor your name or address."
SECOND_FACTOR = (
    "The six digits that the authenticator app shows, or a recovery code. Needed when the account has a second factor: "
    "`SignInFailed.secondFactorRequired` says so."
)


def _optional(description: str) -> Any:
    """`default_value` is what the SDL prints, `default` what Python gets."""
    optional = field(description=description, default=None)
    optional.default_value = UNSET
    return optional


def _silent(typed: object) -> str:
    """In place of a repr, for inputs that hold a password or a code."""
    return f"<{type(typed).__name__}>"


@strawberry.input(description="A new account.")
class SignUpInput:
    name: str = field(description="Your name as others will see it, 1 to 200 characters.")
    email: str = field(description="The address you will sign in with.")
    password: str = field(description=CHOSEN)
    __repr__ = _silent


@strawberry.input(description="What opens an account.")
class SignInInput:
    email: str = field(description="The address of the account; upper and lower case are the same.")
    password: str = field(description="The account's password.")
    second_factor: str | None = _optional(SECOND_FACTOR)
    __repr__ = _silent


@strawberry.input(description="Proof that the signed-in person is still the one at the keyboard.")
class ReauthenticateInput:
    password: str = field(description="Your password.")
    second_factor: str | None = _optional(SECOND_FACTOR)
    __repr__ = _silent


@strawberry.input(description="A new connect token, to be read out on the phone.")
class IssueTokenInput:
    agent_id: strawberry.ID = field(description="The agent you issue it for.")
    label: str | None = _optional(
        "Your own note on whom it is for, at most 200 characters; the practice never sees it."
    )
    external_ref: str | None = _optional(
        "Your own client number, at most 100 characters. The engagement takes it over."
    )
    ttl_minutes: int | None = _optional(
        "How long it works, in minutes: 1 to 60. The policy's own length when left out."
    )
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="A token to take back before it is used.")
class CancelTokenInput:
    token_id: strawberry.ID = field(description="The token.")
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="Letters and code as heard on the phone, to see whose they are.")
class PreviewTokenInput:
    practice_id: strawberry.ID = field(description="The practice that would let the agent in.")
    letters: str = field(description="The four letters. Case, spaces and dashes do not matter.")
    code: str = field(description="The twelve digits. Spaces and dashes do not matter.")
    __repr__ = _silent


@strawberry.input(description="The practice's yes to the agent that the preview showed.")
class ConnectAgentInput:
    practice_id: strawberry.ID = field(description="The practice that lets the agent in.")
    letters: str = field(description="The four letters. Case, spaces and dashes do not matter.")
    code: str = field(description="The twelve digits. Spaces and dashes do not matter.")
    confirm_agent_id: strawberry.ID = field(
        description="`AgentCard.agentId` of the preview: who you said yes to. Another agent's token connects nothing."
    )
    purpose: Purpose = field(description="Why the agent will work in the practice.")
    not_my_employee: bool | None = field(
        default=False,
        description="True overrides UseStaffAccountInstead: this person is not the practice's own receptionist.",
    )
    expires_at: datetime | None = _optional(
        "When the engagement runs out. When left out, after the policy's own time; the policy also sets the longest."
    )
    idempotency_key: str | None = _optional(REPEAT)
    __repr__ = _silent


@strawberry.input(description="A role to grant.")
class RoleInput:
    role: strawberry.ID = field(description="The role's key: `biller`.")
    expires_at: datetime | None = _optional("When it lapses by itself. As long as the engagement when left out.")


@strawberry.input(description="All roles an engagement shall have from now on.")
class SetRolesInput:
    engagement_id: strawberry.ID = field(description="The engagement.")
    roles: list[RoleInput] = field(
        description="The whole set: a role that is not in it is taken away. An empty list takes all away."
    )
    tasks: list[str] | None = _optional(
        "What the agent was said to do, as keys of the policy's tasks; kept in the record."
    )
    expected_version: int = field(description=VERSION)
    acknowledge_warnings: bool | None = field(
        default=False, description="True once the warnings of WarningsNotAcknowledged were read."
    )
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="An engagement to end for good.")
class RevokeAgentInput:
    engagement_id: strawberry.ID = field(description="The engagement.")
    reason: str | None = _optional("Why, for the record; both sides see it. At most 500 characters.")
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="An engagement, as you last read it.")
class EngagementVersionInput:
    engagement_id: strawberry.ID = field(description="The engagement.")
    expected_version: int = field(description=VERSION)
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="A new practice, whose owner you become.")
class CreatePracticeInput:
    name: str = field(description="The name clients know it by, 1 to 200 characters.")
    kind: PracticeKind = field(description="How it is organised.")
    incorporated: bool = field(description="Whether it is a corporation or a similar legal body.")
    group_tax_id: str | None = _optional("The group's one tax id (EIN), `12-3456789`. A TRUE_GROUP needs it.")
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="A person to invite to a practice's own staff.")
class AddStaffInput:
    practice_id: strawberry.ID = field(description="The practice.")
    email: str = field(description="The person's address, for your own list: they may accept under another one.")
    name: str = field(description="The person's name, for your own list, 1 to 200 characters.")
    roles: list[strawberry.ID] = field(description="The keys of the staff roles to give: at least one.")
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="All roles a person of the staff shall have from now on.")
class SetStaffRolesInput:
    staff_id: strawberry.ID = field(description="The staff membership: `StaffMember.id`, not the user's id.")
    roles: list[strawberry.ID] = field(
        description="The whole set of role keys: a role that is not in it is taken away."
    )
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="A new agent, whose first admin you become.")
class RegisterAgentInput:
    kind: AgentKind = field(description="What sort of outsider it is. It cannot be changed later.")
    legal_name: str = field(description="The name on its papers, 1 to 200 characters; the platform verifies it.")
    address: str = field(description="Its postal address, at most 300 characters.")
    city: str = field(description="The city it works from; practices see it before they agree.")
    phone: str = field(description="The number practices can call back: `+1 555 0100`.")
    email: str = field(description="The address to write to.")
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="An agent to act on.")
class AgentInput:
    agent_id: strawberry.ID = field(description="The agent.")
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="A person to invite into an agent.")
class InviteMemberInput:
    agent_id: strawberry.ID = field(description="The agent.")
    email: str = field(description="The person's address, for your own list: they may accept under another one.")
    name: str = field(description="The person's name, for your own list, 1 to 200 characters.")
    admin: bool | None = field(default=False, description="Whether the person shall look after the agent, too.")
    idempotency_key: str | None = _optional(REPEAT)
