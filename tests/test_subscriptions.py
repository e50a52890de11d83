"""What goes on, told to whoever watches: over a WebSocket and as server-sent events."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from models import ConnectToken, Engagement
from tests.live import CHANGED, ENGAGEMENTS, TOKEN, listened, served, streamed_event, told, watching
from tests.stored import as_owner
from tests.test_changes import FEED, connected, something_happens
from tests.test_event_stream import SOON, streamed
from tests.test_listening import KILL
from tests.town import START, Agency, House, Town, wrong


async def test_whoever_comes_back_with_a_cursor_misses_nothing_and_hears_what_comes(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    start = (await acme.admin.ask(FEED, agent=acme.id))["cursor"]
    async with served(town) as port:
        async with watching(port, acme.admin, CHANGED, agent=acme.id, after=start) as peer:
            set_ = (await elm_street.owner.set_roles(engagement, "biller"))["engagement"]
            seen = await told(peer)
            assert (seen["type"], seen["status"]) == ("engagement.roles_set", "AWAITING_AGREEMENT")
        await elm_street.owner.set_roles(set_, "auditor")
        await elm_street.owner.revoke(engagement)
        async with watching(port, acme.admin, CHANGED, agent=acme.id, after=seen["cursor"]) as peer:
            missed = [await told(peer) for _ in range(2)]
            again = await town.engage(elm_street, acme)
            live = await told(peer)
    assert [each["type"] for each in missed] == ["engagement.roles_set", "engagement.ended"]
    assert [each["status"] for each in missed] == ["ENDED", "ENDED"]  # where it stands now
    assert (live["type"], live["status"]) == ("engagement.started", "AWAITING_ROLES")
    whole = await acme.admin.ask(FEED, agent=acme.id)
    assert [each["cursor"] for each in [seen, *missed, live]] == [each["cursor"] for each in whole["changes"][1:]]
    assert whole["changes"][-1]["engagementId"] == again["id"]


async def test_without_a_cursor_only_what_is_new_is_told_and_a_wrong_one_ends_it(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    async with served(town) as port, streamed(port, CHANGED, {"agent": acme.id}, cookie=acme.admin.reference) as stream:
        await listened(f"agent {acme.id}")
        await asyncio.sleep(0.1)  # it looks where the feed ends
        await elm_street.owner.revoke(engagement)
        assert (await streamed_event(stream))["type"] == "engagement.ended"
        async with watching(port, acme.admin, CHANGED, agent=acme.id, after="nonsense") as peer:
            refused = await peer.hear()
        assert refused["type"] == "error"
        assert refused["payload"][0]["extensions"]["code"] == "INVALID_INPUT"


async def test_the_staff_page_is_told_of_its_practices_engagements_and_of_no_others(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    harbour = await town.practice("Harbour Counselling", "SHARED_OFFICE_MEMBER")
    await town.staff(harbour, elm_street.owner.email, "manager")  # who therefore may see both
    async with served(town) as port:
        stream = streamed(port, ENGAGEMENTS, {"practice": elm_street.id}, cookie=elm_street.owner.reference)
        async with stream as page, watching(port, harbour.owner, ENGAGEMENTS, practice=harbour.id) as other:
            first = await streamed_event(page)
            assert (first["id"], first["status"]) == (engagement["id"], "AWAITING_ROLES")  # of the last ten seconds
            await elm_street.owner.set_roles(engagement, "biller")
            seen = await streamed_event(page)
            elsewhere = await town.engage(harbour, acme)
            assert (await told(other))["id"] == elsewhere["id"]
            await elm_street.owner.revoke(engagement)
            assert (await streamed_event(page))["status"] == "ENDED"
            assert await other.is_well()  # and was told nothing of Elm Street
    assert seen["roles"] == [{"role": {"key": "biller"}}]
    assert (seen["version"], seen["agent"], seen["externalRef"]) == (2, {"legalName": "ACME Billing"}, None)


async def test_what_is_told_is_what_it_is_at_that_moment(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    await Engagement.all().update(expires_at=START + timedelta(seconds=30))
    start = (await acme.admin.ask(FEED, agent=acme.id))["cursor"]
    async with served(town) as port:
        feed = watching(port, acme.admin, CHANGED, agent=acme.id, after=start)
        page = watching(port, elm_street.owner, ENGAGEMENTS, practice=elm_street.id)
        async with feed as partner, page as staff:
            assert (await told(staff))["status"] == "AWAITING_ROLES"
            await listened(f"agent {acme.id}")
            town.clock.advance(seconds=30)
            await something_happens(town, elm_street, engagement, acme)
            assert (await told(staff))["status"] == (await told(partner))["status"] == "EXPIRED"


async def test_the_screen_during_the_call_sees_attempts_the_engagement_and_then_the_end(
    town: Town, elm_street: House, acme: Agency
) -> None:
    letters, code = await acme.issue()
    token = await ConnectToken.get(letters=letters)
    async with served(town) as port, watching(port, acme.admin, TOKEN, token=str(token.id)) as peer:
        assert await told(peer) == {"status": "ISSUED", "attemptsRemaining": 5, "engagement": None}
        await elm_street.owner.connect(elm_street, letters, wrong(code), acme)
        assert await told(peer) == {"status": "ISSUED", "attemptsRemaining": 4, "engagement": None}
        await elm_street.owner.connect(elm_street, letters, code, acme)
        while (seen := await told(peer))["status"] == "ISSUED":  # an attempt counts before it is known to be right
            assert seen["engagement"] is None
        assert seen == {"status": "CONSUMED", "attemptsRemaining": 0, "engagement": {"status": "AWAITING_ROLES"}}
        assert await peer.hear() == {"id": "1", "type": "complete"}


@pytest.mark.parametrize("end", ["expires", "cancelled", "over"])
async def test_a_token_that_is_over_says_so_at_once(town: Town, acme: Agency, end: str) -> None:
    letters, _ = await acme.issue()
    token = await ConnectToken.get(letters=letters)
    if end == "over":
        town.clock.advance(minutes=10)
    await connected()
    async with served(town) as port, watching(port, acme.admin, TOKEN, token=str(token.id)) as peer:
        if end != "over":
            assert (await told(peer))["status"] == "ISSUED"
        if end == "expires":
            town.clock.advance(minutes=9, seconds=59)
            assert await peer.is_well()
            town.clock.advance(seconds=1)
        if end == "cancelled":
            await acme.admin.do("cancelToken", "", tokenId=str(token.id))
        async with asyncio.timeout(SOON):
            assert (await told(peer))["status"] == ("CANCELLED" if end == "cancelled" else "EXPIRED")
            assert (await peer.hear())["type"] == "complete"


async def test_while_nothing_is_heard_nothing_is_missed(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    """The connection that listens is ended from outside, again and again, while things happen."""
    start = (await acme.admin.ask(FEED, agent=acme.id))["cursor"]
    async with served(town) as port:
        feed = watching(port, acme.admin, CHANGED, agent=acme.id, after=start)
        page = watching(port, elm_street.owner, ENGAGEMENTS, practice=elm_street.id)
        async with feed as partner, page as staff:
            await told(staff)
            for turn in range(4):
                await as_owner(KILL)
                role = "auditor" if turn % 2 else "biller"
                engagement = (await elm_street.owner.set_roles(engagement, role))["engagement"]
                if turn == 2:
                    await as_owner(KILL)
                async with asyncio.timeout(2):
                    assert (await told(partner))["type"] == "engagement.roles_set"
                    assert (await told(staff))["version"] == engagement["version"]
