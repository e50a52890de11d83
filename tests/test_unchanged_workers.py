"""Two workers on one database: what one has answered, the other's memory knows before its next answer."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from models.identifier import uuid7
from operations.session import reference_hash
from tests.policy_variants import variant
from tests.policy_workers import Worker, serving

PAGE = """query ($practice: ID!) { practice(id: $practice) { engagements(first: 20) {
    nodes { id version status roles { role { key } } } } } }"""
SET = """mutation ($input: SetRolesInput!) { setRoles(input: $input) { __typename } }"""
REVOKE = """mutation ($input: RevokeAgentInput!) { revokeAgent(input: $input) { __typename } }"""
ROUNDS = 25


class Owner:
    """The owner of the demo's Elm Street, in front of any worker."""

    def __init__(self, practice: str, reference: str) -> None:
        self.practice = practice
        self.cookie = {"Cookie": f"sparekey={reference}"}

    async def ask(self, worker: Worker, document: str, **variables: Any) -> Any:
        body = {"query": document, "variables": variables}
        answer = (await worker.http.post("/graphql", json=body, headers=self.cookie)).json()
        assert "errors" not in answer, answer
        (found,) = answer["data"].values()
        return found

    async def engagements(self, worker: Worker) -> dict[str, Any]:
        page = await self.ask(worker, PAGE, practice=self.practice)
        return {each["id"]: each for each in page["engagements"]["nodes"]}


async def test_what_one_worker_changed_is_in_the_next_answer_of_the_other(own_url: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(serving(own_url, variant(tmp_path / f"set{n}"), tmp_path / f"data{n}"))
            for n in range(2)
        ]
        owner, asking, answered = await elm_s_owner(own_url), True, 0

        async def keep_asking() -> None:
            nonlocal answered
            while asking:
                await owner.engagements(other)
                answered += 1

        askers = [asyncio.create_task(keep_asking()) for _ in range(3)]
        key = next(found["id"] for found in (await owner.engagements(one)).values() if found["version"] == 1)
        for turn in range(ROUNDS):
            roles = [["scheduler"], ["biller", "scheduler"]][turn % 2]
            version = (await owner.engagements(other))[key]["version"]
            typed = {"engagementId": key, "expectedVersion": version, "acknowledgeWarnings": True}
            changed = await owner.ask(one, SET, input=typed | {"roles": [{"role": role} for role in roles]})
            assert changed["__typename"] == "SetRolesSuccess", changed
            found = (await owner.engagements(other))[key]
            assert [grant["role"]["key"] for grant in found["roles"]] == roles, f"stale in round {turn}"
        await owner.ask(one, REVOKE, input={"engagementId": key})
        assert (await owner.engagements(other))[key]["status"] == "ENDED"
        asking = False
        await asyncio.gather(*askers)
        assert answered > ROUNDS  # the page was in memory, again and again, while it changed


async def elm_s_owner(url: str) -> Owner:
    """With an engagement of the demo's front-office worker."""
    reference, now = secrets.token_urlsafe(32), datetime.now(UTC)
    session = await asyncpg.connect(url)
    try:
        (row,) = await session.fetch(
            "SELECT t.user_id, t.practice_id, a.id AS agent_id FROM agents a, staff_members t"
            " JOIN practices p ON p.id = t.practice_id AND p.name = 'Elm Street Therapy'"
            " WHERE 'owner' = ANY (t.roles) AND a.kind = 'front_office_worker'"
        )
        await session.execute(
            "INSERT INTO engagements (id, practice_id, agent_id, purpose, started_at, started_by_id, expires_at)"
            " VALUES ($1, $2, $3, 'contracted_service', $4, $5, $6)",
            *(uuid7(), row["practice_id"], row["agent_id"], now, row["user_id"], now + timedelta(days=9)),
        )
        times = "started_at, last_seen_at, reauthenticated_at, expires_at"
        opened = f"INSERT INTO sessions (id, user_id, reference_hash, {times}) VALUES ($1, $2, $3, $4, $4, $4, $5)"
        until = now + timedelta(days=1)
        await session.execute(opened, uuid7(), row["user_id"], reference_hash(reference), now, until)
    finally:
        await session.close()
    return Owner(str(row["practice_id"]), reference)
