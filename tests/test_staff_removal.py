"""Who takes whom off a practice's staff, and that it is over at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.in_turn import in_turn
from tests.stored import events, rows
from tests.town import INVITED, Client, House, Town

REMOVED = """
... on StaffSuccess { staff { id active user { email } } } ... on InvalidInput { field }
... on RoleNotGrantable { role } ... on NotPermitted { permission }
"""
PRACTICE = "query ($id: ID!) { practice(id: $id) { name } }"


async def remove(client: Client, email: str, **typed: Any) -> Any:
    return await client.do("removeStaff", REMOVED, staffId=await key_of(email), **typed)


async def key_of(email: str) -> str:
    (row,) = await rows("SELECT s.id FROM staff_members s JOIN users u ON u.id = s.user_id WHERE u.email = $1", email)
    return str(row["id"])


async def still_there() -> set[str]:
    found = await rows("SELECT u.email FROM staff_members s JOIN users u ON u.id = s.user_id WHERE removed_at IS NULL")
    return {row["email"] for row in found}


@pytest.fixture
async def sam(town: Town, elm_street: House) -> Client:
    """The staff administrator of Elm Street."""
    return await town.staff(elm_street, "sam@elm.example", "staff_administrator")


async def test_whoever_is_removed_has_nothing_there_at_the_next_request(town: Town, elm_street: House) -> None:
    bea = await town.staff(elm_street, "bea@elm.example", "manager")
    assert (await bea.ask(PRACTICE, id=elm_street.id))["name"] == "Elm Street Therapy"
    answer = await remove(elm_street.owner, "bea@elm.example")
    assert answer["staff"]["active"] is False
    assert await bea.ask(PRACTICE, id=elm_street.id) is None
    mine = await bea.ask("{ viewer { staffOf { totalCount } user { email } } }")
    assert mine == {"staffOf": {"totalCount": 0}, "user": {"email": "bea@elm.example"}}  # and is signed in all the same
    listed = await elm_street.owner.ask(
        "query ($id: ID!) { practice(id: $id) { staff { nodes { user { email } } } } }", id=elm_street.id
    )
    assert [one["user"]["email"] for one in listed["staff"]["nodes"]] == [elm_street.owner.email]


async def test_the_record_keeps_who_had_what_and_why_it_ended(town: Town, elm_street: House, sam: Client) -> None:
    await town.staff(elm_street, "bea@elm.example", "scheduler", "biller")
    key = await key_of("bea@elm.example")
    await remove(sam, "bea@elm.example", reason="  moved away ")
    (event,) = await events("staff.removed")
    assert event["before"] == {"staff": key, "roles": ["biller", "scheduler"]}
    assert event["after"] == {"staff": key, "note": "moved away"}
    assert (str(event["chain_id"]), str(event["actor_user_id"])) == (elm_street.id, sam.user_id)


@pytest.mark.parametrize("role", ["manager", "staff_administrator", "therapist", "records_custodian"])
async def test_an_administrator_removes_nobody_whose_role_they_could_not_take_away(
    town: Town, elm_street: House, sam: Client, role: str
) -> None:
    await town.staff(elm_street, "mia@elm.example", "scheduler", role)
    refused = await remove(sam, "mia@elm.example")
    assert (refused["problem"], refused["role"]) == ("ROLE_NOT_GRANTABLE", role)
    assert (await remove(elm_street.owner, "mia@elm.example"))["__typename"] == "StaffSuccess"


async def test_nobody_removes_the_owner_or_themselves(town: Town, elm_street: House, sam: Client) -> None:
    refused = await remove(sam, elm_street.owner.email)
    assert (refused["problem"], refused["role"]) == ("ROLE_NOT_GRANTABLE", "owner")
    for client in (sam, elm_street.owner):
        refused = await remove(client, client.email)
        assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "staffId")
    assert await still_there() == {elm_street.owner.email, sam.email}
    assert await events("staff.removed") == []


async def test_whoever_looks_after_agents_has_no_say_about_staff(town: Town, elm_street: House, mia: Client) -> None:
    await town.staff(elm_street, "bea@elm.example", "scheduler")
    refused = await remove(mia, "bea@elm.example")
    assert (refused["problem"], refused["permission"]) == ("NOT_PERMITTED", "staff.remove")


async def test_roles_that_the_policy_has_lost_keep_nobody_on_the_staff(
    town: Town, elm_street: House, sam: Client
) -> None:
    for email, roles in (("bea@elm.example", ["gone"]), ("cal@elm.example", [])):
        await town.staff(elm_street, email, "scheduler")
        await rows("UPDATE staff_members SET roles = $2 WHERE id = $1", await key_of(email), roles)
        assert (await remove(sam, email))["__typename"] == "StaffSuccess"


async def test_another_practices_staff_and_whoever_is_gone_cannot_be_told_from_nobody(
    town: Town, elm_street: House
) -> None:
    await town.staff(elm_street, "bea@elm.example", "scheduler")
    harbour = await town.practice("Harbour Counselling")
    nobody = await harbour.owner.do("removeStaff", REMOVED, staffId="01975f0e-0000-7000-8000-000000000001")
    assert await remove(harbour.owner, "bea@elm.example") == nobody
    await remove(elm_street.owner, "bea@elm.example")
    assert await remove(elm_street.owner, "bea@elm.example") == nobody
    assert nobody["problem"] == "NOT_FOUND"
    assert len(await events("staff.removed")) == 1


async def test_whoever_is_removed_can_be_invited_again_and_has_what_that_invitation_says(
    town: Town, elm_street: House
) -> None:
    bea = await town.staff(elm_street, "bea@elm.example", "manager")
    key = await key_of("bea@elm.example")
    await elm_street.owner.do("recordTraining", "", staffId=key, completedOn="2026-11-20")
    await remove(elm_street.owner, "bea@elm.example")
    town.clock.advance(days=1)
    elm_street.owner = await town.person(elm_street.owner.email)
    bea = await town.staff(elm_street, "bea@elm.example", "scheduler")
    mine = await bea.ask(
        "{ viewer { staffOf { nodes { id active roles { key } training { lastCompletedOn dueOn } } } } }"
    )
    training = {"lastCompletedOn": "2026-11-20", "dueOn": "2027-11-20"}  # what they learned they still know
    assert mine["staffOf"]["nodes"] == [
        {"id": key, "active": True, "roles": [{"key": "scheduler"}], "training": training}
    ]


async def test_what_whoever_is_removed_offered_others_opens_nothing(town: Town, elm_street: House, sam: Client) -> None:
    typed = {"practiceId": elm_street.id, "email": "x@elm.example", "name": "X", "roles": ["scheduler"]}
    code = (await sam.do("addStaff", INVITED, **typed))["code"]
    await remove(elm_street.owner, sam.email)
    late = await (await town.person("x@elm.example")).do("acceptInvitation", "", code=code)
    assert late["problem"] == "INVITATION_REJECTED"


# --- at the same moment


@pytest.mark.parametrize("removed_first", [True, False])
@pytest.mark.parametrize(
    ("mutation", "typed"),
    [("setStaffRoles", {"roles": ["biller"]}), ("removeStaff", {}), ("recordTraining", {"completedOn": "2026-11-20"})],
)
async def test_whoever_is_removed_while_their_request_waits_changes_nothing_any_more(
    town: Town,
    elm_street: House,
    sam: Client,
    database_url: str,
    mutation: str,
    typed: dict[str, Any],
    removed_first: bool,
) -> None:
    await town.staff(elm_street, "bea@elm.example", "scheduler")
    staff = await key_of("bea@elm.example")
    both = [remove(elm_street.owner, sam.email), sam.do(mutation, "", staffId=staff, **typed)]
    answers = await in_turn(database_url, *(both if removed_first else reversed(both)))
    told = [answer.get("problem", "ok") for answer in answers]
    assert told[1] == ("NOT_FOUND" if removed_first else "ok")
    assert told[0] == "ok" or (told[0] == "NOT_FOUND" and not removed_first)  # done, and before it is shown, removed
    gone = {sam.email} if removed_first or mutation != "removeStaff" else {sam.email, "bea@elm.example"}
    assert await still_there() == {elm_street.owner.email, "bea@elm.example", sam.email} - gone


@pytest.mark.parametrize("removed_first", [True, False])
async def test_whose_role_is_taken_while_their_request_waits_uses_it_no_more(
    town: Town, elm_street: House, sam: Client, database_url: str, removed_first: bool
) -> None:
    await town.staff(elm_street, "bea@elm.example", "scheduler")
    taken = elm_street.owner.do("setStaffRoles", "", staffId=await key_of(sam.email), roles=["biller"])
    both = [taken, remove(sam, "bea@elm.example")]
    answers = await in_turn(database_url, *(both if removed_first else reversed(both)))
    assert [answer.get("problem", "ok") for answer in answers] == ["ok", "NOT_PERMITTED" if removed_first else "ok"]


@pytest.mark.parametrize("mutation", ["setStaffRoles", "removeStaff", "recordTraining"])
async def test_nothing_happens_to_somebody_who_is_gone_by_then(
    town: Town, elm_street: House, sam: Client, database_url: str, mutation: str
) -> None:
    await town.staff(elm_street, "bea@elm.example", "scheduler")
    inputs: dict[str, dict[str, Any]] = {
        "setStaffRoles": {"roles": ["biller"]},
        "removeStaff": {},
        "recordTraining": {"completedOn": "2026-11-20"},
    }
    late = sam.do(mutation, "", staffId=await key_of("bea@elm.example"), **inputs[mutation])
    answers = await in_turn(database_url, remove(elm_street.owner, "bea@elm.example"), late)
    assert [answer.get("problem", "ok") for answer in answers] == ["ok", "NOT_FOUND"]
    assert len(await events("staff.removed")) == 1
    assert await events("staff.roles_set") + await events("staff.training_recorded") == []
