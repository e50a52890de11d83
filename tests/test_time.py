"""What time brings, to the second and without anybody acting: nothing has run, and yet every answer is right."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engaged import permissions_of
from tests.stored import events, rows
from tests.timed import at, look, renew
from tests.town import Agency, House, Town


@pytest.fixture
async def desk(town: Town) -> Agency:
    """A front-office worker, who is its own member and needs no agreement."""
    return await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")


@pytest.fixture
async def working(town: Town, elm_street: House, desk: Agency) -> dict[str, Any]:
    """An engagement with a role that gives something."""
    engagement = await town.engage(elm_street, desk, expiresAt="2027-01-01T00:00:00Z")
    done = await elm_street.owner.set_roles(engagement, "scheduler", acknowledgeWarnings=True)
    found: dict[str, Any] = done["engagement"]
    return found


async def _seen(town: Town, instant: str, house: House, desk: Agency, engagement: dict[str, Any]) -> tuple[str, bool]:
    """The status that the practice sees, and whether the agent's own request is still let through."""
    owner, worker = await at(town, instant, house.owner), await town.person(desk.admin.email)
    return (await look(owner, engagement))["status"], "schedule.write" in await permissions_of(worker, house)


async def test_an_engagement_works_to_the_last_microsecond_and_not_from_its_end_on(
    town: Town, elm_street: House, desk: Agency, working: dict[str, Any]
) -> None:
    seen = [
        await _seen(town, instant, elm_street, desk, working)
        for instant in ("2026-12-31T23:59:59.999999Z", "2027-01-01T00:00:00Z", "2027-01-30T23:59:59.999999Z")
    ]
    assert seen == [("ACTIVE", True), ("EXPIRED", False), ("EXPIRED", False)]
    assert await _seen(town, "2027-01-31T00:00:00Z", elm_street, desk, working) == ("ENDED", False)
    owner = await town.person(elm_street.owner.email)
    ended = await look(owner, working)
    assert (ended["endedAt"], ended["endReason"], ended["version"]) == ("2027-01-31T00:00:00Z", "EXPIRED", 2)
    assert await rows("SELECT FROM engagements WHERE ended_at IS NOT NULL") == []


async def test_who_extends_itself_begins_another_term_at_the_instant_of_its_end(
    town: Town, elm_street: House, desk: Agency, working: dict[str, Any]
) -> None:
    await renew(elm_street.owner, working, "2027-01-01T00:00:00Z", autoExtend=True)
    ends = {}
    for instant in ("2026-12-31T23:59:59.999999Z", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"):
        owner = await at(town, instant, elm_street.owner)
        ends[instant[:10]] = (await look(owner, working))["expiresAt"]
    assert ends == {
        "2026-12-31": "2027-01-01T00:00:00Z",
        "2027-01-01": "2028-01-01T00:00:00Z",
        "2028-01-01": "2028-12-31T00:00:00Z",
    }


async def test_a_review_that_nobody_answers_suspends_at_the_midnight_after_its_last_day(
    town: Town, elm_street: House, desk: Agency, working: dict[str, Any]
) -> None:
    """Set on 23 November; with the role Manager due 90 days later, overdue 30 days after that."""
    owner = elm_street.owner
    await owner.set_roles(working, "manager", acknowledgeWarnings=True)
    await renew(owner, {**working, "version": 3}, "2028-01-01T00:00:00Z")
    assert (await look(owner, working))["nextReviewOn"] == "2027-02-21"
    assert await _seen(town, "2027-03-23T23:59:59.999999Z", elm_street, desk, working) == ("ACTIVE", True)
    assert await _seen(town, "2027-03-24T00:00:00Z", elm_street, desk, working) == ("SUSPENDED", False)
    late = await look(await town.person(owner.email), working)
    assert [blocker["code"] for blocker in late["blockers"]] == ["REVIEW_OVERDUE"]


async def test_nothing_is_recorded_of_what_time_alone_did(
    town: Town, elm_street: House, desk: Agency, working: dict[str, Any]
) -> None:
    before = len(await events())
    await _seen(town, "2027-05-01T00:00:00Z", elm_street, desk, working)
    assert len(await events()) == before
