"""A server killed in the middle of its work, again and again: what it had answered is there, and nothing by half.

`make prove` plays it for twelve rounds; `make test` for two.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import orjson

from models.identifier import uuid7
from operations.record import GENESIS, event_hash
from operations.session import reference_hash
from tests.policy_variants import variant
from tests.policy_workers import Worker, serving

ROUNDS = int(os.environ.get("KILLS", "2"))
SET = """mutation ($input: SetRolesInput!) { setRoles(input: $input) {
    __typename ... on SetRolesSuccess { engagement { version } } ... on Problem { message } } }"""
ROLES: tuple[list[str], ...] = (["scheduler"], ["biller", "scheduler"], [])


@dataclass
class Desk:
    """One engagement, changed by one client who waits for each answer; `version` is the last that was answered."""

    key: str
    cookie: dict[str, str]
    version: int = 1
    answered: list[dict[str, Any]] = field(default_factory=list)
    asked: dict[str, Any] | None = None  # sent, and not answered

    async def work(self, worker: Worker) -> None:
        """Until the server is gone."""
        while True:
            roles = ROLES[self.version % len(ROLES)]
            typed = {"roles": [{"role": role} for role in roles], "expectedVersion": self.version}
            self.asked = {
                "engagementId": self.key,
                "acknowledgeWarnings": True,
                **typed,
                "idempotencyKey": str(uuid7()),
            }
            try:
                self.hear(await self.send(worker, self.asked))
            except httpx2.TransportError:
                return

    async def send(self, worker: Worker, typed: dict[str, Any]) -> int:
        answer = await worker.http.post(
            "/graphql", json={"query": SET, "variables": {"input": typed}}, headers=self.cookie
        )
        found = answer.json()["data"]["setRoles"]
        assert found["__typename"] == "SetRolesSuccess", found
        return int(found["engagement"]["version"])

    def hear(self, version: int) -> None:
        assert self.asked is not None
        assert version == self.version + 1
        self.version, self.asked = version, None
        self.answered.append({"version": version})

    async def come_back(self, worker: Worker) -> None:
        """The request without an answer is sent again with its key: done once, whether it was done before or not."""
        if self.asked is not None:
            self.hear(await self.send(worker, self.asked))


async def test_what_was_answered_survives_every_kill_and_nothing_is_done_by_half(own_url: str, tmp_path: Path) -> None:
    policies, chance = variant(tmp_path / "set"), random.Random(6)
    desks: list[Desk] = []
    for turn in range(ROUNDS + 1):
        async with serving(own_url, policies, tmp_path / f"data{turn}") as worker:
            desks = desks or await desks_of_elm_street(own_url)
            await asyncio.gather(*(desk.come_back(worker) for desk in desks))
            await holds(own_url, desks)
            working = [asyncio.create_task(desk.work(worker)) for desk in desks]
            await asyncio.sleep(chance.uniform(0.05, 0.6))
            worker.process.kill()
            await asyncio.gather(*working)
    assert sum(len(desk.answered) for desk in desks) > 5 * ROUNDS


async def holds(url: str, desks: list[Desk]) -> None:
    """Everybody who has an answer looks: versions, grants, record and feed say the same."""
    session = await asyncpg.connect(url)
    try:
        events = [dict(row) for row in await session.fetch("SELECT * FROM audit_events ORDER BY chain_id, sequence")]
        heads = {row["chain_id"]: (row["sequence"], row["hash"]) for row in await session.fetch("TABLE audit_heads")}
        feed = await session.fetch("SELECT * FROM agent_changes ORDER BY agent_id, number")
        ends = {row["agent_id"]: row["number"] for row in await session.fetch("TABLE change_heads")}
        rows = await session.fetch(
            "SELECT e.id, version, ARRAY(SELECT role FROM role_grants g WHERE g.engagement_id = e.id"
            " AND removed_at IS NULL ORDER BY role) AS roles FROM engagements e"
        )
    finally:
        await session.close()
    chains_hold(events, heads)
    told = [row["id"] for row in feed]
    assert sorted(told) == sorted(event["id"] for event in events if event["engagement_id"] and event["agent_id"])
    numbers: Counter[Any] = Counter()
    for row in feed:
        numbers[row["agent_id"]] += 1
        assert row["number"] == numbers[row["agent_id"]], "a number of the feed is missing"
    assert ends == dict(numbers)
    stored = {str(row["id"]): row for row in rows}
    last = {str(event["engagement_id"]): event for event in events if event["type"] == "engagement.roles_set"}
    for desk in desks:
        row = stored[desk.key]
        assert row["version"] == desk.version, "what was answered is not what is stored"
        if desk.version > 1:
            assert orjson.loads(last[desk.key]["after"])["roles"] == row["roles"], "a change is there by half"


def chains_hold(events: list[dict[str, Any]], heads: dict[Any, tuple[int, str]]) -> None:
    ends: dict[Any, tuple[int, str]] = {}
    for event in events:
        sequence, previous = ends.get(event["chain_id"], (0, GENESIS))
        assert (event["sequence"], event["previous_hash"]) == (sequence + 1, previous)
        plain = event | {name: orjson.loads(event[name] or "null") for name in ("before", "after", "snapshot")}
        assert event["hash"] == event_hash(plain)
        ends[event["chain_id"]] = (event["sequence"], event["hash"])
    assert heads == ends


async def desks_of_elm_street(url: str) -> list[Desk]:
    """Six new front-office workers at the demo's Elm Street, each changed by its owner in a browser of its own."""
    session = await asyncpg.connect(url)
    try:
        (owner,) = await session.fetch(
            "SELECT t.user_id, t.practice_id FROM staff_members t WHERE 'owner' = ANY (t.roles) ORDER BY 1 LIMIT 1"
        )
        return [await _desk(session, owner) for _ in range(6)]
    finally:
        await session.close()


async def _desk(session: asyncpg.Connection, owner: asyncpg.Record) -> Desk:
    key, agent, now, reference = uuid7(), uuid7(), datetime.now(UTC), secrets.token_urlsafe(32)
    later = now + timedelta(days=1)
    await session.execute(
        "INSERT INTO agents (id, kind, legal_name, address, city, phone, email, registered_at, registered_by_id,"
        " verified_at) VALUES ($1, 'front_office_worker', 'Front Desk', '-', '-', '-', '-', $2, $3, $2)",
        *(agent, now, owner["user_id"]),
    )
    await session.execute(
        "INSERT INTO engagements (id, practice_id, agent_id, purpose, started_at, started_by_id, expires_at)"
        " VALUES ($1, $2, $3, 'contracted_service', $4, $5, $6)",
        *(key, owner["practice_id"], agent, now, owner["user_id"], later),
    )
    await session.execute(
        "INSERT INTO sessions (id, user_id, reference_hash, started_at, last_seen_at, reauthenticated_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $4, $4, $5)",
        *(uuid7(), owner["user_id"], reference_hash(reference), now, later),
    )
    return Desk(str(key), {"Cookie": f"sparekey={reference}"})
