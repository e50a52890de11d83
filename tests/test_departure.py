"""A member who departs is out everywhere at once, and every practice has it in its record."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from models import Engagement
from tests.engaged import permissions_of
from tests.keys import made, member_of, status
from tests.members import active, assign, can, depart, version
from tests.stored import chains_hold, events, rows
from tests.town import Agency, Client, House, Town

INVITE = "... on InvitationSuccess { code }"


@pytest.fixture
async def ben(town: Town, acme: Agency) -> Client:
    return await town.member(acme, "ben@acme.example")


@pytest.fixture
async def places(town: Town, elm_street: House, acme: Agency, ben: Client) -> list[tuple[House, dict[str, Any]]]:
    """Three practices; Ben works in the first two."""
    houses = [elm_street, await town.practice("Harbour Counselling"), await town.practice("Lake Therapy")]
    found = [(house, await active(town, house, acme, "biller")) for house in houses]
    for _, engagement in found[:2]:
        await assign(acme, engagement, ben)
    return found


async def test_a_departure_cuts_in_every_practice_at_once_and_tells_each(
    acme: Agency, ben: Client, places: list[tuple[House, dict[str, Any]]]
) -> None:
    assert "claims.submit" in await permissions_of(ben, places[0][0])
    before = [await version(engagement) for _, engagement in places]
    answer = await depart(acme, ben)
    member = await member_of(acme, ben)
    assert (answer["practicesNotified"], answer["member"]) == (2, {"id": member, "status": "DEPARTED"})
    for house, _ in places:
        assert await permissions_of(ben, house) == set()
    assert [await version(engagement) for _, engagement in places] == [before[0] + 1, before[1] + 1, before[2]]
    told = await events("engagement.member_departed")
    assert {str(event["chain_id"]) for event in told} == {house.id for house, _ in places[:2]}
    for event in told:
        assert event["after"] == {"member": member, "assigned": False}
        assert (event["snapshot"]["assigned"], event["party"]) == ([], "agent")
    (left,) = await events("member.departed")
    assert str(left["chain_id"]) == acme.id
    assert left["after"]["practices"] == 2
    feed = await rows("SELECT number FROM agent_changes WHERE type = 'engagement.member_departed' ORDER BY number")
    assert len(feed) == 2
    assert await chains_hold() > 0


async def test_keys_tokens_and_invitations_end_with_their_member(town: Town, acme: Agency) -> None:
    eve = await town.member(acme, "eve@acme.example", admin=True)
    key = await made(acme, "tokens.read", "practice.profile.read", member=eve)
    assert await status(town, key["secret"]) == 200
    invited = await eve.do("inviteMember", INVITE, agentId=acme.id, email="new@acme.example", name="New")
    letters, code = await Agency(acme.id, eve).issue()
    assert (await depart(acme, eve))["practicesNotified"] == 0
    assert await status(town, key["secret"]) == 401
    newcomer = await town.person("new@acme.example")
    assert (await newcomer.do("acceptInvitation", "", code=invited["code"]))["problem"] == "INVITATION_REJECTED"
    elm = await town.practice()
    assert (await elm.owner.connect(elm, letters, code, acme))["problem"] == "TOKEN_REJECTED"
    (left,) = await events("member.departed")
    counts = ("api_keys_revoked", "tokens_cancelled", "invitations_cancelled")
    assert [left["after"][each] for each in counts] == [1, 1, 1]
    open_offers = await rows("SELECT FROM invitations WHERE accepted_at IS NULL AND cancelled_at IS NULL")
    live_keys = await rows("SELECT FROM api_keys WHERE revoked_at IS NULL")
    assert (open_offers, live_keys) == ([], [])


async def test_one_who_departed_stays_so_and_may_be_invited_again_to_nothing_of_the_old(
    town: Town, acme: Agency, ben: Client, places: list[tuple[House, dict[str, Any]]]
) -> None:
    await depart(acme, ben)
    town.clock.advance(minutes=1)
    again = await depart(acme, ben)
    assert (again["practicesNotified"], again["member"]["status"]) == (0, "DEPARTED")
    assert len(await events("member.departed")) == 1
    returned = await town.member(acme, ben.email)
    assert await permissions_of(returned, places[0][0]) == set()
    assert (await assign(acme, places[0][1], returned))["__typename"] == "EngagementSuccess"
    assert "claims.submit" in await permissions_of(returned, places[0][0])


async def test_the_last_admin_cannot_depart(town: Town, acme: Agency, ben: Client) -> None:
    refused = await depart(acme, acme.admin)
    assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "memberId")
    eve = await town.member(acme, "eve@acme.example", admin=True)
    await rows("UPDATE users SET disabled_at = now() WHERE id = $1", eve.user_id)
    assert (await depart(acme, acme.admin))["problem"] == "INVALID_INPUT", "a disabled account runs nothing"
    assert await rows("SELECT FROM agent_members WHERE departed_at IS NOT NULL") == []


async def test_an_admin_departs_by_their_own_hand_where_another_one_stays(
    town: Town, elm_street: House, acme: Agency
) -> None:
    """Row-level security lets them write all of it, though they are nobody there afterwards."""
    engagement = await active(town, elm_street, acme, "biller")
    eve = await town.member(acme, "eve@acme.example", admin=True)
    await assign(acme, engagement, eve)
    left = await depart(acme, eve, by=eve)
    assert (left["practicesNotified"], left["member"]["status"]) == (1, "DEPARTED")
    assert (await depart(acme, acme.admin, by=eve))["problem"] == "NOT_FOUND"
    assert await rows("SELECT FROM assignments WHERE removed_at IS NULL") == []
    assert len(await events("engagement.member_departed")) == 1


async def test_of_two_admins_who_depart_each_other_at_once_one_stays(town: Town) -> None:
    for number in range(4):
        agency = await town.agency(f"Agency{number} Billing")
        eve = await town.member(agency, f"eve{number}@acme.example", admin=True)
        await asyncio.gather(depart(agency, eve), depart(agency, agency.admin, by=eve))
        left = await rows("SELECT FROM agent_members WHERE agent_id = $1 AND departed_at IS NOT NULL", agency.id)
        assert len(left) == 1


async def test_one_departure_asked_for_twice_at_once_is_one(
    town: Town, acme: Agency, ben: Client, places: list[tuple[House, dict[str, Any]]]
) -> None:
    other = await town.person(acme.admin.email)
    answers = await asyncio.gather(depart(acme, ben), depart(acme, ben, by=other))
    assert sorted(answer["practicesNotified"] for answer in answers) == [0, 2]
    assert len(await events("member.departed")) == 1


async def test_departing_beside_a_revocation_and_a_suspension_leaves_nothing_half(
    town: Town, acme: Agency, ben: Client, places: list[tuple[House, dict[str, Any]]]
) -> None:
    await Agency(acme.id, ben).issue()
    operator = await town.operator()
    (house, engagement), *_ = places
    left, revoked, stopped = await asyncio.gather(
        depart(acme, ben), house.owner.revoke(engagement), operator.do("suspendAgent", "", agentId=acme.id)
    )
    assert {left["__typename"], revoked["__typename"]} == {"MemberSuccess", "RevokeAgentSuccess"}
    assert stopped["__typename"] == "AgentSuccess"
    assert left["practicesNotified"] == len(await events("engagement.member_departed"))
    assert await rows("SELECT FROM assignments WHERE removed_at IS NULL") == []
    assert await rows("SELECT FROM connect_tokens WHERE state = 'issued'") == []
    assert await chains_hold() > 0


async def test_an_admin_of_a_front_office_worker_works_everywhere_and_is_missed_everywhere(
    town: Town, elm_street: House
) -> None:
    desk = await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")
    engagement = await town.engage(elm_street, desk)
    await elm_street.owner.set_roles(engagement, "scheduler", acknowledgeWarnings=True)
    eve = await town.member(desk, "eve@frontdesk.example", admin=True)
    plain = await town.member(desk, "joe@frontdesk.example")
    assert "schedule.write" in await permissions_of(eve, elm_street)
    assert (await depart(desk, plain))["practicesNotified"] == 0
    seen = await can(elm_street.owner, engagement, await member_of(desk, eve))
    assert (await depart(desk, eve))["practicesNotified"] == 1
    assert await permissions_of(eve, elm_street) == set()
    assert "schedule.write" in seen
    assert await can(elm_street.owner, engagement, await member_of(desk, eve)) == set()


async def test_a_practice_where_the_work_has_ended_is_not_told(
    town: Town, acme: Agency, ben: Client, places: list[tuple[House, dict[str, Any]]]
) -> None:
    """Neither where somebody ended it nor where its time and its days of grace ran out."""
    (house, revoked), (_, lapsed), _ = places
    await house.owner.revoke(revoked)
    long_ago = {"started_at": town.clock.now - timedelta(days=500), "expires_at": town.clock.now - timedelta(days=31)}
    await Engagement.filter(id=lapsed["id"]).update(**long_ago)
    assert (await depart(acme, ben))["practicesNotified"] == 0
    assert await events("engagement.member_departed") == []
    assert await rows("SELECT FROM assignments WHERE removed_at IS NULL") == []


async def test_only_the_agents_admins_depart_people(
    town: Town, elm_street: House, acme: Agency, ben: Client, places: list[tuple[House, dict[str, Any]]]
) -> None:
    refused = await depart(acme, acme.admin, by=ben)
    assert (refused["problem"], refused["permission"]) == ("NOT_PERMITTED", "members.depart")
    rival = await town.agency("Rival Billing")
    for stranger in (elm_street.owner, rival.admin):
        assert (await depart(acme, ben, by=stranger))["problem"] == "NOT_FOUND"
    assert await rows("SELECT FROM agent_members WHERE departed_at IS NOT NULL") == []
