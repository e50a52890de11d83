"""What happened, as the practice's record tells it."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field
from strawberry.scalars import JSON

from schema.edges import edge
from schema.kinds import Party
from schema.node import Node
from schema.page import CURSOR, EDGES, NODES, Page


@strawberry.type(
    description="One change, recorded in the same moment and never altered; or, as `access.denied`, what somebody "
    "tried and was refused, recorded shortly after. Each event carries the hash of the one before, so that a missing "
    "or changed event shows."
)
class AuditEvent(Node):
    at: datetime = field(description="When it happened.")
    type: str = field(description="What happened, as a stable name: `engagement.roles_set`.")
    actor: str = field(description="Who did it: a name, and for whom the person acted.")
    party: Party = field(description="The side that the actor stood on.")
    engagement_id: strawberry.ID | None = field(description="The engagement it concerns; null if none.")
    policy_digest: str = field(description="The policy in force at the time: compare with `Policy.digest`.")
    summary: str = field(description="The change in one plain sentence.")
    before: JSON | None = field(description="What it replaced; null where nothing was there.")
    after: JSON | None = field(description="What it left; null where nothing is there any more.")
    previous_hash: str = field(
        description="The hash of the event before it in the practice's record: 64 hexadecimal digits."
    )
    hash: str = field(description="The hash of this event, 64 hexadecimal digits.")


@strawberry.type(
    description="A signed statement of where a practice's record stood: save it outside. Who has one can prove later "
    "that nothing before it was changed or cut off: `sparekey audit verify --checkpoint FILE`, where the file is this "
    "object as JSON, or `statement` and `signature` of it alone."
)
class AuditCheckpoint:
    practice_id: strawberry.ID = field(description="The practice whose record it is.")
    sequence: int = field(description="The place of the record's last event at the time: 1 is the first.")
    hash: str = field(description="The hash of that event, 64 hexadecimal digits; all before it follows from it.")
    at: datetime = field(description="When it was signed.")
    key_id: str = field(
        description="Which key of `/.well-known/sparekey-audit-keys.json` signed it. Save that key, too: it is how you "
        "know it again."
    )
    statement: str = field(
        description="The exact text that was signed, in UTF-8: JSON with all of the above. Never write it anew."
    )
    signature: str = field(description="Ed25519 (RFC 8032) of `statement` by that key: 64 bytes in base64url.")


@strawberry.type(description="One audit event on a page.")
class AuditEventEdge:
    cursor: str = field(description=CURSOR)
    node: AuditEvent = field(description="The event.")


@strawberry.type(description="One page of audit events.")
class AuditEventConnection(Page):
    edges: list[AuditEventEdge] = edge(EDGES)
    nodes: list[AuditEvent] = edge(NODES)
