"""Each side's act on an agreement: what it makes of it, what it refuses, and what it leaves in the record."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.agreed import SHA, Parties, blockers, state_of
from tests.engaged import permissions_of
from tests.stored import chains_hold, events, rows
from tests.town import Agency, Client, House, Town

NOON = "2026-11-23T12:00:00Z"


@pytest.fixture
async def parties(town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]) -> Parties:
    await elm_street.owner.set_roles(engagement, "biller")
    return Parties(elm_street, acme, engagement)


@pytest.fixture
async def desk(town: Town, elm_street: House) -> Parties:
    """A front-office worker, for whom an agreement is only recommended."""
    agency = await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")
    engagement = await town.engage(elm_street, agency)
    await elm_street.owner.set_roles(engagement, "scheduler", acknowledgeWarnings=True)
    return Parties(elm_street, agency, engagement)


# --- the way into force


async def test_asked_for_signed_and_recorded_it_is_in_force_and_each_step_says_who_acts_next(
    town: Town, parties: Parties
) -> None:
    assert blockers(await parties.look()) == [
        ("AGREEMENT_MISSING", "AGENT", NOON),
        ("MEMBER_NOT_ASSIGNED", "AGENT", NOON),
    ]
    town.clock.advance(minutes=1)
    asked = await parties.request()
    assert state_of(asked) == "REQUESTED"
    assert blockers(asked["engagement"])[0] == ("AGREEMENT_MISSING", "AGENT", "2026-11-23T12:01:00Z")
    town.clock.advance(minutes=1)
    signed = await parties.sign()
    assert state_of(signed) == "SIGNED_BY_AGENT"
    assert blockers(signed["engagement"])[0] == ("AGREEMENT_MISSING", "PRACTICE", "2026-11-23T12:02:00Z")
    town.clock.advance(minutes=1)
    recorded = await parties.record()
    found = recorded["engagement"]
    assert (state_of(recorded), found["status"], found["version"]) == ("IN_FORCE", "ACTIVE", 5)
    assert [each["code"] for each in found["blockers"]] == ["MEMBER_NOT_ASSIGNED"]
    assert {each["key"] for each in found["permissions"]} >= {"claims.submit"}
    assert found["agreement"] == {
        "requirement": "REQUIRED",
        "basis": "BAA",
        "state": "IN_FORCE",
        "effectiveOn": "2026-11-23",
        "expiresOn": None,
        "coveredUntil": None,
        "documentRef": "cabinet 7",
        "documentSha256": SHA,
        "requestedAt": "2026-11-23T12:01:00Z",
        "agentSignedAt": "2026-11-23T12:02:00Z",
        "practiceSignedAt": "2026-11-23T12:03:00Z",
        "trainingCompletedOn": None,
        "waivedAt": None,
        "waiveReason": None,
        "terminatedAt": None,
    }


async def test_the_practice_may_record_first_and_then_the_agent_is_waited_for(town: Town, parties: Parties) -> None:
    town.clock.advance(minutes=1)
    recorded = await parties.record(documentRef="safe", documentSha256=SHA.upper(), expiresOn="2027-11-22")
    found = recorded["engagement"]
    assert (state_of(recorded), found["status"], found["permissions"]) == ("REQUESTED", "AWAITING_AGREEMENT", [])
    assert blockers(found)[0] == ("AGREEMENT_MISSING", "AGENT", "2026-11-23T12:01:00Z")
    signed = await parties.sign()
    assert state_of(signed) == "IN_FORCE"
    agreement = signed["engagement"]["agreement"]
    assert (agreement["documentRef"], agreement["expiresOn"]) == ("safe", "2027-11-22")


async def test_of_two_different_documents_neither_comes_into_force(parties: Parties) -> None:
    await parties.sign(documentSha256="b" * 64)
    before = await parties.look()
    for other in ({"documentSha256": SHA}, {"documentSha256": "c" * 64}):
        refused = await parties.record(**other)
        assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "documentSha256")
    assert await parties.look() == before
    assert state_of(await parties.sign(documentSha256=SHA)) == "SIGNED_BY_AGENT"  # a corrected signature
    assert state_of(await parties.record(documentSha256=SHA)) == "IN_FORCE"
    assert len(await rows("SELECT FROM agreements")) == 1


async def test_what_one_side_has_said_the_other_cannot_change(parties: Parties) -> None:
    wrong = [
        ({"effectiveOn": "2026-12-01"}, {"effectiveOn": "2026-11-23"}, "effectiveOn"),
        ({"expiresOn": "2027-01-31"}, {"expiresOn": "2028-01-31"}, "expiresOn"),
        ({"expiresOn": "2027-01-31"}, {"effectiveOn": "2027-01-31"}, "expiresOn"),
    ]
    for signed, recorded, field in wrong:
        await parties.sign(**signed)
        refused = await parties.record(**recorded)
        assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", field)
        assert await parties.state() == ("AWAITING_AGREEMENT", "SIGNED_BY_AGENT")


async def test_what_the_agent_has_said_the_practice_may_leave_out(parties: Parties) -> None:
    await parties.sign(effectiveOn="2026-11-20", expiresOn="2027-11-19")
    agreement = (await parties.record(effectiveOn="2026-11-20"))["engagement"]["agreement"]
    assert (agreement["effectiveOn"], agreement["expiresOn"]) == ("2026-11-20", "2027-11-19")


async def test_saying_again_what_is_agreed_changes_nothing(parties: Parties) -> None:
    for again in (parties.request, parties.sign, parties.sign, parties.record, parties.record, parties.sign):
        await again()
    assert (await parties.look())["version"] == 5
    counts = {kind: len(await events(f"agreement.{kind}")) for kind in ("requested", "signed", "recorded")}
    assert counts == {"requested": 1, "signed": 1, "recorded": 1}
    await parties.record(documentRef="another safe")  # where it is kept is the practice's to say
    assert (await parties.look())["agreement"]["documentRef"] == "another safe"
    assert (await parties.look())["version"] == 6


# --- who may


async def test_each_side_acts_for_itself_only(town: Town, parties: Parties) -> None:
    owner, admin = parties.owner, parties.admin
    parties.owner, parties.admin = admin, owner
    for act, permission, holder in (
        (parties.record, "agreements.record", "manager"),
        (parties.request, "agreements.record", "manager"),
        (parties.terminate, "agreements.record", "manager"),
        (parties.waive, "agreements.waive", "owner"),
        (parties.sign, "agreements.sign", "agent_admin"),
    ):
        refused = await act()
        assert (refused["problem"], refused["permission"]) == ("NOT_PERMITTED", permission)
        assert holder in {role["key"] for role in refused["heldBy"]}
    assert await rows("SELECT FROM agreements") == []


async def test_one_person_is_not_both_sides(town: Town, parties: Parties, desk: Parties, mia: Client) -> None:
    """Mia is a manager of the practice, and comes to the agent as its admin."""
    await town.member(parties.agency, mia.email, admin=True)
    parties.admin = parties.owner = mia
    assert state_of(await parties.sign()) == "SIGNED_BY_AGENT"
    refused = await parties.record()
    assert (refused["problem"], refused["permission"]) == ("NOT_PERMITTED", "agreements.record")
    assert await parties.state() == ("AWAITING_AGREEMENT", "SIGNED_BY_AGENT")
    await town.member(desk.agency, desk.owner.email)
    assert (await desk.waive())["problem"] == "NOT_PERMITTED"


async def test_an_ended_engagement_takes_no_agreement(parties: Parties) -> None:
    await parties.owner.revoke({"id": parties.id})
    for act in (parties.request, parties.sign, parties.record, parties.waive, parties.terminate):
        assert (await act())["problem"] == "ENGAGEMENT_ENDED", act


# --- going without


async def test_the_owner_waives_what_is_only_recommended_with_a_reason(town: Town, desk: Parties, mia: Client) -> None:
    found = (await desk.waive())["engagement"]
    assert (found["status"], found["agreement"]["state"]) == ("ACTIVE", "WAIVED")
    assert found["agreement"]["waiveReason"] == "one afternoon a month"
    again = await desk.waive(reason="another")
    assert again["engagement"] == found
    (event,) = await events("agreement.waived")
    assert (event["after"]["waive_reason"], event["before"]["agreement"]) == ("one afternoon a month", "none")
    changed = await desk.owner.set_roles({"id": desk.id, "version": found["version"]}, "scheduler", "biller")
    assert changed["__typename"] == "SetRolesSuccess", "the warning has been answered"


async def test_a_manager_waives_nothing_and_the_owner_only_with_a_recent_password(
    town: Town, desk: Parties, mia: Client
) -> None:
    owner = desk.owner
    desk.owner = mia
    refused = await desk.waive()
    assert (refused["problem"], refused["heldBy"]) == ("NOT_PERMITTED", [{"key": "owner"}])
    desk.owner = await town.person(owner.email, signed_in_ago=3600)
    assert (await desk.waive())["problem"] == "STEP_UP_REQUIRED"
    assert await rows("SELECT FROM agreements") == []


async def test_what_is_required_or_in_force_is_not_waived(parties: Parties, desk: Parties) -> None:
    await desk.sign()
    await desk.record()
    for each in (parties, desk):
        refused = await each.waive()
        assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "engagementId")
    assert (await desk.look())["agreement"]["state"] == "IN_FORCE"


# --- ending, and beginning again


async def test_ending_it_ends_the_permissions_at_once_and_signing_again_restores_them(
    town: Town, parties: Parties
) -> None:
    await parties.sign()
    await parties.record()
    stale = await parties.terminate(version=1)
    assert (stale["problem"], stale["current"]["version"]) == ("STALE_VERSION", 4)
    town.clock.advance(minutes=1)
    ended = (await parties.terminate())["engagement"]
    assert (ended["status"], ended["permissions"]) == ("AWAITING_AGREEMENT", [])
    assert blockers(ended)[0] == ("AGREEMENT_MISSING", "AGENT", "2026-11-23T12:01:00Z")
    assert (await parties.terminate())["engagement"] == ended, "it is over already"
    assert state_of(await parties.sign(documentSha256="b" * 64)) == "SIGNED_BY_AGENT"
    assert state_of(await parties.record()) == "IN_FORCE"
    first, second = await rows("SELECT document_sha256 AS sha, superseded_at FROM agreements ORDER BY superseded_at")
    assert (first["sha"], second["sha"], second["superseded_at"]) == (SHA, "b" * 64, None)
    assert (await parties.look())["status"] == "ACTIVE"


async def test_where_there_is_none_nothing_can_be_ended(parties: Parties) -> None:
    refused = await parties.terminate()
    assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "engagementId")


async def test_one_that_has_expired_is_signed_again_without_connecting_again(town: Town, parties: Parties) -> None:
    await parties.sign()
    await parties.record(expiresOn="2026-11-24")
    town.clock.advance(days=2)
    found = await parties.look(await town.person(parties.owner.email))
    assert blockers(found)[0] == ("AGREEMENT_EXPIRED", "PRACTICE", "2026-11-25T00:00:00Z")
    parties.owner, parties.admin = [await town.person(each.email) for each in (parties.owner, parties.admin)]
    await parties.record(effectiveOn="2026-11-25")
    assert state_of(await parties.sign()) == "IN_FORCE"


async def test_who_renews_in_time_is_never_without(town: Town, parties: Parties) -> None:
    """The one there is counts until the next one does, whoever acts first."""
    await parties.sign()
    await parties.record(expiresOn="2026-11-30")
    signed = await parties.sign(documentSha256="b" * 64, effectiveOn="2026-12-01")
    found = signed["engagement"]
    assert (found["status"], found["agreement"]["state"]) == ("ACTIVE", "EXPIRING")
    assert found["agreement"]["coveredUntil"] == "2026-11-30"
    recorded = await parties.record(effectiveOn="2026-12-01", expiresOn="2027-11-30")
    assert recorded["engagement"]["status"] == "ACTIVE"
    refused = await parties.sign(documentSha256="c" * 64)
    assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "engagementId"), "one is agreed for December"
    for day in ("2026-11-30T23:59:59+00:00", "2026-12-01T00:00:00+00:00", "2027-11-23T11:59:59+00:00"):
        town.clock.now = datetime.fromisoformat(day)
        assert (await parties.look(await town.person(parties.owner.email)))["status"] == "ACTIVE"


async def test_a_renewal_that_one_side_leaves_open_ends_with_what_it_was_to_follow(
    town: Town, parties: Parties
) -> None:
    await parties.sign()
    await parties.record(expiresOn="2026-11-24")
    await parties.sign(documentSha256="b" * 64)
    town.clock.advance(days=2)
    found = await parties.look(await town.person(parties.owner.email))
    assert (found["status"], found["permissions"]) == ("AWAITING_AGREEMENT", [])
    assert blockers(found)[0] == ("AGREEMENT_MISSING", "PRACTICE", "2026-11-25T00:00:00Z")


async def test_a_shorter_one_that_takes_over_does_not_give_the_longer_one_back(town: Town, parties: Parties) -> None:
    await parties.sign()
    await parties.record()
    await parties.sign(documentSha256="b" * 64, expiresOn="2026-11-24")
    await parties.record()
    town.clock.advance(days=2)
    found = await parties.look(await town.person(parties.owner.email))
    assert (found["agreement"]["state"], found["permissions"]) == ("EXPIRED", [])


# --- training


async def test_a_trained_worker_is_covered_until_the_training_is_due_again(town: Town, desk: Parties) -> None:
    found = (await desk.train("2026-11-01"))["engagement"]["agreement"]
    assert (found["basis"], found["state"]) == ("WORKFORCE_TRAINING", "IN_FORCE")
    assert (found["trainingCompletedOn"], found["expiresOn"]) == ("2026-11-01", "2027-11-01")
    again = await desk.train("2026-11-01")
    assert len(await events("agreement.recorded")) == 1, again
    await desk.train("2026-11-20")
    assert len(await events("agreement.recorded")) == 2


async def test_an_engagement_has_one_basis_at_a_time(desk: Parties) -> None:
    await desk.sign()
    await desk.record()
    assert state_of(await desk.train()) == "IN_FORCE"
    await desk.sign()
    assert state_of(await desk.record()) == "IN_FORCE"
    found = (await desk.look())["agreement"]
    assert (found["basis"], found["trainingCompletedOn"], found["coveredUntil"]) == ("BAA", None, None)
    assert len(await rows("SELECT FROM agreements WHERE superseded_at IS NULL")) == 1
    assert len(await rows("SELECT FROM agreements")) == 3


async def test_training_that_cannot_cover_anybody_is_refused(desk: Parties) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"completed": None}, "trainingCompletedOn"),
        ({"completed": "2026-11-24"}, "trainingCompletedOn"),
        ({"completed": "2025-11-22"}, "trainingCompletedOn"),
        ({"expiresOn": "2027-11-01"}, "expiresOn"),
        ({"effectiveOn": "2026-10-31"}, "effectiveOn"),
    ]
    for typed, field in wrong:
        refused = await desk.train(**typed)
        assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", field)
    assert await rows("SELECT FROM agreements") == []


async def test_a_company_is_nobodys_workforce(parties: Parties) -> None:
    refused = await parties.train()
    assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "basis")


# --- what nobody means


async def test_terms_that_nobody_means_are_refused_by_name(parties: Parties) -> None:
    wrong = [
        ({"effectiveOn": "2016-11-21"}, "effectiveOn"),
        ({"effectiveOn": "2028-11-24"}, "effectiveOn"),
        ({"expiresOn": "2026-11-22"}, "expiresOn"),
        ({"expiresOn": "2026-11-23"}, "expiresOn"),
        ({"expiresOn": "9999-12-31"}, "expiresOn"),
        ({"effectiveOn": "2026-12-02", "expiresOn": "2026-12-01"}, "expiresOn"),
        ({"documentSha256": "a" * 63}, "documentSha256"),
        ({"documentSha256": "g" * 64}, "documentSha256"),
        ({"documentRef": "x" * 201}, "documentRef"),
    ]
    for typed, field in wrong:
        for act in (parties.record, parties.sign):
            refused = await act(**{"effectiveOn": "2026-11-23", **typed})
            assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", field)
    refused = await parties.record(trainingCompletedOn="2026-11-01")
    assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "trainingCompletedOn")
    assert await rows("SELECT FROM agreements") == []


# --- the record


async def test_every_act_is_one_event_with_what_was_and_what_is(parties: Parties) -> None:
    await parties.request()
    await parties.sign()
    await parties.record()
    await parties.terminate()
    found = [(await events(f"agreement.{each}"))[0] for each in ("requested", "signed", "recorded", "terminated")]
    assert [each["party"] for each in found] == ["practice", "agent", "practice", "practice"]
    states = [(each["before"]["agreement"], each["after"]["agreement"]) for each in found]
    assert states == [
        ("none", "requested"),
        ("requested", "signed_by_agent"),
        ("signed_by_agent", "in_force"),
        ("in_force", "terminated"),
    ]
    assert found[2]["after"] == {
        "agreement": "in_force",
        "basis": "baa",
        "effective_on": "2026-11-23",
        "expires_on": None,
        "document_sha256": SHA,
        "version": 5,
    }
    assert await chains_hold() > 0


async def test_the_front_desk_works_with_and_without_an_agreement(town: Town, desk: Parties) -> None:
    """What is only recommended holds nothing up: not before, and not when it has ended."""
    held = await permissions_of(desk.admin, desk.house)
    assert "schedule.write" in held
    await desk.sign()
    await desk.record()
    await desk.terminate()
    assert await permissions_of(desk.admin, desk.house) == held
