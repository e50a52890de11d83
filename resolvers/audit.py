"""A practice's record: the events that somebody looks for, and a checkpoint of where it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from authz.actor import Place
from errors import NotFound, NotPermitted, NotSignedIn
from models.connection import Row
from models.identifier import parse
from operations.checkpoint import sign
from operations.record import GENESIS
from resolvers import denied, objects
from resolvers.audit_rows import Head, head
from resolvers.connections import connection
from resolvers.context import Context
from resolvers.edges import edge
from resolvers.lists import Condition, Listing, Selection
from schema.audit import AuditCheckpoint, AuditEvent, AuditEventConnection, AuditEventEdge
from schema.practice import Practice

AUDIT_EVENTS = Listing("audit", "v.*", "audit_events v", "v.sequence", "v.chain_id")
READING = ("practice.profile.read", "audit.read")
NOBODY = UUID(int=0)  # whose id is malformed
_TYPE = re.compile(r"[a-z_.]{1,64}")


@edge(Practice, "audit_events")
async def audit_events(
    context: Context,
    practice: Practice,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
    **sought: Any,
) -> AuditEventConnection:
    """The practice's chain. An engagement id that is not the practice's matches nothing."""
    selection = Selection(AUDIT_EVENTS, UUID(practice.id), tuple(_conditions(**sought)))
    node: Callable[[Row], AuditEvent] = objects.audit_event
    asked = {"first": first, "after": after, "last": last, "before": before, "key": int}
    return await connection(context, selection, asked, (AuditEventConnection, AuditEventEdge, node))


def _conditions(
    engagement_id: str | None,
    types: list[str] | None,
    actor_user_id: str | None,
    since: datetime | None,
    until: datetime | None,
) -> Iterator[Condition]:
    """Nothing has a malformed id or type, and so nothing is found for one."""
    wanted = (
        ("v.engagement_id = %s", _id(engagement_id)),
        ("v.type = ANY (%s)", None if types is None else tuple(sorted(filter(_TYPE.fullmatch, set(types))))),
        ("v.actor_user_id = %s", _id(actor_user_id)),
        ("v.at >= %s", since),
        ("v.at < %s", until),
    )
    return (Condition(sql, (value,)) for sql, value in wanted if value is not None)


def _id(typed: str | None) -> UUID | None:
    return None if typed is None else parse(typed) or NOBODY


def readable(context: Context, typed: str, way: str) -> UUID:
    """The practice with this id, if the caller may read its record: as it is asked for `practice { auditEvents }`.

    `way`: how it is read, for the record of refused attempts. Refuses, first match wins: NotSignedIn, NotFound (no such
    id, or hidden), NotPermitted.
    """
    if context.actor is None:
        raise NotSignedIn
    key = parse(typed)
    if key is None:
        raise NotFound
    place = Place(frozenset({key}))
    for permission in READING:
        try:
            context.actor.access(permission, place)
        except NotPermitted:
            denied.note(context, permission, place, way)
            raise
    return key


@edge(Practice, "audit_checkpoint")
async def audit_checkpoint(context: Context, practice: Practice) -> AuditCheckpoint:
    found = await head(UUID(practice.id)) or Head(0, GENESIS)
    signed = sign(UUID(practice.id), found.sequence, found.hash, context.now)
    return AuditCheckpoint(
        practice_id=strawberry.ID(str(signed.chain_id)),
        sequence=signed.sequence,
        hash=signed.hash,
        at=signed.at,
        key_id=signed.key_id,
        statement=signed.statement,
        signature=signed.signature,
    )
