from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.stored import chains_hold, events, rows
from tests.timed import at, look, renew
from tests.town import Agency, Client, House, Town

SOONER, LATER = "2027-01-01T00:00:00Z", "2028-06-01T00:00:00Z"  # than the end that connecting gave


async def test_renewing_gives_another_end_and_says_so_on_both_sides(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    renewed = (await renew(elm_street.owner, engagement, LATER, autoExtend=True))["engagement"]
    assert (renewed["expiresAt"], renewed["autoExtend"], renewed["version"]) == (LATER, True, 2)
    (event,) = await events("engagement.renewed")
    assert event["before"] == {"expires_at": "2027-11-23T12:00:00+00:00", "auto_extend": False, "version": 1}
    assert event["after"] == {"expires_at": "2028-06-01T00:00:00+00:00", "auto_extend": True, "version": 2}
    assert event["snapshot"]["expires_at"] == "2028-06-01T00:00:00+00:00"
    (told,) = await rows("SELECT type FROM agent_changes ORDER BY number DESC LIMIT 1")
    assert told["type"] == "engagement.renewed"
    assert await chains_hold() > 0


async def test_an_end_may_come_sooner_too(elm_street: House, engagement: dict[str, Any]) -> None:
    renewed = (await renew(elm_street.owner, engagement, SOONER))["engagement"]
    assert (renewed["expiresAt"], renewed["autoExtend"]) == (SOONER, False)


async def test_the_end_there_is_already_changes_nothing(elm_street: House, engagement: dict[str, Any]) -> None:
    for typed in ({}, {"autoExtend": False}, {"autoExtend": None}):
        same = (await renew(elm_street.owner, engagement, "2027-11-23T12:00:00Z", **typed))["engagement"]
        assert same["version"] == 1
    assert await events("engagement.renewed") == []


async def test_the_end_that_an_extension_brought_is_the_one_there_is(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    extending = (await renew(elm_street.owner, engagement, LATER, autoExtend=True))["engagement"]
    owner = await at(town, "2028-06-02T00:00:00Z", elm_street.owner)
    assert (await look(owner, extending))["expiresAt"] == "2029-06-01T00:00:00Z"
    assert (await renew(owner, extending, "2029-06-01T00:00:00Z"))["engagement"]["version"] == 2
    stopped = (await renew(owner, extending, "2029-06-01T00:00:00Z", autoExtend=False))["engagement"]
    assert (stopped["expiresAt"], stopped["autoExtend"], stopped["version"]) == ("2029-06-01T00:00:00Z", False, 3)


@pytest.mark.parametrize(
    "end",
    ["2026-11-23T11:59:59Z", "2026-11-23T12:00:00Z", "2028-11-22T12:00:00.000001Z", "9999-12-31T23:59:59Z"],
)
async def test_an_end_in_the_past_or_beyond_the_maximum_is_refused(
    elm_street: House, engagement: dict[str, Any], end: str
) -> None:
    refused = await renew(elm_street.owner, engagement, end)
    assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "expiresAt")
    assert await events("engagement.renewed") == []


async def test_the_last_instant_within_the_maximum_is_allowed(elm_street: House, engagement: dict[str, Any]) -> None:
    renewed = await renew(elm_street.owner, engagement, "2028-11-22T12:00:00Z")
    assert renewed["engagement"]["expiresAt"] == "2028-11-22T12:00:00Z"


async def test_in_its_grace_an_engagement_is_renewed_to_what_it_was_and_after_it_never(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    await elm_street.owner.set_roles(engagement, "biller")
    await rows("UPDATE engagements SET expires_at = '2026-12-01T00:00:00Z'")
    engagement = {**engagement, "version": 2}
    owner = await at(town, "2026-12-30T23:59:59Z", elm_street.owner)
    assert (await look(owner, engagement))["status"] == "EXPIRED"
    renewed = (await renew(owner, engagement, "2027-03-01T00:00:00Z"))["engagement"]
    assert (renewed["status"], [grant["status"] for grant in renewed["roles"]]) == ("AWAITING_AGREEMENT", ["ACTIVE"])
    owner = await at(town, "2027-03-31T00:00:00Z", elm_street.owner)
    refused = await renew(owner, renewed, "2027-12-01T00:00:00Z")
    ended = (refused["problem"], refused["endReason"], refused["endedAt"])
    assert ended == ("ENGAGEMENT_ENDED", "EXPIRED", "2027-03-31T00:00:00Z")


async def test_more_time_for_a_sensitive_role_needs_a_recent_password_and_less_does_not(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    await elm_street.owner.set_roles(engagement, "manager", acknowledgeWarnings=True)
    held = {**engagement, "version": 2}
    stale = await town.person(elm_street.owner.email, signed_in_ago=3600)
    assert (await renew(stale, held, LATER))["problem"] == "STEP_UP_REQUIRED"
    assert (await renew(stale, held, "2027-11-23T12:00:00Z", autoExtend=True))["problem"] == "STEP_UP_REQUIRED"
    assert (await renew(stale, held, SOONER))["engagement"]["expiresAt"] == SOONER
    assert (await renew(elm_street.owner, {**held, "version": 3}, LATER))["engagement"]["expiresAt"] == LATER


async def test_nobody_gives_more_time_to_an_agent_they_belong_to(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any], mia: Client
) -> None:
    await elm_street.owner.set_roles(engagement, "biller")
    await town.member(acme, mia.email)
    held = {**engagement, "version": 2}
    assert (await renew(mia, held, LATER))["problem"] == "ROLE_NOT_GRANTABLE"
    assert (await renew(mia, held, SOONER))["engagement"]["expiresAt"] == SOONER


async def test_of_two_renewals_at_once_one_is_stale(elm_street: House, engagement: dict[str, Any]) -> None:
    both = await asyncio.gather(renew(elm_street.owner, engagement, SOONER), renew(elm_street.owner, engagement, LATER))
    assert sorted(answer["__typename"] for answer in both) == ["EngagementSuccess", "StaleVersion"]
    assert len(await events("engagement.renewed")) == 1
