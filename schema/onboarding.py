"""What an agent still waits for with its practices: the work list of whoever brings new clients on board."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field

from schema.edges import edge
from schema.engagement import Blocker, Engagement
from schema.kinds import Party
from schema.page import CURSOR, EDGES, NODES, Page
from schema.practice import Practice


@strawberry.type(description="One practice of an agent's in which something is still missing.")
class ClientOnboarding:
    practice: Practice = field(description="The practice.")
    engagement: Engagement = field(description="The engagement with it.")
    external_ref: str | None = field(description="The agent's own client number; null if it gave none.")
    missing: list[Blocker] = field(description="Everything that is missing, the next thing to do first.")
    waiting_for: Party = field(description="Who has to act on the first of them.")
    since: datetime = field(description="Since when the oldest of them has been missing.")


@strawberry.type(description="One practice on a page of the work list.")
class ClientOnboardingEdge:
    cursor: str = field(description=CURSOR)
    node: ClientOnboarding = field(description="The practice and what is missing.")


@strawberry.type(description="One page of the work list, the longest waiting first.")
class ClientOnboardingConnection(Page):
    edges: list[ClientOnboardingEdge] = edge(EDGES)
    nodes: list[ClientOnboarding] = edge(NODES)
