from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.engaged import statuses
from tests.stored import chains_hold, events, rows
from tests.timed import at, decide, look, renew, reviews
from tests.town import Agency, Client, House, Town


@pytest.fixture
async def held(elm_street: House, engagement: dict[str, Any]) -> dict[str, Any]:
    """An engagement with two roles."""
    found: dict[str, Any] = (await elm_street.owner.set_roles(engagement, "biller", "auditor"))["engagement"]
    return found


async def _open(house: House) -> dict[str, Any]:
    (found,) = await reviews(house.owner, house)
    return dict(found)


async def test_every_engagement_begins_with_an_open_review(elm_street: House, engagement: dict[str, Any]) -> None:
    review = await _open(elm_street)
    assert (review["engagement"]["id"], review["openedAt"]) == (engagement["id"], "2026-11-23T12:00:00Z")
    assert (review["decision"], review["decidedAt"], review["overdue"]) == (None, None, False)
    assert review["dueOn"] == "2027-11-23"
    assert (await look(elm_street.owner, engagement))["nextReviewOn"] is None  # there is no role yet
    node = "query ($id: ID!) { node(id: $id) { __typename id ... on Review { dueOn } } }"
    assert await elm_street.owner.ask(node, id=review["id"]) == {
        "__typename": "Review",
        "id": review["id"],
        "dueOn": "2027-11-23",
    }


async def test_setting_roles_moves_the_due_day_on_and_leaves_the_review_open(
    town: Town, elm_street: House, held: dict[str, Any]
) -> None:
    first = await _open(elm_street)
    owner = await at(town, "2027-01-10T12:00:00Z", elm_street.owner)
    await owner.set_roles(held, "manager", acknowledgeWarnings=True)
    (review,) = await reviews(owner, elm_street)
    assert (first["dueOn"], review["dueOn"], review["id"]) == ("2027-11-23", "2027-04-10", first["id"])
    assert (await look(owner, held))["nextReviewOn"] == "2027-04-10"


async def test_keeping_starts_the_time_anew_and_opens_the_next_review(
    town: Town, elm_street: House, held: dict[str, Any]
) -> None:
    owner = await at(town, "2027-03-01T12:00:00Z", elm_street.owner)
    (review,) = await reviews(owner, elm_street)
    kept = (await decide(owner, review, "KEEP"))["engagement"]
    assert (kept["version"], kept["nextReviewOn"], set(statuses(kept))) == (3, "2028-02-29", {"biller", "auditor"})
    (following,) = await reviews(owner, elm_street)
    assert (following["openedAt"], following["dueOn"]) == ("2027-03-01T12:00:00Z", "2028-02-29")
    (decided,) = await reviews(owner, elm_street, open=False)
    assert (decided["id"], decided["decision"], decided["dueOn"]) == (review["id"], "KEEP", "2027-11-23")
    (event,) = await events("engagement.reviewed")
    assert event["after"]["decision"] == "keep"
    assert event["after"]["roles"] == event["before"]["roles"] == ["auditor", "biller"]


async def test_reducing_leaves_what_is_named_and_nothing_else(elm_street: House, held: dict[str, Any]) -> None:
    review = await _open(elm_street)
    reduced = (await decide(elm_street.owner, review, "REDUCE", "biller"))["engagement"]
    assert (statuses(reduced), reduced["version"]) == ({"biller": "ACTIVE"}, 3)
    gone = await rows("SELECT role FROM role_grants WHERE removed_at IS NOT NULL AND removed_by_id IS NOT NULL")
    assert [row["role"] for row in gone] == ["auditor"]
    (event,) = await events("engagement.reviewed")
    assert (event["before"]["roles"], event["after"]["roles"]) == (["auditor", "biller"], ["biller"])


async def test_reducing_lets_a_role_end_sooner_and_keeps_who_granted_it(
    elm_street: House, held: dict[str, Any]
) -> None:
    review = await _open(elm_street)
    sooner = {"role": "auditor", "expiresAt": "2027-01-01T00:00:00Z"}
    reduced = (await decide(elm_street.owner, review, "REDUCE", "biller", sooner))["engagement"]
    ends = {grant["role"]["key"]: grant["expiresAt"] for grant in reduced["roles"]}
    assert ends == {"biller": None, "auditor": "2027-01-01T00:00:00Z"}
    assert await rows("SELECT FROM role_grants WHERE removed_at IS NOT NULL") == []
    following = await _open(elm_street)
    later = {"role": "auditor", "expiresAt": "2027-01-02T00:00:00Z"}
    refused = await decide(elm_street.owner, following, "REDUCE", later)
    assert (refused["problem"], refused["role"]) == ("ROLE_NOT_GRANTABLE", "auditor")


async def test_ending_is_a_revocation_with_its_receipt(elm_street: House, held: dict[str, Any]) -> None:
    review = await _open(elm_street)
    ended = (await decide(elm_street.owner, review, "END"))["engagement"]
    assert (ended["status"], ended["endReason"], ended["roles"]) == ("ENDED", "REVOKED_BY_PRACTICE", [])
    (event,) = await events("engagement.ended")
    (receipt,) = await rows("SELECT * FROM revocation_receipts")
    assert (receipt["audit_hash"], receipt["roles_removed"]) == (event["hash"], ["auditor", "biller"])
    assert event["after"]["review"] == review["id"]
    again = await elm_street.owner.revoke(held)
    assert again["receipt"]["id"] == str(receipt["id"])
    assert await reviews(elm_street.owner, elm_street) == []
    assert await chains_hold() > 0


@pytest.mark.parametrize("decision", [("KEEP",), ("REDUCE", "biller"), ("END",)])
async def test_the_same_decision_again_is_done_already_and_another_one_is_refused(
    elm_street: House, held: dict[str, Any], decision: tuple[str, ...]
) -> None:
    review = await _open(elm_street)
    first = await decide(elm_street.owner, review, *decision)
    before = await events()
    assert await decide(elm_street.owner, review, *decision) == first
    for other in {("KEEP",), ("REDUCE", "biller"), ("REDUCE", "auditor"), ("END",)} - {decision}:
        refused = await decide(elm_street.owner, review, *other)
        assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "reviewId")
    assert await events() == before


async def test_an_overdue_review_suspends_and_deciding_it_lifts_that(town: Town, elm_street: House) -> None:
    desk = await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")
    engagement = await town.engage(elm_street, desk)
    await elm_street.owner.set_roles(engagement, "manager", "scheduler", acknowledgeWarnings=True)
    await renew(elm_street.owner, {**engagement, "version": 2}, "2028-06-01T00:00:00Z")
    owner = await at(town, "2027-03-24T00:00:00Z", elm_street.owner)
    (review,) = await reviews(owner, elm_street)
    assert (review["dueOn"], review["overdue"]) == ("2027-02-21", True)
    assert (await look(owner, engagement))["status"] == "SUSPENDED"
    lifted = (await decide(owner, review, "REDUCE", "scheduler"))["engagement"]
    assert (lifted["status"], lifted["nextReviewOn"]) == ("ACTIVE", "2028-03-23")
    (following,) = await reviews(owner, elm_street)
    assert following["overdue"] is False


async def test_nothing_is_decided_by_what_cannot_be_meant(elm_street: House, held: dict[str, Any]) -> None:
    review, owner = await _open(elm_street), elm_street.owner
    past = {"role": "biller", "expiresAt": "2026-11-23T12:00:00Z"}
    for decision, roles, problem, field in (
        ("REDUCE", ["biller", "auditor"], "INVALID_INPUT", "roles"),
        ("REDUCE", ["biller", "biller"], "INVALID_INPUT", "roles.1.role"),
        ("REDUCE", [past], "INVALID_INPUT", "roles.0.expiresAt"),
        ("REDUCE", ["manager"], "ROLE_NOT_GRANTABLE", None),
        ("REDUCE", ["bilker"], "UNKNOWN_ROLE", None),
        ("KEEP", ["biller"], "INVALID_INPUT", "roles"),
        ("END", ["biller"], "INVALID_INPUT", "roles"),
    ):
        refused = await decide(owner, review, decision, *roles)
        assert (refused["problem"], refused.get("field")) == (problem, field), (decision, roles)
    assert (await owner.do("decideReview", "", reviewId=review["id"], decision="REDUCE"))["problem"] == "INVALID_INPUT"
    assert await events("engagement.reviewed") == []
    assert len(await reviews(owner, elm_street)) == 1


async def test_a_review_of_what_has_ended_is_not_decided(town: Town, elm_street: House, held: dict[str, Any]) -> None:
    review = await _open(elm_street)
    await elm_street.owner.revoke(held)
    assert (await decide(elm_street.owner, review, "KEEP"))["problem"] == "ENGAGEMENT_ENDED"


async def test_what_stays_of_a_sensitive_role_needs_a_recent_password(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    await elm_street.owner.set_roles(engagement, "manager", "biller", acknowledgeWarnings=True)
    review, stale = await _open(elm_street), await town.person(elm_street.owner.email, signed_in_ago=3600)
    assert (await decide(stale, review, "KEEP"))["problem"] == "STEP_UP_REQUIRED"
    assert (await decide(stale, review, "REDUCE", "biller"))["__typename"] == "EngagementSuccess"


async def test_nobody_reviews_an_agent_they_belong_to_but_anybody_may_end_it(
    town: Town, elm_street: House, acme: Agency, held: dict[str, Any], mia: Client
) -> None:
    await town.member(acme, mia.email)
    review = await _open(elm_street)
    for decision in (["KEEP"], ["REDUCE", "biller"]):
        assert (await decide(mia, review, *decision))["problem"] == "ROLE_NOT_GRANTABLE"
    assert (await decide(mia, review, "END"))["engagement"]["status"] == "ENDED"


async def test_of_two_decisions_at_once_one_counts(elm_street: House, held: dict[str, Any]) -> None:
    review = await _open(elm_street)
    answers = await asyncio.gather(
        decide(elm_street.owner, review, "KEEP"), decide(elm_street.owner, review, "REDUCE", "biller")
    )
    assert sorted(answer["__typename"] for answer in answers) == ["EngagementSuccess", "InvalidInput"]
    assert len(await events("engagement.reviewed")) == 1
    assert len(await rows("SELECT FROM reviews WHERE decided_at IS NULL")) == 1
    assert (await rows("SELECT version FROM engagements"))[0]["version"] == 3


async def test_the_agent_does_not_see_how_it_is_looked_at(
    town: Town, elm_street: House, acme: Agency, held: dict[str, Any]
) -> None:
    review = await _open(elm_street)
    node = "query ($id: ID!) { node(id: $id) { id } }"
    assert await acme.admin.ask(node, id=review["id"]) is None
    assert (await decide(acme.admin, review, "KEEP"))["problem"] == "NOT_FOUND"


# --- what speaks for a role: when it was used last


@pytest.fixture
async def desk(town: Town, elm_street: House) -> Agency:
    """A front-office worker at Elm Street's desk, with two roles."""
    found = await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")
    engagement = await town.engage(elm_street, found)
    await elm_street.owner.set_roles(engagement, "scheduler", "manager", acknowledgeWarnings=True)
    return found


async def _works(town: Town, desk: Agency, house: House) -> None:
    await desk.admin.ask("query ($id: ID!) { practice(id: $id) { name } }", id=house.id)
    await town.remembered.role_uses.write()


async def _evidence(house: House) -> dict[str, str | None]:
    return {use["role"]["key"]: use["lastUsedAt"] for use in (await _open(house))["evidence"]}


async def test_a_review_shows_when_each_role_was_used_last(town: Town, elm_street: House, desk: Agency) -> None:
    assert await _evidence(elm_street) == {"scheduler": None, "manager": None}
    await _works(town, desk, elm_street)
    used = {"scheduler": "2026-11-23T12:00:00Z", "manager": None}
    assert await _evidence(elm_street) == used
    document = "query ($id: ID!) { %s(id: $id) { engagements { nodes { lastUsedAt } } } }"
    for client, field, key in ((elm_street.owner, "practice", elm_street.id), (desk.admin, "agent", desk.id)):
        (engagement,) = (await client.ask(document % field, id=key))["engagements"]["nodes"]
        assert engagement["lastUsedAt"] == "2026-11-23T12:00:00Z"


async def test_a_use_is_written_once_a_minute_whether_or_not_the_answer_is_remembered(
    town: Town, elm_street: House, desk: Agency
) -> None:
    await desk.admin.ask("{ viewer { user { name } } }")  # the session's own minute begins here
    for seconds, seen in ((30, "12:00:30"), (30, "12:00:30"), (29, "12:00:30"), (1, "12:01:30"), (60, "12:02:30")):
        town.clock.advance(seconds=seconds)
        await _works(town, desk, elm_street)
        assert await _evidence(elm_street) == {"scheduler": f"2026-11-23T{seen}Z", "manager": None}


async def test_what_is_refused_and_what_the_practice_does_itself_is_no_use(
    town: Town, elm_street: House, desk: Agency, mia: Client
) -> None:
    await mia.ask("query ($id: ID!) { practice(id: $id) { name } }", id=elm_street.id)
    await rows("UPDATE engagements SET suspended_at = $1", town.clock.now)
    await desk.admin.refusal("query ($id: ID!) { practice(id: $id) { name } }", id=elm_street.id)
    await town.remembered.role_uses.write()
    assert await rows("SELECT FROM role_uses") == []


async def test_who_is_on_the_staff_too_uses_no_role_of_the_agent(town: Town, elm_street: House, desk: Agency) -> None:
    await town.staff(elm_street, desk.admin.email, "scheduler")
    await _works(town, desk, elm_street)
    assert await rows("SELECT FROM role_uses") == []
