"""The outside organisation or person, its people, and the tokens they read out on the phone."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry import UNSET, field

from schema.edges import After, Before, First, Last, connection, edge, follow
from schema.kinds import AgentKind, AgentStatus, AgreementRequirement, EngagementStatus, MemberStatus, TokenStatus
from schema.node import Node
from schema.page import CURSOR, EDGES, NODES, Page
from schema.person import User

if TYPE_CHECKING:
    from schema.api_key import ApiKey
    from schema.engagement import Engagement, EngagementConnection
    from schema.invitation import Invitation

StatusFilter = Annotated[
    list[EngagementStatus] | None,
    strawberry.argument(description="Only engagements in one of these states; all of them when left out."),
]
Live = Annotated[
    bool | None,
    strawberry.argument(
        description="True: only tokens that a practice could still use. False: those that are over, too."
    ),
]
LiveKeys = Annotated[
    bool | None,
    strawberry.argument(description="True: only keys that still work. False: revoked and expired ones, too."),
]


async def engagements_by_status(
    root: Any,
    info: strawberry.Info,
    first: First = UNSET,
    after: After = UNSET,
    last: Last = UNSET,
    before: Before = UNSET,
    status: StatusFilter = UNSET,
) -> Any:
    return await follow(root, info, first=first, after=after, last=last, before=before, status=status)


async def _api_keys(root: Any, info: strawberry.Info, live: LiveKeys = True) -> Any:
    return await follow(root, info, live=live)


async def _tokens(root: Any, info: strawberry.Info, live: Live = True) -> Any:
    return await follow(root, info, live=live)


@strawberry.type(
    description="An outside organisation or person that works for practices: a billing company, for example."
)
class Agent(Node):
    kind: AgentKind = field(description="What sort of outsider it is.")
    legal_name: str = field(description="The name it is registered under, which the platform verifies.")
    city: str = field(description="The city it works from.")
    address: str = field(description="Its postal address.")
    phone: str = field(description="The number to call it back on.")
    email: str = field(description="The address to write to; not necessarily anybody's login.")
    status: AgentStatus = field(description="Where it stands with the platform.")
    verified_at: datetime | None = field(
        description="When the platform verified it; null until then, and it cannot issue tokens before."
    )
    members: AgentMemberConnection = connection(
        "Its people, in the order in which they were invited.", requires="members.read"
    )
    invitations: list[Annotated[Invitation, strawberry.lazy("schema.invitation")]] = edge(
        "Its open invitations, newest first.", requires="members.read"
    )
    engagements: Annotated[EngagementConnection, strawberry.lazy("schema.engagement")] = edge(
        "Its engagements that you may see: all of them for its own people, only your practices' for a practice.",
        resolver=engagements_by_status,
    )
    api_keys: list[Annotated[ApiKey, strawberry.lazy("schema.api_key")]] = edge(
        "The keys of its partner platforms, newest first.", requires="api_keys.manage", resolver=_api_keys
    )
    tokens: list[ConnectToken] = edge("Its connect tokens, newest first.", requires="tokens.read", resolver=_tokens)


@strawberry.type(description="A person who works for an agent.")
class AgentMember(Node):
    admin: bool = field(description="Whether the person looks after the agent: invites people, for example.")
    status: MemberStatus = field(description="Where the person stands with the agent.")
    last_active_at: datetime | None = field(
        description="When the person last did something for the agent; null if never."
    )
    agent: Agent = edge("The agent the person works for.")
    user: User = edge("The person.")


@strawberry.type(description="One of the agent's people on a page.")
class AgentMemberEdge:
    cursor: str = field(description=CURSOR)
    node: AgentMember = field(description="The person.")


@strawberry.type(description="One page of an agent's people, or of the agents somebody works for.")
class AgentMemberConnection(Page):
    edges: list[AgentMemberEdge] = edge(EDGES)
    nodes: list[AgentMember] = edge(NODES)


@strawberry.type(description="One agent on a page.")
class AgentEdge:
    cursor: str = field(description=CURSOR)
    node: Agent = field(description="The agent.")


@strawberry.type(description="One page of agents.")
class AgentConnection(Page):
    edges: list[AgentEdge] = edge(EDGES)
    nodes: list[Agent] = edge(NODES)


@strawberry.type(description="What a practice may see of an agent before it agrees. No other client is ever named.")
class AgentCard:
    agent_id: strawberry.ID = field(description="Pass it as `confirmAgentId` to connect exactly this agent.")
    legal_name: str = field(description="The name it is registered under.")
    kind: AgentKind = field(description="What sort of outsider it is.")
    phone: str = field(description="The number on record: call it back if the caller seems wrong.")
    city: str = field(description="The city it works from.")
    verified: bool = field(description="Whether the platform has verified name and contact details.")
    member_since: date = field(description="The day it registered.")
    practice_count: int = field(description="How many practices it works for at present.")
    agreement_requirement: AgreementRequirement = field(
        description="Whether this practice will need a business associate agreement with it."
    )
    warnings: list[str] = field(
        description="What the person on the phone should know before going on, in plain words; often empty."
    )


@strawberry.type(
    description="Letters and a code that a member of the agent reads out on the phone. The code is shown only in the "
    "answer of `issueToken`."
)
class ConnectToken(Node):
    letters: str = field(description="The four letters that name the token. They are no secret.")
    spoken: list[str] = field(description="One spelling word for each letter, to read out: `Kilo`, `Lima`, …")
    status: TokenStatus = field(description="Where it stands.")
    label: str | None = field(description="The agent's own note on whom it is for; the practice never sees it.")
    external_ref: str | None = field(
        description="The agent's own client number, which the engagement takes over; the practice never sees it."
    )
    issued_at: datetime = field(description="When it was issued.")
    expires_at: datetime = field(description="Until when a practice can use it: count down to this.")
    attempts_remaining: int = field(description="How often the code can still be mistyped before it locks.")
    issued_by: AgentMember = edge("The member who issued it.")
    engagement: Annotated[Engagement, strawberry.lazy("schema.engagement")] | None = edge(
        "What came of it; null until a practice has used it."
    )
