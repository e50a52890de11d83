"""The practice: the tenant that owns its staff, its engagements and its record."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry import UNSET, field

from schema.agent import engagements_by_status
from schema.audit import AuditCheckpoint, AuditEventConnection
from schema.edges import After, Before, First, Last, edge, follow
from schema.engagement import EngagementConnection
from schema.kinds import PracticeKind
from schema.node import Node
from schema.page import CURSOR, EDGES, NODES, Page
from schema.person import StaffMemberConnection
from schema.staff import staff_by_training

if TYPE_CHECKING:
    from schema.invitation import Invitation
    from schema.review import Review

OfEngagement = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Only events that concern this engagement; all when left out."),
]
OfTypes = Annotated[
    list[str] | None,
    strawberry.argument(
        name="type",
        description="Only events of these types, for example `engagement.ended` or `access.denied`; all when left out.",
    ),
]
ByUser = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Only what this user did or tried, in person or by a key; all when left out."),
]
Since = Annotated[datetime | None, strawberry.argument(description="Only events at or after this instant.")]
Open = Annotated[
    bool | None,
    strawberry.argument(description="True: those that wait for a decision. False: those that were decided."),
]
Until = Annotated[datetime | None, strawberry.argument(description="Only events before this instant.")]


async def _audit_events(
    root: Any,
    info: strawberry.Info,
    first: First = UNSET,
    after: After = UNSET,
    last: Last = UNSET,
    before: Before = UNSET,
    engagement_id: OfEngagement = UNSET,
    since: Since = UNSET,
    until: Until = UNSET,
    types: OfTypes = UNSET,
    actor_user_id: ByUser = UNSET,
) -> Any:
    page = {"first": first, "after": after, "last": last, "before": before}
    asked = {"engagement_id": engagement_id, "types": types, "actor_user_id": actor_user_id}
    return await follow(root, info, **page, **asked, since=since, until=until)


async def _reviews(root: Any, info: strawberry.Info, open: Open = True) -> Any:
    return await follow(root, info, open=open)


@strawberry.type(description="A therapy practice. It lets agents in, says what they can do, and takes it back.")
class Practice(Node):
    along: strawberry.Private[Any] = dataclasses.field(default=None, repr=False, compare=False)  # read with its row
    name: str = field(description="The name clients know it by.")
    kind: PracticeKind = field(description="How it is organised.")
    incorporated: bool = field(description="Whether it is a corporation or a similar legal body.")
    staff: StaffMemberConnection = edge(
        "Its own people, in the order in which they were added; those removed are not among them.",
        requires="staff.read",
        resolver=staff_by_training,
    )
    invitations: list[Annotated[Invitation, strawberry.lazy("schema.invitation")]] = edge(
        "Its open invitations to join the staff, newest first.", requires="staff.read"
    )
    engagements: EngagementConnection = edge(
        "Its arrangements with outside agents, in the order in which they began, the ended ones included.",
        requires="engagements.read",
        resolver=engagements_by_status,
    )
    reviews: list[Annotated[Review, strawberry.lazy("schema.review")]] = edge(
        "The reviews of its agents' access: the open ones by the day on which they are due, or the last 100 decided "
        "ones, the newest first.",
        requires="agents.review",
        resolver=_reviews,
    )
    audit_events: AuditEventConnection = edge(
        "Everything that was changed in the practice, and what people who see it were refused (`access.denied`), the "
        "oldest first: use `last` for the newest. As a file: GET `/practices/{id}/audit.jsonl` or `audit.csv`.",
        requires="audit.read",
        resolver=_audit_events,
    )
    audit_checkpoint: AuditCheckpoint = edge(
        "A signed statement of where the practice's record stands now, to keep outside.", requires="audit.read"
    )


@strawberry.type(description="One practice on a page.")
class PracticeEdge:
    cursor: str = field(description=CURSOR)
    node: Practice = field(description="The practice.")


@strawberry.type(description="One page of practices.")
class PracticeConnection(Page):
    edges: list[PracticeEdge] = edge(EDGES)
    nodes: list[Practice] = edge(NODES)
