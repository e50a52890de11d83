"""Who could do what on an earlier day."""

from __future__ import annotations

import strawberry
from strawberry import field

from schema.agent import AgentMember
from schema.edges import edge
from schema.engagement import Engagement
from schema.kinds import EngagementStatus
from schema.node import Row


@strawberry.type(description="One of the agent's people who worked there then.")
class HistoricalPerson:
    row: Row
    permissions: list[strawberry.ID] = field(description="The keys of what this person could do in the practice.")
    member: AgentMember = edge("The person, as they are today.")


@strawberry.type(
    description="One engagement as it stood at an earlier instant, worked out from the practice's record and from the "
    "policy that was in force then. What has changed since plays no part."
)
class HistoricalAccess:
    row: Row
    status: EngagementStatus = field(description="Where it stood.")
    roles: list[strawberry.ID] = field(description="The keys of the roles that gave something, in alphabetical order.")
    permissions: list[strawberry.ID] = field(
        description="The keys of the widest that anybody of the agent could do; empty unless it was ACTIVE."
    )
    people: list[HistoricalPerson] = field(
        description="Who of the agent was assigned, with what each could do. A front-office worker is its own member "
        "and not named."
    )
    policy_digest: str = field(description="The policy that was in force then: see `Policy.digest`.")
    engagement: Engagement = edge("The engagement, as it is today.")
