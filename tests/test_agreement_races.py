"""Both sides at the same moment: each act counts once, in one order or the other, and none is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.agreed import SHA, Parties, state_of
from tests.stored import chains_hold, events, rows
from tests.town import Agency, House, Town


@pytest.fixture
async def parties(town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]) -> Parties:
    await elm_street.owner.set_roles(engagement, "biller")
    return Parties(elm_street, acme, engagement)


async def current() -> int:
    return len(await rows("SELECT FROM agreements WHERE superseded_at IS NULL"))


async def test_signed_and_recorded_at_once_it_is_in_force(parties: Parties) -> None:
    for turn in range(4):
        both = [parties.sign(documentSha256=f"{turn}" * 64), parties.record()]
        await asyncio.gather(*(both if turn % 2 else reversed(both)))
        assert await parties.state() == ("ACTIVE", "IN_FORCE")
        assert await current() == 1
        await parties.terminate()
    assert await parties.version() == 2 + 4 * 3
    assert await chains_hold() > 0


async def test_of_two_documents_at_once_the_first_one_counts(parties: Parties) -> None:
    answers = await asyncio.gather(parties.sign(), parties.record(documentSha256="b" * 64))
    assert sorted(each["__typename"] for each in answers) == ["EngagementSuccess", "InvalidInput"]
    assert (await parties.state())[0] == "AWAITING_AGREEMENT"


async def test_recorded_while_it_is_ended_is_one_or_the_other_and_never_half(parties: Parties) -> None:
    for turn in range(4):
        await parties.sign(documentSha256=f"{turn}" * 64)
        seen = await parties.version()
        recorded, ended = await asyncio.gather(parties.record(), parties.terminate(version=seen))
        assert recorded["__typename"] == "EngagementSuccess"
        first_ended = ended["__typename"] == "EngagementSuccess"
        assert first_ended or ended["problem"] == "STALE_VERSION"
        # Ended first, the record begins another one that the agent has not signed; recorded first, the end is stale.
        assert (await parties.state())[1] == ("REQUESTED" if first_ended else "IN_FORCE")
        assert await current() == 1
        await parties.terminate()


async def test_two_waivers_at_once_are_one(town: Town, elm_street: House) -> None:
    agency = await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")
    desk = Parties(elm_street, agency, await town.engage(elm_street, agency))
    answers = await asyncio.gather(*(desk.waive(reason=f"reason {number}") for number in range(4)))
    assert {state_of(each) for each in answers} == {"WAIVED"}
    assert len(await events("agreement.waived")) == 1
    assert len({each["engagement"]["agreement"]["waiveReason"] for each in answers}) == 1


async def test_of_many_signatures_at_once_one_is_an_event(parties: Parties) -> None:
    await asyncio.gather(*(parties.sign() for _ in range(4)))
    assert len(await events("agreement.signed")) == 1
    (row,) = await rows("SELECT document_sha256 AS sha FROM agreements")
    assert row["sha"] == SHA
