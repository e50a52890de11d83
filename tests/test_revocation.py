from __future__ import annotations

from typing import Any

import pytest

from models import Assignment
from tests.stored import events, rows
from tests.town import Agency, Client, House, Town

ENGAGEMENT = """
query ($id: ID!) { engagement(id: $id) { id version status endReason endedAt roles { role { key } } previous { id } } }
"""
DUTIES = [
    "The agent returns or destroys all protected health information it holds for the practice, copies included.",
    "Where that is not feasible, the agent protects it further and uses it for nothing else.",
]


@pytest.fixture
async def desk(town: Town) -> Agency:
    return await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")


async def practices_of(client: Client) -> list[str]:
    found = await client.ask("{ practices { nodes { id } } }")
    return [node["id"] for node in found["nodes"]]


async def assign(town: Town, agent: Agency, engagement: dict[str, Any]) -> None:
    """All of an agent's people work in the engagement."""
    for member in await rows("SELECT id FROM agent_members WHERE agent_id = $1", agent.id):
        await Assignment.create(
            engagement_id=engagement["id"],
            member_id=member["id"],
            assigned_at=town.clock.now,
            assigned_by_id=agent.admin.user_id,
        )


async def days_later(town: Town, house: House, days: int) -> House:
    """So much later, when the owner has signed in again."""
    town.clock.advance(days=days)
    return House(house.id, await town.person(house.owner.email))


# --- the receipt


async def test_the_receipt_says_what_was_cut_and_what_is_owed(town: Town, elm_street: House, acme: Agency) -> None:
    engagement = await town.engage(elm_street, acme)
    await elm_street.owner.set_roles(engagement, "manager", "auditor", acknowledgeWarnings=True)
    await town.member(acme, "member@acme.example")
    await assign(town, acme, engagement)
    town.clock.advance(minutes=5)
    answer = await elm_street.owner.revoke(engagement, reason="services ended")
    (event,) = await events("engagement.ended")
    (stored,) = await rows("SELECT id::text FROM revocation_receipts")
    assert answer["receipt"] == {
        "id": stored["id"],
        "engagementId": engagement["id"],
        "at": "2026-11-23T12:05:00Z",
        "by": "Owner",
        "rolesRemoved": ["auditor", "manager"],
        "membersCut": 2,
        "apiKeysCut": 0,
        "subscriptionsClosed": 0,
        "tokensCancelled": 0,
        "duties": DUTIES,
        "auditHash": event["hash"],
    }
    ended = answer["engagement"]
    assert (ended["status"], ended["endReason"], ended["roles"]) == ("ENDED", "REVOKED_BY_PRACTICE", [])
    assert ended["endedAt"] == "2026-11-23T12:05:00Z"
    assert (event["after"]["note"], event["after"]["members_cut"]) == ("services ended", 2)
    assert event["before"]["roles"] == ["auditor", "manager"]


async def test_a_front_office_worker_is_its_own_member_and_loses_the_practice(
    town: Town, elm_street: House, desk: Agency
) -> None:
    engagement = await town.engage(elm_street, desk)
    await elm_street.owner.set_roles(engagement, "scheduler", acknowledgeWarnings=True)
    assert await practices_of(desk.admin) == [elm_street.id]
    answer = await elm_street.owner.revoke(engagement)
    assert answer["receipt"]["membersCut"] == 1
    assert await practices_of(desk.admin) == []
    asked = "query ($id: ID!) { practice(id: $id) { name } viewer { permissions(practiceId: $id) } }"
    seen = await desk.admin.answer(asked, id=elm_street.id)
    assert seen["data"] == {"practice": None, "viewer": {"permissions": []}}


async def test_people_who_did_not_work_there_are_not_counted(town: Town, elm_street: House, acme: Agency) -> None:
    engagement = await town.engage(elm_street, acme)
    assert (await elm_street.owner.revoke(engagement))["receipt"]["membersCut"] == 0


async def test_the_agents_other_practice_is_untouched(town: Town, elm_street: House, desk: Agency) -> None:
    harbour = await town.practice("Harbour Counselling")
    here, there = await town.engage(elm_street, desk), await town.engage(harbour, desk)
    for house, engagement in ((elm_street, here), (harbour, there)):
        await house.owner.set_roles(engagement, "scheduler", acknowledgeWarnings=True)
    before = await harbour.owner.ask(ENGAGEMENT, id=there["id"])
    await elm_street.owner.revoke(here)
    assert await harbour.owner.ask(ENGAGEMENT, id=there["id"]) == before
    assert before["status"] == "ACTIVE"
    assert await practices_of(desk.admin) == [harbour.id]


async def test_pending_tokens_for_this_client_are_cancelled_and_no_others(
    town: Town, elm_street: House, acme: Agency
) -> None:
    letters, code = await acme.issue(externalRef="client 7")
    connected = await elm_street.owner.connect(elm_street, letters, code, acme)
    colleague = Agency(acme.id, await town.member(acme, "member@acme.example"))
    pending = [(await agent.issue(externalRef="client 7"))[0] for agent in (acme, colleague)]
    other = [(await acme.issue(externalRef="client 8"))[0], (await acme.issue())[0]]
    assert (await elm_street.owner.revoke(connected["engagement"]))["receipt"]["tokensCancelled"] == 2
    states = {row["letters"]: row["state"] for row in await rows("SELECT letters, state FROM connect_tokens")}
    assert states == {letters: "consumed"} | dict.fromkeys(pending, "cancelled") | dict.fromkeys(other, "issued")


async def test_an_engagement_without_a_client_number_cancels_no_token(
    town: Town, elm_street: House, acme: Agency
) -> None:
    engagement = await town.engage(elm_street, acme)
    await acme.issue()
    assert (await elm_street.owner.revoke(engagement))["receipt"]["tokensCancelled"] == 0


# --- who


async def test_an_end_by_the_operator_is_the_platforms(town: Town, elm_street: House, acme: Agency) -> None:
    engagement = await town.engage(elm_street, acme)
    answer = await (await town.operator()).revoke(engagement)
    assert answer["engagement"]["endReason"] == "PLATFORM"
    (event,) = await events("engagement.ended")
    assert (event["party"], str(event["practice_id"])) == ("platform", elm_street.id)


async def test_a_manager_revokes_without_a_password_and_whatever_the_version(
    town: Town, elm_street: House, acme: Agency
) -> None:
    await town.staff(elm_street, "mia@elm.example", "manager")
    mia = await town.person("mia@elm.example", signed_in_ago=40_000)
    engagement = await town.engage(elm_street, acme)
    await elm_street.owner.set_roles(engagement, "biller")
    assert (await mia.revoke(engagement))["receipt"]["rolesRemoved"] == ["biller"]


async def test_nobody_else_revokes(town: Town, elm_street: House, acme: Agency) -> None:
    engagement = await town.engage(elm_street, acme)
    harbour = await town.practice("Harbour Counselling")
    scheduler = await town.staff(elm_street, "sue@elm.example", "scheduler")
    answers = [await client.revoke(engagement) for client in (scheduler, acme.admin, harbour.owner)]
    assert [answer["problem"] for answer in answers] == ["NOT_PERMITTED", "NOT_PERMITTED", "NOT_FOUND"]
    assert await events("engagement.ended") == []


# --- ended is ended


async def test_the_second_revocation_finds_the_first_receipt(town: Town, elm_street: House, acme: Agency) -> None:
    engagement = await town.engage(elm_street, acme)
    first = await elm_street.owner.revoke(engagement, reason="services ended")
    town.clock.advance(minutes=1)
    for client in (elm_street.owner, await town.operator()):
        assert await client.revoke(engagement, reason="another reason") == first
    assert len(await events("engagement.ended")) == 1


async def test_an_ended_engagement_never_changes(town: Town, elm_street: House, acme: Agency) -> None:
    engagement = await town.engage(elm_street, acme)
    await elm_street.owner.revoke(engagement)
    before = await rows("SELECT * FROM engagements")
    for version in (1, 2):
        refused = await elm_street.owner.set_roles({**engagement, "version": version}, "biller")
        assert (refused["problem"], refused["endReason"]) == ("ENGAGEMENT_ENDED", "REVOKED_BY_PRACTICE")
        assert refused["endedAt"] == "2026-11-23T12:00:00Z"
    assert await rows("SELECT * FROM engagements") == before


async def test_coming_back_takes_a_new_token_and_inherits_nothing(town: Town, elm_street: House, desk: Agency) -> None:
    engagement = await town.engage(elm_street, desk)
    await elm_street.owner.set_roles(engagement, "scheduler", acknowledgeWarnings=True)
    await elm_street.owner.revoke(engagement)
    again = await town.engage(elm_street, desk)
    seen = await elm_street.owner.ask(ENGAGEMENT, id=again["id"])
    assert (seen["previous"], seen["roles"], seen["status"]) == ({"id": engagement["id"]}, [], "AWAITING_ROLES")
    assert await practices_of(desk.admin) == []


# --- time


async def test_an_expired_engagement_stands_for_thirty_days_and_then_has_ended(
    town: Town, elm_street: House, desk: Agency
) -> None:
    engagement = await town.engage(elm_street, desk, expiresAt="2026-11-24T12:00:00Z")
    await elm_street.owner.set_roles(engagement, "scheduler", acknowledgeWarnings=True)
    elm_street = await days_later(town, elm_street, 1)
    admin = await town.person(desk.admin.email)
    seen = await elm_street.owner.ask(ENGAGEMENT, id=engagement["id"])
    assert (seen["status"], await practices_of(admin)) == ("EXPIRED", [])
    token = await Agency(desk.id, admin).issue()
    refused = await elm_street.owner.connect(elm_street, *token, desk)
    assert (refused["problem"], refused["engagement"]["id"]) == ("ALREADY_ENGAGED", engagement["id"])
    elm_street = await days_later(town, elm_street, 30)
    seen = await elm_street.owner.ask(ENGAGEMENT, id=engagement["id"])
    assert (seen["status"], seen["endReason"]) == ("ENDED", "EXPIRED")
    assert seen["endedAt"] == "2026-12-24T12:00:00Z"


async def test_reconnecting_closes_what_had_run_out_with_an_event_of_its_own(
    town: Town, elm_street: House, desk: Agency
) -> None:
    engagement = await town.engage(elm_street, desk, expiresAt="2026-11-24T12:00:00Z")
    await elm_street.owner.set_roles(engagement, "scheduler", acknowledgeWarnings=True)
    elm_street = await days_later(town, elm_street, 40)
    again = await town.engage(elm_street, Agency(desk.id, await town.person(desk.admin.email)))
    seen = await elm_street.owner.ask(ENGAGEMENT, id=again["id"])
    assert (seen["previous"], seen["roles"]) == ({"id": engagement["id"]}, [])
    (ended,) = await events("engagement.ended")
    assert (str(ended["engagement_id"]), ended["after"]) == (engagement["id"], {"end_reason": "expired"})
    types = [event["type"] for event in await events() if str(event["practice_id"]) == elm_street.id]
    assert types[-2:] == ["engagement.ended", "engagement.started"]
    old = await elm_street.owner.ask(ENGAGEMENT, id=engagement["id"])
    assert (old["status"], old["endReason"], old["endedAt"]) == ("ENDED", "EXPIRED", "2026-12-24T12:00:00Z")
    receipt = (await elm_street.owner.revoke(engagement))["receipt"]
    assert len(await events("engagement.ended")) == 1
    (given,) = await events("engagement.receipt_given")
    assert given["hash"] == receipt["auditHash"]


async def test_revoking_what_had_run_out_does_not_rewrite_its_end(town: Town, elm_street: House, desk: Agency) -> None:
    engagement = await town.engage(elm_street, desk, expiresAt="2026-11-24T12:00:00Z")
    elm_street = await days_later(town, elm_street, 40)
    before = await elm_street.owner.ask(ENGAGEMENT, id=engagement["id"])
    answer = await elm_street.owner.revoke(engagement, reason="a late one")
    after = await elm_street.owner.ask(ENGAGEMENT, id=engagement["id"])
    assert {**after, "version": 1} == before
    assert (after["endReason"], after["endedAt"]) == ("EXPIRED", "2026-12-24T12:00:00Z")
    assert answer["receipt"]["at"] == "2027-01-02T12:00:00Z"
    (stored,) = await rows("SELECT ended_by_id, end_note FROM engagements")
    assert stored == {"ended_by_id": None, "end_note": None}


async def test_a_reason_is_a_line_of_text(town: Town, elm_street: House, acme: Agency) -> None:
    engagement = await town.engage(elm_street, acme)
    for reason in ("", "x" * 501, "a\0b", "\u202eb"):
        assert (await elm_street.owner.revoke(engagement, reason=reason))["problem"] == "INVALID_INPUT"
    assert (await elm_street.owner.revoke(engagement, reason="x" * 500))["__typename"] == "RevokeAgentSuccess"
