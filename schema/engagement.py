"""The standing arrangement between one practice and one agent: what was granted, what is missing, what was cut."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry import UNSET, field

from schema.agent import Agent, AgentMember
from schema.edges import edge, follow
from schema.kinds import (
    AgreementRequirement,
    AgreementState,
    BlockerCode,
    ComplianceBasis,
    EndReason,
    EngagementStatus,
    GrantStatus,
    Party,
    Purpose,
)
from schema.node import Node, Row
from schema.page import CURSOR, EDGES, NODES, Page
from schema.person import User
from schema.policy import Permission, Role

if TYPE_CHECKING:
    from schema.practice import Practice

# The policy and the instant under which an engagement is looked at, what is stored about it, until when that means the
# same, and what it means. No client sees them.
Seen = strawberry.Private[Any]


MemberOfAgent = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description="One of the agent's people. Left out: the widest that anybody of the agent can have."
    ),
]


async def _permissions(root: Any, info: strawberry.Info, member_id: MemberOfAgent = UNSET) -> Any:
    return await follow(root, info, member_id=member_id)


@strawberry.type(description="One thing that keeps an engagement from giving permissions, and who can remove it.")
class Blocker:
    code: BlockerCode = field(description="What is missing.")
    message: str = field(description="The same in plain words, with what to do next.")
    waiting_for: Party = field(description="Who has to act.")
    since: datetime = field(description="Since when it has been so.")


@strawberry.type(description="One role on one engagement.")
class RoleGrant:
    row: Row
    status: GrantStatus = field(description="Whether it gives anything at present.")
    granted_at: datetime = field(description="When it was granted.")
    expires_at: datetime | None = field(
        description="When it lapses by itself; null if it lasts as long as the engagement."
    )
    role: Role = edge("The role that was granted.")
    granted_by: User = edge("Who granted it.")


@strawberry.type(description="One of the agent's people who works in an engagement.")
class Assignment:
    row: Row
    assigned_at: datetime = field(description="When the agent assigned the person, or set another cap.")
    member: AgentMember = edge("The person.")
    cap: list[Role] | None = edge(
        "The roles that the person is narrowed to there; null for all that the engagement has. It never adds any."
    )


@strawberry.type(description="Roles that the agent would like to have in an engagement. It gives nothing by itself.")
class RoleRequest:
    row: Row
    reason: str = field(description="What they are needed for, in the agent's words.")
    at: datetime = field(description="When they were asked for.")
    roles: list[Role] = edge("All roles that the agent would like to have there: pass them to `setRoles` to agree.")
    by: User = edge("Who asked.")


@strawberry.type(
    description="The business associate agreement (BAA) of an engagement: the fact and a reference, never the document."
)
class Agreement:
    requirement: AgreementRequirement = field(
        description="Whether this agent, with its roles here, needs one before anything is permitted."
    )
    basis: ComplianceBasis = field(description="What covers the access, or would if it were recorded.")
    state: AgreementState = field(description="Where it stands today.")
    effective_on: date | None = field(description="Its first day (UTC); null until a side has named one.")
    expires_on: date | None = field(description="Its last day (UTC); null if it has none or nothing is recorded.")
    covered_until: date | None = field(
        description="The last day of the one before it, which counts until this one does; null if there is none. "
        "`state` is then the state of that one."
    )
    document_ref: str | None = field(
        description="Where the signed document is kept, in the practice's words, or in the agent's if it named none."
    )
    document_sha256: str | None = field(
        description="The SHA-256 of the signed document, 64 hexadecimal digits, if it was given."
    )
    requested_at: datetime | None = field(description="When the practice asked for it; null if it has not.")
    agent_signed_at: datetime | None = field(description="When the agent signed; null if it has not.")
    practice_signed_at: datetime | None = field(
        description="When the practice recorded it, or the training; null if it has not."
    )
    training_completed_on: date | None = field(
        description="When the worker completed the training that covers the access; null with an agreement."
    )
    waived_at: datetime | None = field(description="When the owner went without it; null if not.")
    waive_reason: str | None = field(description="Why the owner went without it; null if not.")
    terminated_at: datetime | None = field(description="When it was ended; null if it was not.")


@strawberry.type(
    description="The standing arrangement between one practice and one agent. Connecting makes one that grants "
    "nothing; roles and, where required, an agreement make it ACTIVE; `revokeAgent` ends it for good."
)
class Engagement(Node):
    seen: Seen = dataclasses.field(repr=False, compare=False)
    facts: Seen = dataclasses.field(repr=False, compare=False)
    until: Seen = dataclasses.field(repr=False, compare=False)
    life: Seen = dataclasses.field(repr=False, compare=False)
    purpose: Purpose = field(description="Why the agent works in the practice.")
    status: EngagementStatus = field(description="Where it stands now, worked out when you ask.")
    blockers: list[Blocker] = field(
        description="Everything that keeps it from giving permissions, and who has to act. Where it is ACTIVE, at "
        "most that nobody of the agent is assigned; where it has ENDED, none."
    )
    version: int = field(description="Grows with every change. Pass it as `expectedVersion`.")
    started_at: datetime = field(description="When the practice connected the agent.")
    expires_at: datetime | None = field(description="When it runs out unless renewed; null if it never does.")
    auto_extend: bool = field(description="Whether it is extended by itself before it runs out.")
    ended_at: datetime | None = field(description="When it ended; null while it has not.")
    end_reason: EndReason | None = field(description="Why it ended; null while it has not.")
    practice: Annotated[Practice, strawberry.lazy("schema.practice")] = edge("The practice that lets the agent in.")
    agent: Agent = edge("The agent that works in it.")
    external_ref: str | None = edge("The agent's own client number; null to everybody else.")
    roles: list[RoleGrant] = edge(
        "The roles granted at present, with those that wait or have lapsed. `setRoles` replaces them."
    )
    requested_roles: RoleRequest | None = edge(
        "What the agent has asked for and the practice has not answered with `setRoles`; null if nothing."
    )
    assignments: list[Assignment] = edge(
        "Which of the agent's people work in it. Nobody: nobody can do anything, unless it is a front-office worker, "
        "whose administrator always works."
    )
    permissions: list[Permission] = edge(
        "What the agent can do in the practice right now, its ceiling and agreement counted in; empty unless ACTIVE. "
        "With `memberId`, what that person can do: somebody who is not of the agent is an error, NOT_FOUND.",
        resolver=_permissions,
    )
    agreement: Agreement = edge("The agreement that covers it, or that it waits for.")
    last_used_at: datetime | None = edge("When one of the agent's people last used it, to the minute; null if never.")
    next_review_on: date | None = edge(
        "The day (UTC) by which the practice has to review it; null where there is nothing to review."
    )
    receipt: RevocationReceipt | None = edge(
        "What its end cut and what is still owed; null while it has not ended, or where it ended by itself."
    )
    previous: Engagement | None = edge(
        "The one between the same two that ended before this one began; null for the first. Nothing is inherited."
    )


@strawberry.type(description="One engagement on a page.")
class EngagementEdge:
    cursor: str = field(description=CURSOR)
    node: Engagement = field(description="The engagement.")


@strawberry.type(description="One page of engagements.")
class EngagementConnection(Page):
    edges: list[EngagementEdge] = edge(EDGES)
    nodes: list[Engagement] = edge(NODES)


@strawberry.type(
    description="What a revocation cut, and what is still owed. An engagement has one: revoking again returns it."
)
class RevocationReceipt:
    id: strawberry.ID = field(description="Names this receipt, for both sides' files.")
    engagement_id: strawberry.ID = field(description="The engagement that ended.")
    at: datetime = field(description="When: no decision that started later allowed anything.")
    by: str = field(description="Who did it, as the audit names them.")
    roles_removed: list[strawberry.ID] = field(description="The keys of the roles it held.")
    members_cut: int = field(description="How many of the agent's people lost the practice.")
    api_keys_cut: int = field(description="How many API keys lost the practice.")
    subscriptions_closed: int = field(
        description="How many open subscriptions the revocation itself closed. They are not counted, so it is 0: each "
        "ends by itself within a second, wherever it is open."
    )
    tokens_cancelled: int = field(description="How many unused connect tokens were cancelled.")
    duties: list[str] = field(
        description="What the agent still owes, in plain words: to return or destroy health information, for example."
    )
    audit_hash: str = field(description="The hash of the audit event that records it: 64 hexadecimal digits.")
