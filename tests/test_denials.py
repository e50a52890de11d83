"""Refused attempts in the record: of those who see the practice, a moment later, and never more than a few."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

import limits
from authz.actor import Place
from models.asyncpg_client import AsyncpgClient
from operations import denials
from operations.denials import Denials
from resolvers import denied
from tests.keys import made, program
from tests.statements import noted
from tests.stored import chains_hold, events
from tests.town import Client, House, Town

AUDIT = "query ($id: ID!) { practice(id: $id) { id auditEvents { nodes { type actor party summary after } } } }"
STAFF = "query ($id: ID!) { practice(id: $id) { id staff { totalCount } } }"


@pytest.fixture
async def sam(town: Town, elm_street: House) -> Client:
    """A scheduler, who sees the practice and little of it."""
    return await town.staff(elm_street, "sam@elm.example", "scheduler")


async def refused(client: Client, house: House, document: str = AUDIT) -> None:
    assert (await client.refusal(document, id=house.id))["extensions"]["code"] == "NOT_PERMITTED"


async def written(town: Town) -> list[dict[str, Any]]:
    await town.remembered.denials.write()
    return await events("access.denied")


def set_limit(monkeypatch: pytest.MonkeyPatch, name: str, value: int) -> None:
    known = limits.of
    monkeypatch.setattr(limits, "of", lambda asked: value if asked == name else known(asked))


async def test_a_refused_attempt_is_in_the_record_of_the_practice(town: Town, elm_street: House, sam: Client) -> None:
    await refused(sam, elm_street)
    assert await events("access.denied") == [], "the answer did not wait for it"
    (event,) = await written(town)
    assert (str(event["chain_id"]), str(event["practice_id"])) == (elm_street.id, elm_street.id)
    assert (str(event["actor_user_id"]), event["actor"], event["party"]) == (sam.user_id, "Sam", "practice")
    assert (event["at"], event["policy_digest"]) == (town.clock.now, town.policy.digest)
    since = "2026-11-23T12:00:00.000000Z"
    assert event["after"] == {"permission": "audit.read", "field": "Practice.auditEvents", "count": 1, "since": since}
    assert event["summary"] == "was refused Practice.auditEvents: that takes audit.read"
    seen = (await elm_street.owner.ask(AUDIT, id=elm_street.id))["auditEvents"]["nodes"]
    assert [node["type"] for node in seen][-1] == "access.denied", "the owner sees it without asking for it"
    assert await chains_hold() == 1


async def test_every_way_of_being_refused_is_an_attempt(town: Town, elm_street: House, sam: Client) -> None:
    acme = await town.agency()
    engagement = await town.engage(elm_street, acme)
    (first,) = [event["id"] for event in await events("practice.created")]
    answer = await sam.do("addStaff", "", practiceId=elm_street.id, email="x@elm.example", name="X", roles=["biller"])
    assert answer["problem"] == "NOT_PERMITTED"
    assert (await sam.refusal("query ($id: ID!) { node(id: $id) { id } }", id=str(first)))["extensions"]["code"]
    assert (await sam.http.get(f"/practices/{elm_street.id}/audit.csv")).status_code == 403
    assert (await acme.admin.revoke(engagement))["problem"] == "NOT_PERMITTED"
    await refused(sam, elm_street, STAFF)
    found = await written(town)
    assert [event["party"] for event in found if event["after"]["field"] == "revokeAgent"] == ["agent"]
    assert {(event["after"]["field"], event["after"]["permission"], event["after"]["count"]) for event in found} == {
        ("addStaff", "staff.add", 1),
        ("audit.csv", "audit.read", 2),
        ("Practice.staff", "staff.read", 1),
        ("revokeAgent", "agents.revoke", 1),
    }


async def test_what_is_hidden_and_what_is_no_practices_business_is_no_attempt(town: Town, elm_street: House) -> None:
    harbour, acme = await town.practice("Harbour Counselling"), await town.agency()
    await town.engage(elm_street, acme)
    member = await town.member(acme, "member@acme.example")
    assert await harbour.owner.ask(AUDIT, id=elm_street.id) is None
    assert (await harbour.owner.http.get(f"/practices/{elm_street.id}/audit.csv")).status_code == 404
    assert (await elm_street.owner.do("issueToken", "", agentId=acme.id))["problem"] == "NOT_PERMITTED"
    assert (await member.do("inviteMember", "", agentId=acme.id, email="x@y.example", name="X"))["problem"]
    assert (await town.visitor().send(AUDIT, id=elm_street.id)).status_code == 401
    assert await written(town) == []


async def test_the_key_of_a_program_is_named_with_its_attempt(town: Town, elm_street: House) -> None:
    desk = await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")
    engagement = await town.engage(elm_street, desk)
    key = await made(desk, "tokens.read", "engagements.read", "practice.profile.read")
    caller = program(town, key["secret"])
    assert (await caller.revoke(engagement))["problem"] == "NOT_PERMITTED"
    (event,) = await written(town)
    assert (str(event["actor_api_key_id"]), event["party"]) == (key["id"], "agent")


async def test_what_the_server_asks_by_itself_is_no_attempt(town: Town, elm_street: House, sam: Client) -> None:
    context = await town.context(sam)
    context.request = type(context.request)(sam.credential, "", town.clock.now, "", attended=False)
    assert context.actor is not None
    denied.note(context, "audit.read", Place(frozenset({UUID(elm_street.id)})), "Practice.auditEvents")
    assert await written(town) == []


# --- bounded


async def test_an_hour_is_one_event_and_the_next_one_tells_how_many_came(
    town: Town, elm_street: House, sam: Client
) -> None:
    for _ in range(3):
        await refused(sam, elm_street)
    assert [event["after"]["count"] for event in await written(town)] == [3], "they came together"
    for _ in range(4):
        town.clock.advance(minutes=14, seconds=59)
        await refused(sam, elm_street)
        assert len(await written(town)) == 1
    await refused(sam, elm_street, STAFF)
    assert len(await written(town)) == 2, "another permission is another attempt"
    town.clock.advance(seconds=4)
    await refused(sam, elm_street)
    *_, event = await written(town)
    since = "2026-11-23T12:00:00.000000Z"
    assert event["after"] == {"permission": "audit.read", "field": "Practice.auditEvents", "count": 5, "since": since}
    assert event["summary"] == "was refused Practice.auditEvents, 5 times: that takes audit.read"


async def test_a_worker_that_knows_nothing_of_the_event_writes_no_other(
    town: Town, elm_street: House, sam: Client
) -> None:
    """The record itself is asked, with its end locked: for all workers together, at once and one after the other."""
    actor = (await town.context(sam)).actor
    assert actor is not None
    workers = [Denials(written_after=3600) for _ in range(6)]
    for worker in workers:
        worker.note(actor, UUID(elm_street.id), "audit.read", "Practice.auditEvents")
    await asyncio.gather(*(worker.write() for worker in workers))
    assert len(await events("access.denied")) == 1
    await refused(sam, elm_street)
    assert len(await written(town)) == 1
    assert await chains_hold() == 1


async def test_a_practice_has_only_so_many_in_a_day(
    town: Town, elm_street: House, sam: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_limit(monkeypatch, "denials_practice_day", 3)
    actor = (await town.context(sam)).actor
    assert actor is not None

    async def try_again(**later: float) -> list[dict[str, Any]]:
        town.clock.advance(**later)
        practice, tried = UUID(elm_street.id), actor.at(town.clock.now, "")
        town.remembered.denials.note(tried, practice, "audit.read", "Practice.auditEvents")
        return await written(town)

    for _ in range(5):
        found = await try_again(hours=1)
    assert [event["after"]["count"] for event in found] == [1, 1, 1]
    assert len(await try_again(hours=19, minutes=59, seconds=59)) == 3
    found = await try_again(seconds=1)
    assert [event["after"]["count"] for event in found] == [1, 1, 1, 4], "a day after the first, with all that came"


async def test_a_flood_of_attempts_fills_neither_the_record_nor_the_memory(
    town: Town, elm_street: House, sam: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = (await town.context(sam)).actor
    assert actor is not None
    for n in range(3_000):
        town.remembered.denials.note(actor, UUID(elm_street.id), f"made.up.{n}", "something")
    assert len(town.remembered.denials._counted) == limits.of("denials_remembered")
    assert len(await written(town)) == limits.of("denials_practice_day")
    town.clock.advance(days=1)
    later = actor.at(town.clock.now, "")
    town.remembered.denials.note(later, UUID(elm_street.id), "something.new", "something")
    assert len(await written(town)) == 2 * limits.of("denials_practice_day")


# --- a moment later


async def test_a_refusal_costs_its_request_no_statement(
    town: Town, elm_street: House, sam: Client, database: AsyncpgClient
) -> None:
    await refused(sam, elm_street)
    async with noted(database) as statements:
        await refused(sam, elm_street)
    assert [each for each in statements if "audit" in each or "BEGIN" in each] == []


async def test_they_are_written_by_themselves_and_at_the_latest_when_the_worker_stops(
    town: Town, elm_street: House, sam: Client
) -> None:
    actor = (await town.context(sam)).actor
    assert actor is not None
    quick, slow = Denials(written_after=0.001), Denials(written_after=3600)
    quick.note(actor, UUID(elm_street.id), "audit.read", "something")
    for _ in range(200):
        if await events("access.denied"):
            break
        await asyncio.sleep(0.005)
    slow.note(actor, UUID(elm_street.id), "staff.read", "something")
    await slow.close()
    assert [event["after"]["permission"] for event in await events("access.denied")] == ["audit.read", "staff.read"]
    await quick.close()


async def test_what_could_not_be_written_is_counted_on(
    town: Town, elm_street: House, sam: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await refused(sam, elm_street)
    with monkeypatch.context() as away:
        away.setattr(denials, "_LAST", "SELECT nothing FROM nowhere")
        assert await written(town) == []
    assert "1 refused attempts were not recorded: " in caplog.text
    await refused(sam, elm_street)
    assert [event["after"]["count"] for event in await written(town)] == [2]


async def test_events_are_found_by_type_and_by_who_acted(town: Town, elm_street: House, sam: Client) -> None:
    document = """query ($id: ID!, $type: [String!], $by: ID) { practice(id: $id) {
        auditEvents(type: $type, actorUserId: $by, first: 2) { totalCount nodes { type } pageInfo { hasNextPage } }
    } }"""
    await refused(sam, elm_street)
    await written(town)

    async def found(**asked: Any) -> tuple[int, list[str]]:
        page = (await elm_street.owner.ask(document, id=elm_street.id, **asked))["auditEvents"]
        assert page["pageInfo"]["hasNextPage"] == (page["totalCount"] > 2)
        return page["totalCount"], [node["type"] for node in page["nodes"]]

    every = ["practice.created", "staff.invited", "staff.added", "access.denied"]
    assert await found() == (4, every[:2])
    assert await found(type=["access.denied", "practice.created", "access.denied"]) == (2, [every[0], every[3]])
    assert await found(type=[]) == (0, [])
    assert await found(type=["\x00", "' OR true", "é", "x" * 5000]) == (0, [])
    assert await found(by=sam.user_id) == (2, every[2:])
    assert await found(by=sam.user_id, type=["staff.added"]) == (1, ["staff.added"])
    for nobody in (str(UUID(int=7)), "malformed", ""):
        assert await found(by=nobody) == (0, [])
