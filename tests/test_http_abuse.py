"""After abuse in numbers the server still answers, its pool is full and its memory is bounded."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

import limits
from models.asyncpg_client import AsyncpgClient
from models.unit_of_work import settle
from tests.conftest import all_given_back
from tests.policy_workers import serving
from tests.sockets import HEAD, Caller, behind_uvicorn, callers, leave, posted
from tests.stored import chains_hold, rows
from tests.town import COOKIE, Town

POLICIES = Path(__file__).parent.parent / "policies"
MEGABYTE = 1_000_000
INVITE = "mutation ($input: InviteMemberInput!) { inviteMember(input: $input) { __typename } }"


async def test_a_client_that_goes_away_in_the_middle_of_a_mutation_1000_times_costs_nothing(
    town: Town, database: AsyncpgClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = replace(limits.LIMITS["open_invitations_per_place"], value=2000)
    monkeypatch.setattr(limits, "LIMITS", {**limits.LIMITS, most.name: most})
    acme, chance = await town.agency(), random.Random(7)
    head = b"POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nCookie: %s=%s\r\n" % (
        COOKIE.encode(),
        (acme.admin.reference or "").encode(),
    )

    def invitation(number: int) -> bytes:
        typed = {"agentId": acme.id, "email": f"{number}@acme.example", "name": "Somebody", "admin": False}
        return posted(orjson.dumps({"query": INVITE, "variables": {"input": typed}}), head=head)

    async def ask_and_go(number: int) -> None:
        caller = await Caller.on(port, invitation(number))
        await asyncio.sleep(chance.uniform(0, 0.05))
        await caller.leave()

    async with behind_uvicorn(town.app) as port:
        for first in range(0, 1000, 20):
            await asyncio.gather(*(ask_and_go(number) for number in range(first, first + 20)))
        patient = await Caller.on(port, invitation(1000))
        assert await patient.status() == 200
        assert b"InvitationSuccess" in patient.body
    assert await settle() == 0
    await all_given_back(database)
    made = await rows("SELECT id FROM invitations")
    invited = await rows("SELECT id FROM audit_events WHERE type = 'member.invited'")
    assert len(made) == len(invited)
    assert len(invited) > 1
    assert await chains_hold() > 0


async def test_memory_stays_below_300_megabytes_with_everything_half_sent_that_fits(
    own_url: str, tmp_path: Path
) -> None:
    async with serving(own_url, POLICIES, tmp_path / "data") as worker:
        port = int(worker.http.base_url.port or 0)
        await callers(port, 1000)
        await callers(port, 1000, posted(b" " * 65_000, length=65_536))
        long_headers = await callers(port, 200, HEAD + b"X-Long: " + b"x" * 70_000 + b"\r\n\r\n")
        assert {await each.status() for each in long_headers} <= {400, 431, 0}
        chunks = (b"400\r\n" + b" " * 1024 + b"\r\n") * 70
        endless = await callers(port, 200, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
        assert {await each.status() for each in endless} <= {413, 0}
        await asyncio.sleep(0.5)
        memory = await worker.metric("process_resident_memory_bytes")
        assert (await worker.http.get("/readyz")).status_code == 200
        await leave(long_headers + endless)
    assert 0 < memory < 300 * MEGABYTE
