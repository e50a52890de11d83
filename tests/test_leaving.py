"""The agent can always leave, with the same end and the same receipt as a revocation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.members import active, assign
from tests.stored import chains_hold, events, rows
from tests.town import RECEIPT, Agency, Client, House, Town

SHOWN = "query ($id: ID!) { engagement(id: $id) { status endReason receipt { id by rolesRemoved duties auditHash } } }"
PAGE = """query ($id: ID!) { practice(id: $id) { engagements(first: 5) { nodes { status receipt { id } } } } }"""


@pytest.fixture
async def working(town: Town, elm_street: House, acme: Agency) -> dict[str, Any]:
    engagement = await active(town, elm_street, acme, "biller")
    await assign(acme, engagement)
    return engagement


async def leave(client: Client, engagement: dict[str, Any], **typed: Any) -> Any:
    return await client.do("leavePractice", RECEIPT, engagementId=engagement["id"], **typed)


async def test_leaving_cuts_everything_and_says_what_is_owed(
    elm_street: House, acme: Agency, working: dict[str, Any]
) -> None:
    left = await leave(acme.admin, working, reason="moving away")
    assert (left["engagement"]["status"], left["engagement"]["endReason"]) == ("ENDED", "LEFT_BY_AGENT")
    receipt = left["receipt"]
    assert (receipt["rolesRemoved"], receipt["membersCut"], len(receipt["duties"])) == (["biller"], 1, 2)
    (event,) = await events("engagement.ended")
    assert (event["party"], event["after"]["end_reason"], event["after"]["note"]) == (
        "agent",
        "left_by_agent",
        "moving away",
    )
    assert event["hash"] == receipt["auditHash"]
    live = [f"SELECT FROM {table} WHERE removed_at IS NULL" for table in ("role_grants", "assignments")]
    assert [await rows(each) for each in live] == [[], []]
    assert await chains_hold() > 0


async def test_whoever_is_first_writes_the_receipt_and_both_sides_read_it_again(
    elm_street: House, acme: Agency, working: dict[str, Any]
) -> None:
    first = (await leave(acme.admin, working))["receipt"]
    assert (await leave(acme.admin, working))["receipt"] == first
    assert (await elm_street.owner.revoke(working))["receipt"] == first
    for client in (elm_street.owner, acme.admin):
        seen = await client.ask(SHOWN, id=working["id"])
        assert seen["endReason"] == "LEFT_BY_AGENT"
        assert seen["receipt"] == {name: first[name] for name in ("id", "by", "rolesRemoved", "duties", "auditHash")}
    assert len(await events("engagement.ended")) == 1


async def test_after_a_revocation_leaving_gives_the_revocations_receipt(
    elm_street: House, acme: Agency, working: dict[str, Any]
) -> None:
    revoked = await elm_street.owner.revoke(working)
    left = await leave(acme.admin, working, reason="we leave anyway")
    assert left["receipt"] == revoked["receipt"]
    assert left["engagement"]["endReason"] == "REVOKED_BY_PRACTICE"


async def test_leaving_and_revoking_at_once_are_one_end_with_one_receipt(
    town: Town, elm_street: House, acme: Agency
) -> None:
    for _ in range(4):
        engagement = await town.engage(elm_street, acme)
        left, revoked = await asyncio.gather(leave(acme.admin, engagement), elm_street.owner.revoke(engagement))
        assert left["receipt"] == revoked["receipt"]
        assert left["engagement"]["endReason"] in ("LEFT_BY_AGENT", "REVOKED_BY_PRACTICE")
        assert len(await events("engagement.ended")) == len(await rows("SELECT FROM revocation_receipts"))


async def test_there_is_no_receipt_before_the_end_and_a_page_shows_each_ones_own(
    town: Town, elm_street: House, acme: Agency, working: dict[str, Any]
) -> None:
    assert (await elm_street.owner.ask(SHOWN, id=working["id"]))["receipt"] is None
    receipt = (await leave(acme.admin, working))["receipt"]
    await town.engage(elm_street, acme)
    shown = (await elm_street.owner.ask(PAGE, id=elm_street.id))["engagements"]["nodes"]
    assert [(each["status"], each["receipt"]) for each in shown] == [
        ("ENDED", {"id": receipt["id"]}),
        ("AWAITING_ROLES", None),
    ]


async def test_only_an_admin_of_the_agent_leaves(
    town: Town, elm_street: House, acme: Agency, working: dict[str, Any]
) -> None:
    ben = await town.member(acme, "ben@acme.example")
    for client in (elm_street.owner, ben, await town.operator()):
        assert (await leave(client, working))["problem"] == "NOT_PERMITTED"
    stranger = await town.agency("Rival Billing")
    assert (await leave(stranger.admin, working))["problem"] == "NOT_FOUND"
    for reason in ("", "x" * 501, "a\0b"):
        assert (await leave(acme.admin, working, reason=reason))["problem"] == "INVALID_INPUT"
    assert await rows("SELECT FROM revocation_receipts") == []
