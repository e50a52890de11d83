"""Which of the agent's people work where: the agent says it, and it only ever narrows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import limits
from tests.engaged import permissions_of
from tests.keys import member_of
from tests.members import active as made_active
from tests.members import assign, can, depart, unassign, version, works_in
from tests.stored import chains_hold, events, rows
from tests.town import Agency, Client, House, Town


@pytest.fixture
async def active(town: Town, elm_street: House, acme: Agency) -> dict[str, Any]:
    return await made_active(town, elm_street, acme, "biller", "auditor")


@pytest.fixture
async def ben(town: Town, acme: Agency) -> Client:
    return await town.member(acme, "ben@acme.example")


async def test_who_is_assigned_can_do_what_the_roles_give_and_nobody_else_can(
    elm_street: House, acme: Agency, active: dict[str, Any], ben: Client
) -> None:
    assert await permissions_of(ben, elm_street) == set()
    done = await assign(acme, active, ben)
    assert (done["engagement"]["status"], done["engagement"]["blockers"]) == ("ACTIVE", [])
    assert "claims.submit" in await permissions_of(ben, elm_street)
    assert await permissions_of(acme.admin, elm_street) == set(), "an admin is assigned like everybody else"
    taken = await unassign(acme, active, ben)
    assert [blocker["code"] for blocker in taken["engagement"]["blockers"]] == ["MEMBER_NOT_ASSIGNED"]
    assert await permissions_of(ben, elm_street) == set()
    assert await version(active) == active["version"] + 2


async def test_a_cap_narrows_and_another_one_replaces_it(
    town: Town, elm_street: House, acme: Agency, active: dict[str, Any], ben: Client
) -> None:
    await assign(acme, active, ben, cap=["auditor"])
    narrow = await permissions_of(ben, elm_street)
    town.clock.advance(minutes=1)
    await assign(acme, active, ben)
    wide = await permissions_of(ben, elm_street)
    assert narrow < wide
    assert "claims.submit" in wide - narrow
    first, second = await events("engagement.member_assigned")
    member = await member_of(acme, ben)
    assert (first["before"], first["after"]) == (
        {"member": member, "assigned": False},
        {"member": member, "assigned": True, "cap": ["auditor"]},
    )
    assert second["before"] == first["after"]
    assert second["after"] == {"member": member, "assigned": True, "cap": None}
    assert [each["cap"] for each in second["snapshot"]["assigned"]] == [None]
    (live,) = await rows("SELECT cap FROM assignments WHERE removed_at IS NULL")
    assert live["cap"] is None


async def test_assigning_the_same_again_and_unassigning_nobody_change_nothing(
    acme: Agency, active: dict[str, Any], ben: Client
) -> None:
    assert (await unassign(acme, active, ben))["__typename"] == "EngagementSuccess"
    await assign(acme, active, ben, cap=["biller", "auditor"])
    again = await assign(acme, active, ben, cap=["auditor", "biller"])
    assert again["engagement"]["version"] == active["version"] + 1
    assert len(await events("engagement.member_assigned")) == 1
    assert await events("engagement.member_unassigned") == []


NOT_ASSIGNED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"cap": []}, "INVALID_INPUT", "cap"),
    ({"cap": ["biller", "biller"]}, "INVALID_INPUT", "cap"),
    ({"cap": ["biller", "manager"]}, "INVALID_INPUT", "cap.1"),
    ({"cap": ["bilker"]}, "UNKNOWN_ROLE", "bilker"),
    ({"memberId": "01975f0e-0000-7000-8000-000000000001"}, "NOT_FOUND", None),
    ({"memberId": "nobody"}, "NOT_FOUND", None),
]


async def test_what_cannot_be_assigned_is_refused(acme: Agency, active: dict[str, Any], ben: Client) -> None:
    for typed, problem, field in NOT_ASSIGNED:
        refused = await assign(acme, active, ben, **typed)
        assert (refused["problem"], refused.get("field", refused.get("role"))) == (problem, field)
    assert await rows("SELECT FROM assignments") == []
    assert await version(active) == active["version"]


async def test_another_agents_member_and_one_who_left_are_not_assigned(
    town: Town, acme: Agency, active: dict[str, Any], ben: Client
) -> None:
    rival = await town.agency("Rival Billing")
    stranger = await assign(acme, active, memberId=await member_of(rival))
    assert stranger["problem"] == "NOT_FOUND"
    await depart(acme, ben)
    left = await assign(acme, active, ben)
    assert (left["problem"], left["field"]) == ("INVALID_INPUT", "memberId")
    assert await rows("SELECT FROM assignments") == []


async def test_the_practice_sees_who_works_for_it_and_does_not_choose_them(
    town: Town, elm_street: House, acme: Agency, active: dict[str, Any], ben: Client
) -> None:
    town.clock.advance(minutes=1)
    await assign(acme, active, ben, cap=["biller"])
    expected = [
        {
            "assignedAt": "2026-11-23T12:01:00Z",
            "cap": [{"key": "biller"}],
            "member": {"id": await member_of(acme, ben), "user": {"name": "Ben"}},
        }
    ]
    for client in (elm_street.owner, acme.admin, ben):
        assert await works_in(client, active) == expected
    practice = Agency(acme.id, elm_street.owner)
    refused = await unassign(practice, active, ben)
    assert (refused["problem"], refused["permission"]) == ("NOT_PERMITTED", "members.assign")
    assert [role["key"] for role in refused["heldBy"]] == ["agent_admin"]
    assert (await assign(Agency(acme.id, ben), active, ben))["problem"] == "NOT_PERMITTED"
    harbour = await town.practice("Harbour Counselling")
    assert (await assign(Agency(acme.id, harbour.owner), active, ben))["problem"] == "NOT_FOUND"


async def test_what_one_member_can_do_is_told_to_both_sides(
    elm_street: House, acme: Agency, active: dict[str, Any], ben: Client
) -> None:
    await assign(acme, active, ben, cap=["auditor"])
    whole, narrow = await can(elm_street.owner, active), await permissions_of(ben, elm_street)
    for client in (elm_street.owner, acme.admin):
        assert await can(client, active, await member_of(acme, ben)) == narrow
        assert await can(client, active, await member_of(acme)) == set()
    assert narrow < whole


async def test_a_cap_with_a_role_that_is_gone_gives_nothing_of_it(
    elm_street: House, acme: Agency, active: dict[str, Any], ben: Client
) -> None:
    await assign(acme, active, ben, cap=["biller"])
    await elm_street.owner.set_roles({**active, "version": active["version"] + 1}, "auditor")
    assert await permissions_of(ben, elm_street) == set()


async def test_nobody_is_assigned_where_the_work_has_ended(
    elm_street: House, acme: Agency, active: dict[str, Any], ben: Client
) -> None:
    await assign(acme, active, ben)
    await elm_street.owner.revoke(active)
    for refused in (await assign(acme, active, ben), await unassign(acme, active, ben)):
        assert (refused["problem"], refused["endReason"]) == ("ENGAGEMENT_ENDED", "REVOKED_BY_PRACTICE")
    assert await works_in(elm_street.owner, active) == []


async def test_an_engagement_has_room_for_so_many_people(
    acme: Agency, active: dict[str, Any], ben: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LIMITS", limits.read({"SPAREKEY_LIMIT_MEMBERS_PER_ENGAGEMENT": "1"}))
    await assign(acme, active, ben)
    full = await assign(acme, active)
    assert (full["problem"], full["field"]) == ("INVALID_INPUT", "memberId")
    assert (await assign(acme, active, ben, cap=["auditor"]))["__typename"] == "EngagementSuccess"


async def test_assigning_beside_a_departure_leaves_nobody_assigned_who_left(
    town: Town, acme: Agency, active: dict[str, Any]
) -> None:
    other = Agency(acme.id, await town.person(acme.admin.email))
    for number in range(4):
        member = await town.member(acme, f"m{number}@acme.example")
        assigned, left = await asyncio.gather(assign(other, active, member), depart(acme, member))
        assert left["__typename"] == "MemberSuccess"
        told = 1 if assigned["__typename"] == "EngagementSuccess" else 0
        assert (assigned.get("field"), left["practicesNotified"]) == (None if told else "memberId", told)
        assert await rows("SELECT FROM assignments WHERE removed_at IS NULL") == []
    assert await chains_hold() > 0


async def test_assigning_one_member_many_times_at_once_makes_one_assignment(
    town: Town, acme: Agency, active: dict[str, Any], ben: Client
) -> None:
    admins = [Agency(acme.id, await town.person(acme.admin.email)) for _ in range(6)]
    answers = await asyncio.gather(*(assign(each, active, ben) for each in admins))
    assert {answer["__typename"] for answer in answers} == {"EngagementSuccess"}
    assert len(await events("engagement.member_assigned")) == 1
    assert len(await rows("SELECT FROM assignments")) == 1
