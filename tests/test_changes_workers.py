"""Two workers on one database: what one commits is told by the other within a second, whatever happens to the wire."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from models.identifier import uuid7
from operations.session import reference_hash
from tests.conftest import query
from tests.live import CHANGED, ENGAGEMENTS
from tests.policy_variants import variant
from tests.policy_workers import Worker, serving
from tests.test_changes import FEED
from tests.test_event_stream import Stream, streamed
from tests.test_listening import KILL
from tests.test_unchanged_workers import SET, Owner, elm_s_owner

ROUNDS = 6


async def test_what_one_worker_commits_the_other_tells_within_a_second_and_nothing_is_missed(
    own_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(serving(own_url, variant(tmp_path / f"set{n}"), tmp_path / f"data{n}"))
            for n in range(2)
        ]
        owner = await elm_s_owner(own_url)
        partner, agent, engagement = await _partner(own_url, owner)
        start = (await partner.ask(other, FEED, agent=agent))["cursor"]
        feed = await stack.enter_async_context(_stream(other, partner, CHANGED, agent=agent, after=start))
        page = await stack.enter_async_context(_stream(other, owner, ENGAGEMENTS, practice=owner.practice))
        slowest, cursors = 0.0, []
        for turn in range(ROUNDS):
            if turn % 2:
                await query(own_url, KILL)
            changed = await owner.ask(one, SET, input=_roles(engagement, turn))
            assert changed["__typename"] == "SetRolesSuccess", changed
            began = time.monotonic()
            cursors.append((await _told(feed))["cursor"])
            while (await _told(page))["version"] != turn + 2:  # those of the last ten seconds come first
                pass
            slowest = max(slowest, time.monotonic() - began)
        whole = await partner.ask(one, FEED, agent=agent, after=start)
        assert cursors == [each["cursor"] for each in whole["changes"]]
        assert slowest < 1, slowest


def _stream(worker: Worker, who: Owner, document: str, **variables: Any) -> Any:
    reference = who.cookie["Cookie"].partition("=")[2]
    return streamed(worker.http.base_url.port or 0, document, variables, cookie=reference)


async def _told(stream: Stream) -> dict[str, Any]:
    async with asyncio.timeout(5):
        _, result = await stream.event()
    assert "errors" not in result, result
    (value,) = result["data"].values()
    found: dict[str, Any] = value
    return found


def _roles(engagement: str, turn: int) -> dict[str, Any]:
    roles = [["scheduler"], ["biller", "scheduler"]][turn % 2]
    typed = {"engagementId": engagement, "expectedVersion": turn + 1, "acknowledgeWarnings": True}
    return typed | {"roles": [{"role": role} for role in roles]}


async def _partner(url: str, owner: Owner) -> tuple[Owner, str, str]:
    """An admin of the front-office worker, the worker, and its engagement with the owner's practice."""
    reference, now = secrets.token_urlsafe(32), datetime.now(UTC)
    session = await asyncpg.connect(url)
    try:
        (row,) = await session.fetch(
            "SELECT m.user_id, e.agent_id, e.id FROM engagements e JOIN agent_members m ON m.agent_id = e.agent_id"
            " WHERE m.admin AND e.practice_id = $1 AND e.version = 1 AND e.ended_at IS NULL ORDER BY e.id DESC LIMIT 1",
            owner.practice,
        )
        times = "started_at, last_seen_at, reauthenticated_at, expires_at"
        opened = f"INSERT INTO sessions (id, user_id, reference_hash, {times}) VALUES ($1, $2, $3, $4, $4, $4, $5)"
        await session.execute(opened, uuid7(), row["user_id"], reference_hash(reference), now, now + timedelta(days=1))
    finally:
        await session.close()
    return Owner("", reference), str(row["agent_id"]), str(row["id"])
