"""An agent's feed, page by page: everything once, in order, and from where somebody left off."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from authz.life import Party
from models import AgentMember, Engagement
from models.asyncpg_client import AsyncpgClient
from models.connection import Connection, listening, read
from models.listening import CHANNEL
from models.tenancy import Acting, acting_for
from models.unit_of_work import unit_of_work
from operations.record import About, Event, Who, record_all
from resolvers import sources
from resolvers.sources import FeedGrew
from tests.stored import as_owner, rows
from tests.test_unchanged import Asker
from tests.town import Agency, House, Town, build

FEED = """query ($agent: ID!, $after: String, $first: Int) {
    changes(agentId: $agent, after: $after, first: $first) {
        changes { cursor at type engagementId status externalRef } cursor more } }"""


async def feed(agent: Agency, **asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = await agent.admin.ask(FEED, agent=agent.id, **asked)
    return found


async def refused(agent: Agency, **asked: Any) -> tuple[str, str]:
    found = (await agent.admin.refusal(FEED, agent=agent.id, **asked))["extensions"]
    return found["code"], found["field"]


def types(page: dict[str, Any]) -> list[str]:
    return [each["type"] for each in page["changes"]]


async def engaged(town: Town, house: House, agent: Agency, ref: str | None = None) -> dict[str, Any]:
    letters, code = await agent.issue(externalRef=ref)
    found: dict[str, Any] = (await house.owner.connect(house, letters, code, agent))["engagement"]
    return found


async def something_happens(town: Town, house: House, engagement: dict[str, Any], agent: Agency) -> None:
    """To this engagement; in its record and in the feed, and nowhere else."""
    about = About(UUID(house.id), UUID(agent.id), UUID(engagement["id"]))
    by = Who("Somebody", None, Party.PRACTICE, town.policy.digest, town.clock.now)

    async def work(connection: Connection) -> None:
        await record_all(connection, [Event(by, "test.noted", about, "a note")])
        await asyncio.sleep(0.001)

    await unit_of_work(work)


async def test_every_change_of_every_client_comes_once_in_its_order_and_says_where_things_stand_now(
    town: Town, elm_street: House, acme: Agency
) -> None:
    harbour = await town.practice("Harbour Counselling", "SHARED_OFFICE_MEMBER")
    first = await engaged(town, elm_street, acme, "client 17")
    town.clock.advance(minutes=1)
    second = await engaged(town, harbour, acme)
    await elm_street.owner.set_roles(first, "biller")
    await harbour.owner.revoke(second)
    page = await feed(acme)
    assert [(each["type"], each["engagementId"]) for each in page["changes"]] == [
        ("engagement.started", first["id"]),
        ("engagement.started", second["id"]),
        ("engagement.roles_set", first["id"]),
        ("engagement.ended", second["id"]),
    ]
    assert [each["status"] for each in page["changes"]] == ["AWAITING_AGREEMENT", "ENDED"] * 2
    assert [each["externalRef"] for each in page["changes"]] == ["client 17", None] * 2
    assert page["changes"][0]["at"] < page["changes"][1]["at"] == page["changes"][3]["at"]
    assert (page["more"], page["cursor"]) == (False, page["changes"][-1]["cursor"])
    assert types(await feed(await town.agency("Frontdesk"))) == []


async def test_who_goes_on_from_a_cursor_gets_the_rest_and_an_empty_page_says_where_to_go_on(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    await elm_street.owner.set_roles(engagement, "biller")
    await elm_street.owner.revoke(engagement)
    whole = await feed(acme)
    one = await feed(acme, first=1)
    assert (one["changes"], one["more"]) == (whole["changes"][:1], True)
    rest = await feed(acme, after=one["cursor"])
    assert (rest["changes"], rest["more"]) == (whole["changes"][1:], False)
    assert await feed(acme, after=whole["changes"][0]["cursor"]) == rest
    assert await feed(acme, after=rest["cursor"]) == {"changes": [], "cursor": rest["cursor"], "more": False}
    beginning = await feed(newcomer := await town.agency("Frontdesk"))
    again = await town.engage(elm_street, newcomer)
    assert [each["engagementId"] for each in (await feed(newcomer, after=beginning["cursor"]))["changes"]] == [
        again["id"]
    ]


async def test_a_cursor_that_is_not_of_this_feed_or_ahead_of_it_is_refused(
    town: Town, acme: Agency, engagement: dict[str, Any]
) -> None:
    other = await town.agency("Frontdesk")
    cursor = (await feed(acme))["cursor"]
    plain = base64.urlsafe_b64decode(cursor + "==").decode()
    for wrong in (
        "",
        "1",
        cursor + "A",
        _packed(plain + "0" * 30),
        _packed(plain[:-1] + "-1"),
        (await feed(other))["cursor"],
    ):
        assert await refused(acme, after=wrong) == ("INVALID_INPUT", "after"), wrong
    assert await refused(other, after=cursor) == ("INVALID_INPUT", "after")
    assert plain == f"changes 1 {acme.id}:1"
    ahead = await acme.admin.refusal(FEED, agent=acme.id, after=_packed(plain[:-1] + "2"))
    assert ahead["extensions"]["code"] == "INVALID_INPUT"
    assert "ahead of the feed, as it does after the service was restored" in ahead["message"]
    for size in (0, -1, 101):
        assert await refused(acme, first=size) == ("INVALID_INPUT", "first")


def _packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


async def test_of_many_writers_at_once_the_numbers_have_no_gap_and_a_reader_sees_them_in_order(
    town: Town, elm_street: House, acme: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight connections, two practices, one agent; a follower looks all the while, at a few at once."""
    monkeypatch.setattr(sources, "MOST", 3)
    harbour = await town.practice("Harbour Counselling", "SHARED_OFFICE_MEMBER")
    places = [(house, await town.engage(house, acme)) for house in (elm_street, harbour)]
    writers, each = 8, 6

    async def write(number: int) -> None:
        for _ in range(each):
            await something_happens(town, *places[number % 2], acme)

    writing = asyncio.gather(*(write(number) for number in range(writers)))
    seen = await followed(acme, writers * each + 1)
    await writing
    assert seen == list(range(2, writers * each + 3))
    heads = await rows("SELECT number FROM change_heads")
    assert [head["number"] for head in heads] == [seen[-1]]


async def connected() -> None:
    """Wait until this process hears: from then on nobody is woken for no reason."""
    with listening().to("nobody") as woken:
        while not woken.is_set():
            await rows(f"SELECT pg_notify('{CHANNEL}', 'nobody')")
            await asyncio.sleep(0.01)


async def followed(agent: Agency, number: int) -> list[int]:
    """So many numbers of the feed, from its second on."""
    beginning = (await feed(agent, first=1))["changes"][0]["cursor"]
    seen: list[int] = []
    async with aclosing(sources.feed(UUID(agent.id), beginning)) as events, asyncio.timeout(5):
        while len(seen) < number:
            event = await anext(events)
            assert isinstance(event, FeedGrew)
            seen.append(event.row["change_number"])
    return seen


async def test_more_than_is_read_at_once_is_told_without_anything_new(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MOST", 2)
    for _ in range(4):
        await something_happens(town, elm_street, engagement, acme)
    await connected()
    assert await followed(acme, 4) == [2, 3, 4, 5]


async def test_what_is_committed_during_a_look_is_seen_by_the_next_one(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Any] = []

    async def slowly(sql: str, *values: Any) -> Any:
        found = await read(sql, *values)
        if "agent_changes" in sql and not looks:
            looks.append(found)
            await something_happens(town, elm_street, engagement, acme)
            await asyncio.sleep(0.1)  # it is told meanwhile
        return found

    monkeypatch.setattr(sources, "read", slowly)
    await connected()
    assert await followed(acme, 1) == [2]
    assert looks == [[]]


@pytest.fixture
async def plain(town: Town) -> AsyncIterator[Town]:
    """The same town behind an application that remembers nothing."""
    built = build(town.clock, remembers=False)
    yield built
    for client in built.clients:
        await client.http.aclose()
    await built.remembered.close()


async def test_a_feed_asked_again_is_answered_from_memory_until_something_is_new_or_time_makes_it_so(
    town: Town, plain: Town, elm_street: House, acme: Agency, engagement: dict[str, Any], database: AsyncpgClient
) -> None:
    asker = Asker(acme.admin, plain, FEED, agent=acme.id)
    await asker.warm(database)
    before = await asker.ask()
    elsewhere = await town.engage(await town.practice("Harbour Counselling", "SHARED_OFFICE_MEMBER"), acme)
    after = await asker.ask()
    assert before != after
    assert elsewhere["id"].encode() in after
    await asker.warm(database)
    await Engagement.filter(id=engagement["id"]).update(suspended_at=town.clock.now)  # past the feed
    assert b"SUSPENDED" in await asker.ask()
    await Engagement.all().update(suspended_at=None, expires_at=town.clock.now + timedelta(seconds=30))
    await asker.warm(database)
    town.clock.advance(seconds=30)
    assert b"EXPIRED" in await asker.ask()
    await asker.warm(database)
    await as_owner(
        "INSERT INTO agent_changes SELECT gen_random_uuid(), agent_id, number + 1, practice_id, engagement_id, at, 'x'"
        " FROM agent_changes ORDER BY number DESC LIMIT 1"
    )
    assert b'"x"' in await asker.ask()  # noted by the row itself, not by the engagement's


PAGE = """query ($agent: ID!) { agent(id: $agent) { legalName status members(first: 9) { nodes { admin status } }
    engagements(first: 9) { totalCount nodes { status externalRef practice { name } roles { role { key } } } } } }"""


async def test_the_page_of_its_own_agent_is_remembered_too_and_never_a_change_too_long(
    town: Town, plain: Town, elm_street: House, acme: Agency, engagement: dict[str, Any], database: AsyncpgClient
) -> None:
    """For whoever is on nobody's staff, it depends on no practice who sees the agent."""
    asker = Asker(acme.admin, plain, PAGE, agent=acme.id)
    changes: list[Callable[[], Awaitable[object]]] = [
        lambda: elm_street.owner.set_roles(engagement, "biller"),
        lambda: rows("UPDATE practices SET name = 'Other'"),
        lambda: rows("UPDATE agents SET legal_name = 'Other'"),
        lambda: town.member(acme, "max@acme.example"),
        lambda: rows("UPDATE engagements SET suspended_at = now()"),
        lambda: elm_street.owner.revoke(engagement),
        lambda: town.engage(elm_street, acme),
        lambda: town.staff(elm_street, acme.admin.email, "scheduler"),
        lambda: rows("UPDATE agents SET suspended_at = now()"),
        lambda: rows("UPDATE agent_members SET departed_at = now() WHERE admin"),
    ]
    await asker.warm(database)
    seen = [await asker.ask()]
    for change in changes:
        await change()
        seen.append(await asker.ask())
    assert [one == other for one, other in pairwise(seen)] == [False] * 7 + [True] + [False] * 2


async def test_who_departed_reads_nothing_of_the_feed_past_the_application_either(
    town: Town, acme: Agency, engagement: dict[str, Any]
) -> None:
    other = await town.agency("Frontdesk")
    for reader, count in ((acme, 1), (other, 0)):
        with acting_for(Acting(UUID(reader.admin.user_id))):
            assert len(await read("SELECT 1 FROM agent_changes")) == count
    await AgentMember.filter(user_id=acme.admin.user_id).update(departed_at=town.clock.now)
    with acting_for(Acting(UUID(acme.admin.user_id))):
        assert await read("SELECT 1 FROM agent_changes") == []
