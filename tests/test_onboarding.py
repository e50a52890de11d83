"""The work list of an agent: what is missing with which practice, who has to act, since when; one statement for all."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from models import Engagement
from models.asyncpg_client import AsyncpgClient
from tests import crowd
from tests.agreed import Parties
from tests.statements import noted
from tests.town import Agency, Client, House, Town

LIST = """
query ($id: ID!, $first: Int, $after: String) { clientOnboarding(agentId: $id, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor }
    nodes {
        practice { id name } engagement { id status version } externalRef waitingFor since
        missing { code message waitingFor since }
    }
} }
"""


async def listed(client: Client, agency: Agency, **asked: Any) -> Any:
    return await client.ask(LIST, id=agency.id, **asked)


def names(found: dict[str, Any]) -> list[str]:
    return [each["practice"]["name"] for each in found["nodes"]]


async def test_the_longest_waiting_practice_is_first_with_what_is_missing_and_who_must_act(
    town: Town, acme: Agency
) -> None:
    all_parties = []
    for name in ("Elm Street", "Oak Street", "Ash Street"):
        house = await town.practice(name)
        all_parties.append(Parties(house, acme, await town.engage(house, acme)))
        await house.owner.set_roles({"id": all_parties[-1].id, "version": 1}, "biller")
        town.clock.advance(minutes=1)
    elm = all_parties[0]
    await elm.sign()
    found = await listed(acme.admin, acme)
    assert (names(found), found["totalCount"]) == (["Elm Street", "Oak Street", "Ash Street"], 3)
    first = found["nodes"][0]
    assert [each["code"] for each in first["missing"]] == ["AGREEMENT_MISSING", "MEMBER_NOT_ASSIGNED"]
    assert (first["waitingFor"], first["since"]) == ("PRACTICE", "2026-11-23T12:00:00Z")
    assert first["missing"][0]["since"] == "2026-11-23T12:03:00Z"
    assert (first["engagement"]["id"], first["engagement"]["status"]) == (elm.id, "AWAITING_AGREEMENT")


async def test_what_is_complete_and_what_has_ended_is_not_on_it(town: Town, elm_street: House) -> None:
    desk = await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")
    engagement = await town.engage(elm_street, desk)
    oak = await town.practice("Oak Street")
    other = await town.engage(oak, desk)
    assert (await listed(desk.admin, desk))["totalCount"] == 2
    await elm_street.owner.set_roles(engagement, "scheduler", acknowledgeWarnings=True)
    assert names(await listed(desk.admin, desk)) == ["Oak Street"]
    await oak.owner.revoke(other)
    found = await listed(desk.admin, desk)
    assert (found["nodes"], found["totalCount"], found["pageInfo"]["endCursor"]) == ([], 0, None)


async def test_the_list_is_true_again_after_time_alone_has_changed_it(town: Town, elm_street: House) -> None:
    """It is kept in memory, and only until something in it changes."""
    desk = await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")
    engagement = await town.engage(elm_street, desk)
    role = {"role": "scheduler", "expiresAt": "2026-11-23T12:05:00Z"}
    await elm_street.owner.set_roles(engagement, role, acknowledgeWarnings=True)
    for _ in range(2):
        assert (await listed(desk.admin, desk))["totalCount"] == 0
    town.clock.advance(minutes=5)
    assert (await listed(desk.admin, desk))["nodes"][0]["missing"][0]["code"] == "NO_ROLES"


async def test_it_is_the_agents_own_list(town: Town, elm_street: House, acme: Agency, engagement: Any) -> None:
    member = await town.member(acme, "mary@acme.example")
    assert (await listed(member, acme))["totalCount"] == 1
    rival = await town.agency("Rival Billing")
    for client, code in (
        (elm_street.owner, "NOT_PERMITTED"),
        (rival.admin, "NOT_FOUND"),
        (await town.operator(), "NOT_PERMITTED"),
    ):
        refused = await client.refusal(LIST, id=acme.id)
        assert refused["extensions"]["code"] == code
    unknown = await acme.admin.refusal(LIST, id="nobody")
    assert unknown["extensions"]["code"] == "NOT_FOUND"


@pytest.fixture
async def people(town: Town) -> crowd.Crowd:
    return await crowd.build(town, 12)


async def test_pages_follow_each_other_without_a_gap_though_some_have_waited_equally_long(
    people: crowd.Crowd,
) -> None:
    agency = Agency(people.agent, people.admin)
    some = await Engagement.filter(agent_id=people.agent, ended_at=None).limit(5)
    await Engagement.filter(id__in=[each.id for each in some]).update(started_at=people.town.clock.now - timedelta(99))
    whole = await listed(people.admin, agency, first=100)
    assert whole["totalCount"] == len(whole["nodes"]) == 12
    order = [(each["since"], each["engagement"]["id"]) for each in whole["nodes"]]
    assert order == sorted(order)
    read, after = [], None
    for number in range(3):
        page = await listed(people.admin, agency, first=5, after=after)
        read += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        assert (page["pageInfo"]["hasNextPage"], page["pageInfo"]["hasPreviousPage"]) == (number < 2, number > 0)
        assert page["edges"][-1]["cursor"] == after
    assert read == whole["nodes"]


async def test_a_cursor_of_nowhere_and_a_page_of_no_size_are_refused(acme: Agency, engagement: Any) -> None:
    good = (await listed(acme.admin, acme))["pageInfo"]["endCursor"]
    for asked in ({"after": "x"}, {"after": good[:-2]}, {"after": "é"}, {"after": ""}, {"first": 0}, {"first": 101}):
        refused = await acme.admin.refusal(LIST, id=acme.id, **asked)
        assert refused["extensions"]["code"] == "INVALID_INPUT"


async def test_it_is_one_statement_whatever_the_number(people: crowd.Crowd, database: AsyncpgClient) -> None:
    agency = Agency(people.agent, people.admin)
    seen = {}
    for size in (1, 12):
        await listed(people.admin, agency, first=size)
        people.town.remembered.changes.anything_may_have()
        async with noted(database) as seen[size]:
            await listed(people.admin, agency, first=size)
        await asyncio.sleep(0)
    assert len(seen[1]) == len(seen[12]) <= 4, seen[12]
    assert sum("LIMIT $2" in each and "FROM engagements e" in each for each in seen[12]) == 1
