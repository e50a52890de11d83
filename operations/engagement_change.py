"""The one way to change an engagement: its columns, its version, its event, with a snapshot of what it became.

Whoever changes grants, agreements or assignments calls this last, inside the same transaction, so that the snapshot
shows them and the version counts them. The caller holds the engagement's lock (`operations/facts.hold`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from authz.actor import Access
from models import Engagement
from models.connection import Connection
from operations.facts import Held
from operations.record import About, Event, record_all, who
from operations.snapshot import snapshots

_COUNT_VERSIONS = "UPDATE engagements SET version = version + 1 WHERE id = ANY ($1)"


async def change(
    connection: Connection,
    access: Access,
    held: Held,
    event: str,
    summary: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    columns: Mapping[str, Any] | None = None,
) -> str:
    """Write `columns`, count the version, record one event. Returns the event's hash (64 hex characters)."""
    await Engagement.filter(id=held.id).using_db(connection).update(**columns or {}, version=held.row["version"] + 1)
    about = about_engagement(held)
    return await happened(connection, Event(who(access, about), event, about, summary[:500], before, after))


async def change_all(connection: Connection, events: Sequence[Event]) -> list[str]:
    """Count the version of many engagements, which the caller holds, and record what happened to each."""
    await connection.execute_query_dict(_COUNT_VERSIONS, [[_engagement(event) for event in events]])
    return await all_happened(connection, events)


async def happened(connection: Connection, event: Event) -> str:
    """Record what happened to an engagement. Returns the event's hash."""
    (made,) = await all_happened(connection, [event])
    return made


async def all_happened(connection: Connection, events: Sequence[Event]) -> list[str]:
    """The same for many, each with the snapshot of its engagement as it is now."""
    if not events:
        return []
    found = await snapshots(connection, [_engagement(event) for event in events])
    return await record_all(connection, [replace(event, snapshot=found[_engagement(event)]) for event in events])


def about_engagement(held: Held) -> About:
    return About(held.practice_id, held.agent_id, held.id)


def _engagement(event: Event) -> UUID:
    if event.about.engagement_id is None:
        raise ValueError("the event is about no engagement")
    return event.about.engagement_id
