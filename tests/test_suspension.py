"""Stopping for a while: one engagement by the practice or the platform, an agent everywhere by the platform."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from models import Engagement
from tests.engaged import look, permissions_of
from tests.keys import made, status
from tests.members import active, assign, resume, suspend, version
from tests.stored import chains_hold, events, rows
from tests.town import Agency, Client, House, Town

AGENT = "... on AgentSuccess { agent { id status } } ... on InvalidInput { field } ... on NotPermitted { permission }"


@pytest.fixture
async def working(town: Town, elm_street: House, acme: Agency) -> dict[str, Any]:
    """Active, with the admin assigned: `version` is what it is now."""
    engagement = await active(town, elm_street, acme, "biller")
    done = await assign(acme, engagement)
    return {"id": engagement["id"], "version": done["engagement"]["version"]}


def blockers(answer: Any) -> list[tuple[str, str]]:
    return [(each["code"], each["waitingFor"]) for each in answer["engagement"]["blockers"]]


async def test_a_suspended_engagement_gives_nothing_until_it_is_resumed(
    elm_street: House, acme: Agency, working: dict[str, Any]
) -> None:
    before = await permissions_of(acme.admin, elm_street)
    assert "claims.submit" in before
    stopped = await suspend(elm_street.owner, working, working["version"])
    assert (stopped["engagement"]["status"], blockers(stopped)) == ("SUSPENDED", [("SUSPENDED", "PRACTICE")])
    assert await permissions_of(acme.admin, elm_street) == set()
    resumed = await resume(elm_street.owner, working, working["version"] + 1)
    assert (resumed["engagement"]["status"], blockers(resumed)) == ("ACTIVE", [])
    assert await permissions_of(acme.admin, elm_street) == before
    (row,) = await rows("SELECT suspended_at, suspended_by_id, suspend_reason FROM engagements")
    assert set(row.values()) == {None}
    (first,), (second,) = await events("engagement.suspended"), await events("engagement.resumed")
    assert first["after"] == {"suspended": True, "by_platform": False, "reason": "holidays"}
    assert (first["snapshot"]["suspended_at"] is None, second["snapshot"]["suspended_at"]) == (False, None)


async def test_stopping_what_is_stopped_and_resuming_what_runs_change_nothing(
    elm_street: House, working: dict[str, Any], mia: Client
) -> None:
    now = working["version"]
    assert (await resume(mia, working, now))["engagement"]["version"] == now
    await suspend(elm_street.owner, working, now)
    again = await suspend(mia, working, now + 1, reason="another reason")
    assert again["engagement"]["version"] == now + 1
    (row,) = await rows("SELECT suspend_reason, suspended_by_id::text FROM engagements")
    assert row == {"suspend_reason": "holidays", "suspended_by_id": elm_street.owner.user_id}
    assert (len(await events("engagement.suspended")), await events("engagement.resumed")) == (1, [])


async def test_what_the_platform_stops_only_the_platform_resumes(
    town: Town, elm_street: House, acme: Agency, working: dict[str, Any]
) -> None:
    operator, now = await town.operator(), working["version"]
    await suspend(elm_street.owner, working, now)
    stopped = await suspend(operator, working, now + 1, reason="fraud")
    assert blockers(stopped) == [("SUSPENDED", "PLATFORM")]
    assert stopped["engagement"]["blockers"][0]["message"] == "the platform has suspended the engagement"
    same = await suspend(elm_street.owner, working, now + 2, reason="so do we")
    assert (same["engagement"]["version"], blockers(same)) == (now + 2, [("SUSPENDED", "PLATFORM")])
    refused = await resume(elm_street.owner, working, now + 2)
    assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "engagementId")
    assert await version(working) == now + 2
    lifted = await resume(operator, working, now + 2)
    assert lifted["engagement"]["status"] == "ACTIVE"
    assert [event["party"] for event in await events("engagement.suspended")] == ["practice", "platform"]
    assert await suspend(elm_street.owner, working, now + 3)
    (row,) = await rows("SELECT suspended_by_platform FROM engagements")
    assert row["suspended_by_platform"] is False


async def test_resuming_does_not_decide_an_overdue_review(
    town: Town, elm_street: House, working: dict[str, Any]
) -> None:
    long_ago = town.clock.now - timedelta(days=400)
    await suspend(elm_street.owner, working, working["version"])
    await Engagement.filter(id=working["id"]).update(reviewed_at=long_ago, started_at=long_ago)
    resumed = await resume(elm_street.owner, working, working["version"] + 1)
    assert (resumed["engagement"]["status"], blockers(resumed)) == ("SUSPENDED", [("REVIEW_OVERDUE", "PRACTICE")])


async def test_a_suspension_against_an_old_version_or_without_a_reason_is_refused(
    elm_street: House, working: dict[str, Any]
) -> None:
    stale = await suspend(elm_street.owner, working, 1)
    assert (stale["problem"], stale["current"]["version"]) == ("STALE_VERSION", working["version"])
    for reason in ("", "x" * 501, "a\nb"):
        refused = await suspend(elm_street.owner, working, working["version"], reason=reason)
        assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "reason")
    await elm_street.owner.revoke(working)
    assert (await suspend(elm_street.owner, working, working["version"]))["problem"] == "ENGAGEMENT_ENDED"
    assert (await resume(elm_street.owner, working, working["version"]))["problem"] == "ENGAGEMENT_ENDED"


async def test_neither_the_agent_nor_a_clerk_suspends(
    town: Town, elm_street: House, acme: Agency, working: dict[str, Any]
) -> None:
    clerk = await town.staff(elm_street, "clerk@elm.example", "scheduler")
    assert (await suspend(acme.admin, working, working["version"]))["permission"] == "agents.suspend"
    assert (await suspend(clerk, working, working["version"]))["problem"] == "NOT_PERMITTED"
    harbour = await town.practice("Harbour Counselling")
    assert (await suspend(harbour.owner, working, working["version"]))["problem"] == "NOT_FOUND"


async def test_suspending_beside_setting_roles_with_one_version_is_one_of_the_two(
    town: Town, elm_street: House, working: dict[str, Any], mia: Client
) -> None:
    for _ in range(3):
        now = await version(working)
        role = "auditor" if now % 2 else "biller"
        stopped, set_ = await asyncio.gather(
            suspend(elm_street.owner, working, now),
            mia.set_roles({**working, "version": now}, role, acknowledgeWarnings=True),
        )
        kinds = {stopped["__typename"], set_["__typename"]}
        assert kinds in ({"EngagementSuccess", "StaleVersion"}, {"StaleVersion", "SetRolesSuccess"})
        assert await version(working) == now + 1
        await resume(elm_street.owner, working, now + 1)
    assert await chains_hold() > 0


# --- an agent


async def test_a_suspended_agent_is_stopped_in_every_practice_and_each_is_told(
    town: Town, elm_street: House, acme: Agency, working: dict[str, Any]
) -> None:
    harbour, lake = await town.practice("Harbour Counselling"), await town.practice("Lake Therapy")
    await active(town, harbour, acme, "biller")
    ended = await town.engage(lake, acme)
    await lake.owner.revoke(ended)
    key = await made(acme, "tokens.read", "practice.profile.read")
    letters, code = await acme.issue()
    operator = await town.operator()
    stopped = await operator.do("suspendAgent", AGENT, agentId=acme.id)
    assert stopped["agent"]["status"] == "SUSPENDED"
    assert await permissions_of(acme.admin, elm_street) == set()
    assert await status(town, key["secret"]) == 401
    assert (await lake.owner.connect(lake, letters, code, acme))["problem"] == "TOKEN_REJECTED"
    assert (await acme.admin.do("issueToken", "", agentId=acme.id))["problem"] == "AGENT_NOT_ACTIVE"
    seen = await look(elm_street.owner, working)
    assert (seen["status"], seen["version"]) == ("SUSPENDED", working["version"] + 1)
    assert [each["code"] for each in seen["blockers"]] == ["AGENT_SUSPENDED"]
    told = await events("engagement.agent_suspended")
    assert {str(event["chain_id"]) for event in told} == {elm_street.id, harbour.id}
    assert all(event["snapshot"]["agent_suspended_at"] for event in told)
    (own,) = await events("agent.suspended")
    assert own["after"] == {"suspended": True, "tokens_cancelled": 1, "practices": 2}
    assert {event["party"] for event in [*told, own]} == {"platform"}


async def test_a_resumed_agent_has_what_it_had_but_not_its_tokens(
    town: Town, elm_street: House, acme: Agency, working: dict[str, Any]
) -> None:
    before, operator = await permissions_of(acme.admin, elm_street), await town.operator()
    letters, code = await acme.issue()
    await operator.do("suspendAgent", AGENT, agentId=acme.id)
    for _ in range(2):
        resumed = await operator.do("resumeAgent", AGENT, agentId=acme.id)
        assert resumed["agent"]["status"] == "ACTIVE"
    assert await permissions_of(acme.admin, elm_street) == before
    lake = await town.practice("Lake Therapy")
    assert (await lake.owner.connect(lake, letters, code, acme))["problem"] == "TOKEN_REJECTED"
    (told,) = await events("engagement.agent_resumed")
    assert told["snapshot"]["agent_suspended_at"] is None
    assert len(await events("agent.resumed")) == 1
    assert await chains_hold() > 0


async def test_an_agent_suspended_by_two_operators_at_once_is_suspended_once(
    town: Town, acme: Agency, working: dict[str, Any]
) -> None:
    first, second = await town.operator(), await town.person("other@sparekey.example", operator=True)
    for mutation, event in (("suspendAgent", "agent_suspended"), ("resumeAgent", "agent_resumed")):
        done = await asyncio.gather(*(each.do(mutation, AGENT, agentId=acme.id) for each in (first, second)))
        assert {answer["__typename"] for answer in done} == {"AgentSuccess"}
        assert len(await events(f"engagement.{event}")) == 1
    assert await chains_hold() > 0


async def test_only_an_operator_suspends_an_agent_and_not_a_closed_one(
    town: Town, elm_street: House, acme: Agency, working: dict[str, Any]
) -> None:
    for client in (acme.admin, elm_street.owner):
        for mutation in ("suspendAgent", "resumeAgent"):
            assert (await client.do(mutation, AGENT, agentId=acme.id))["permission"] == "agents.suspend_account"
    await rows("UPDATE agents SET closed_at = now() WHERE id = $1", acme.id)
    operator = await town.operator()
    for mutation in ("suspendAgent", "resumeAgent"):
        assert (await operator.do(mutation, AGENT, agentId=acme.id))["field"] == "agentId"
    assert await events("agent.suspended") == []


async def test_an_agent_suspended_while_it_is_connected_is_told_to_the_new_practice_either_way(
    town: Town, acme: Agency
) -> None:
    operator = await town.operator()
    for number in range(4):
        house = await town.practice(f"House{number} Therapy")
        letters, code = await acme.issue()
        connected, _ = await asyncio.gather(
            house.owner.connect(house, letters, code, acme), operator.do("suspendAgent", AGENT, agentId=acme.id)
        )
        recorded = [event for event in await events() if str(event["chain_id"]) == house.id and event["snapshot"]]
        if connected["__typename"] == "ConnectAgentSuccess":
            assert recorded[-1]["snapshot"]["agent_suspended_at"] is not None
        else:
            assert (connected["problem"], recorded) == ("TOKEN_REJECTED", [])
        await operator.do("resumeAgent", AGENT, agentId=acme.id)
    assert await chains_hold() > 0
