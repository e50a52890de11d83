from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import nullcontext
from typing import Any

import asyncpg
import pytest

from operations import idempotency
from tests.changes import WITH_A_KEY, Change, add_staff, connect_agent, issue_token, set_roles
from tests.stored import events, rows
from tests.town import Town, wrong

MUTATIONS = sorted(WITH_A_KEY)
# Whoever handed the practice over may not do so any more, and is told that instead.
LATER = [mutation for mutation in MUTATIONS if mutation != "transferOwnership"]


async def send(mutation: str, change: Change, key: str = "a key", **other: Any) -> Any:
    return await change.client.do(mutation, change.selection, **{**change.typed, **other, "idempotencyKey": key})


async def recorded() -> Counter[str | None]:
    return Counter(event["type"] for event in await events())


@pytest.mark.parametrize("mutation", LATER)
async def test_a_repeated_request_gets_the_first_answer_and_has_no_second_effect(town: Town, mutation: str) -> None:
    change = await WITH_A_KEY[mutation](town)
    first = await send(mutation, change)
    written = len(await events())
    assert first["__typename"].endswith("Success")
    assert await send(mutation, change) == first
    assert len(await events()) == written


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_eight_twins_at_once_have_one_effect_and_one_answer(town: Town, mutation: str) -> None:
    change = await WITH_A_KEY[mutation](town)
    before = await recorded()
    answers = await asyncio.gather(*(send(mutation, change) for _ in range(8)))
    assert answers[0]["__typename"].endswith("Success")
    assert answers == answers[:1] * 8
    assert await recorded() - before == {change.event: 1}
    assert len(await rows("SELECT FROM idempotency_keys")) == 1


async def test_twins_of_a_slow_connection_wait_for_it_and_spend_none_of_its_attempts(
    town: Town, database_url: str
) -> None:
    change = await connect_agent(town)
    elsewhere = await asyncpg.connect(database_url)
    async with elsewhere.transaction():
        await elsewhere.execute("SELECT FROM practices FOR UPDATE")
        twins = asyncio.gather(*(send("connectAgent", change) for _ in range(8)))
        await asyncio.sleep(0.4)  # far longer than eight refusals would take
        assert (await rows("SELECT max(attempts) AS spent FROM connect_tokens"))[0]["spent"] <= 1
    await elsewhere.close()
    answers = await twins
    assert answers[0]["__typename"] == "ConnectAgentSuccess"
    assert answers == answers[:1] * 8


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_twins_that_take_no_turns_have_one_effect_and_one_answer(
    town: Town, mutation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in three processes: the database alone decides."""
    monkeypatch.setattr(idempotency, "_turn", lambda request: nullcontext())
    change = await WITH_A_KEY[mutation](town)
    before = await recorded()
    answers = await asyncio.gather(*(send(mutation, change) for _ in range(3)))
    assert answers[0]["__typename"].endswith("Success")
    assert answers == answers[:1] * 3
    assert await recorded() - before == {change.event: 1}


@pytest.mark.parametrize("mutation", LATER)
async def test_a_key_with_another_input_is_refused_and_changes_nothing(town: Town, mutation: str) -> None:
    change = await WITH_A_KEY[mutation](town)
    await send(mutation, change)
    written = len(await events())
    other = {"practiceId": change.typed["practiceId"]} if mutation == "connectAgent" else {}
    other |= {"reason": "x"} if mutation == "revokeAgent" else change.spoiled
    if mutation not in (
        "verifyAgent",
        "cancelToken",
        "revokeApiKey",
        "cancelInvitation",
        "requestAgreement",
    ):  # their only other input is another object
        assert (await send(mutation, change, **other))["problem"] == "IDEMPOTENCY_CONFLICT"
    founding = {"name": "Elm Street", "kind": "INDEPENDENT_THERAPIST", "incorporated": True, "idempotencyKey": "a key"}
    assert (await change.client.do("createPractice", "", **founding))["problem"] == "IDEMPOTENCY_CONFLICT"
    assert len(await events()) == written


async def test_a_key_belongs_to_its_caller(town: Town) -> None:
    typed = {"name": "Elm Street", "kind": "INDEPENDENT_THERAPIST", "incorporated": False, "idempotencyKey": "a key"}
    for email in ("ann@elm.example", "bob@elm.example"):
        answer = await (await town.person(email)).do("createPractice", "", **typed)
        assert answer["__typename"] == "PracticeSuccess"
    assert len(await rows("SELECT FROM practices")) == 2


async def test_a_key_is_kept_for_24_hours(town: Town) -> None:
    change = await issue_token(town)
    first = await send("issueToken", change)
    for seconds, same in ((86_399, True), (1, False)):
        town.clock.advance(seconds=seconds)
        later = Change(await town.person(change.client.email), change.typed, change.selection, None, {})
        assert (await send("issueToken", later) == first) is same


async def test_the_code_is_shown_again_only_to_who_knows_the_key(town: Town) -> None:
    change = await issue_token(town)
    first = await send("issueToken", change)
    assert (await send("issueToken", change))["code"] == first["code"]
    assert (await send("issueToken", change, key="another"))["code"] != first["code"]


async def test_a_refusal_is_not_kept(town: Town) -> None:
    change = await connect_agent(town)
    refused = await send("connectAgent", change, confirmAgentId=change.typed["practiceId"])
    assert refused["problem"] == "AGENT_CONFIRMATION_MISMATCH"
    assert (await send("connectAgent", change))["__typename"] == "ConnectAgentSuccess"


async def test_a_repeat_is_answered_whatever_has_become_of_its_object(town: Town) -> None:
    change = await set_roles(town)
    engagement = {"id": change.typed["engagementId"], "version": 2}
    await send("setRoles", change)
    await change.client.set_roles(engagement)
    repeated = await send("setRoles", change)
    assert (repeated["engagement"]["version"], repeated["engagement"]["roles"]) == (3, [])
    await change.client.revoke(engagement)
    assert (await send("setRoles", change))["engagement"]["status"] == "ENDED"


async def test_a_repeat_is_answered_after_the_times_in_it_have_passed(town: Town) -> None:
    soon = "2026-11-23T12:10:00Z"
    connect = await connect_agent(town)
    first = await send("connectAgent", connect, expiresAt=soon)
    engagement = first["engagement"]
    typed = {"engagementId": engagement["id"], "expectedVersion": 1, "roles": [{"role": "biller", "expiresAt": soon}]}
    roles = Change(connect.client, typed, "", None, {})
    set_first = await send("setRoles", roles, key="roles")
    town.clock.advance(minutes=11)
    repeated = await send("connectAgent", connect, expiresAt=soon)
    assert repeated["engagement"]["id"] == engagement["id"]
    assert await send("setRoles", roles, key="roles") == set_first


async def test_a_repeat_is_answered_after_the_step_up_has_lapsed(town: Town) -> None:
    change = await add_staff(town)
    first = await send("addStaff", change)
    town.clock.advance(minutes=11)
    assert await send("addStaff", change) == first


async def test_a_repeat_of_connecting_spends_no_attempt(town: Town) -> None:
    change = await connect_agent(town)
    await send("connectAgent", change)
    before = await rows("SELECT letters, attempts, state FROM connect_tokens")
    await send("connectAgent", change)
    assert await rows("SELECT letters, attempts, state FROM connect_tokens") == before
    assert await rows("SELECT FROM attempt_budgets WHERE scope = 'code_user'") == []


async def test_a_key_buys_no_guesses(town: Town) -> None:
    elm, acme = await town.practice(), await town.agency()
    letters, code = await acme.issue()
    for by in range(1, 6):
        refused = await elm.owner.connect(elm, letters, wrong(code, by), acme, idempotencyKey="a key")
        assert refused["problem"] == "TOKEN_REJECTED"
    assert (await rows("SELECT attempts FROM connect_tokens"))[0]["attempts"] == 5


@pytest.mark.parametrize("key", ["", " ", "x" * 129, "a\nb", "a\0b", "\u202eabc"])
async def test_a_malformed_key_is_refused(town: Town, key: str) -> None:
    elm, acme = await town.practice(), await town.agency()
    refused = await elm.owner.connect(elm, "BCDF", "123456789018", acme, idempotencyKey=key)
    assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "idempotencyKey")


async def test_a_permission_that_is_gone_is_gone_for_repeats_too(town: Town) -> None:
    acme = await town.agency()
    typed = {"agentId": acme.id, "idempotencyKey": "a key"}
    assert (await acme.admin.do("issueToken", "", **typed))["__typename"] == "IssueTokenSuccess"
    await rows("UPDATE agent_members SET suspended_at = $1", town.clock.now)
    assert (await acme.admin.do("issueToken", "", **typed))["problem"] == "NOT_PERMITTED"
