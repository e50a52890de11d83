from __future__ import annotations

from typing import Any

import pytest

from tests.stored import events, rows
from tests.town import Client, House, Town

STAFF = """
... on StaffSuccess { staff { id user { email } roles { key } } } ... on InvalidInput { field }
... on UnknownRole { role didYouMean } ... on RoleNotGrantable { role } ... on SeparationOfDuty { permissions }
... on NotPermitted { permission }
"""
ADDED = """
... on InvitationSuccess { code invitation { id } } ... on InvalidInput { field }
... on UnknownRole { role didYouMean } ... on RoleNotGrantable { role } ... on SeparationOfDuty { permissions }
... on NotPermitted { permission }
"""


async def add(client: Client, house: House, email: str, *roles: str, **typed: Any) -> Any:
    return await client.do("addStaff", ADDED, practiceId=house.id, email=email, name="Bea", roles=roles, **typed)


async def set_staff(client: Client, staff_id: str, *roles: str) -> Any:
    return await client.do("setStaffRoles", STAFF, staffId=staff_id, roles=roles)


async def staff_id(email: str) -> str:
    (row,) = await rows("SELECT s.id FROM staff_members s JOIN users u ON u.id = s.user_id WHERE u.email = $1", email)
    return str(row["id"])


@pytest.mark.parametrize(
    ("roles", "refusal"),
    [
        ([], {"problem": "INVALID_INPUT", "field": "roles"}),
        (["biller", "biller"], {"problem": "INVALID_INPUT", "field": "roles"}),
        (["scheduller"], {"problem": "UNKNOWN_ROLE", "didYouMean": ["scheduler"]}),
        (["auditor"], {"problem": "ROLE_NOT_GRANTABLE", "role": "auditor"}),
        (["owner"], {"problem": "ROLE_NOT_GRANTABLE", "role": "owner"}),
        (["operator"], {"problem": "ROLE_NOT_GRANTABLE", "role": "operator"}),
        (
            ["manager", "records_custodian"],
            {"problem": "SEPARATION_OF_DUTY", "permissions": ["agents.set_roles", "records.redact"]},
        ),
    ],
)
async def test_staff_roles_that_nobody_may_be_given(
    town: Town, elm_street: House, roles: list[str], refusal: dict[str, Any]
) -> None:
    answer = await add(elm_street.owner, elm_street, "bea@elm.example", *roles)
    assert refusal.items() <= answer.items()
    assert await rows("SELECT FROM invitations") == []
    assert await events("staff.invited") == []


@pytest.mark.parametrize(
    ("roles", "refusal"),
    [
        (["biller", "biller"], {"problem": "INVALID_INPUT", "field": "roles"}),
        (["scheduller"], {"problem": "UNKNOWN_ROLE", "didYouMean": ["scheduler"]}),
        (["scheduler", "auditor"], {"problem": "ROLE_NOT_GRANTABLE", "role": "auditor"}),
        (["owner", "scheduler"], {"problem": "ROLE_NOT_GRANTABLE", "role": "owner"}),
        (["operator"], {"problem": "ROLE_NOT_GRANTABLE", "role": "operator"}),
        (
            ["manager", "records_custodian"],
            {"problem": "SEPARATION_OF_DUTY", "permissions": ["agents.set_roles", "records.redact"]},
        ),
    ],
)
async def test_nor_may_they_be_set(town: Town, elm_street: House, roles: list[str], refusal: dict[str, Any]) -> None:
    await town.staff(elm_street, "bea@elm.example", "scheduler")
    answer = await set_staff(elm_street.owner, await staff_id("bea@elm.example"), *roles)
    assert refusal.items() <= answer.items()
    assert await rows("SELECT roles FROM staff_members WHERE NOT 'owner' = ANY (roles)") == [{"roles": ["scheduler"]}]
    assert await events("staff.roles_set") == []


async def test_a_separated_duty_counts_with_the_roles_that_stay(town: Town, elm_street: House) -> None:
    await town.staff(elm_street, "bea@elm.example", "records_custodian")
    both = await set_staff(elm_street.owner, await staff_id("bea@elm.example"), "manager", "records_custodian")
    assert both["problem"] == "SEPARATION_OF_DUTY"
    other = await set_staff(elm_street.owner, await staff_id("bea@elm.example"), "manager")
    assert other["__typename"] == "StaffSuccess"


async def test_roles_that_stay_need_nobody_who_could_grant_them(town: Town, elm_street: House) -> None:
    """Nor a recent password: only what is new is granted, and taking away is always in time."""
    await town.staff(elm_street, "sam@elm.example", "staff_administrator")
    await town.staff(elm_street, "mia@elm.example", "manager", "scheduler")
    later = await town.person("sam@elm.example", signed_in_ago=3600)
    mia = await staff_id("mia@elm.example")
    assert (await set_staff(later, mia, "manager", "biller"))["__typename"] == "StaffSuccess"
    owner = await town.person(elm_street.owner.email, signed_in_ago=3600)
    assert (await set_staff(owner, mia, "biller"))["__typename"] == "StaffSuccess"


async def test_sensitive_staff_roles_need_the_password_again(town: Town, elm_street: House) -> None:
    await town.staff(elm_street, "bea@elm.example", "scheduler")
    later = await town.person(elm_street.owner.email, signed_in_ago=601)
    assert (await add(later, elm_street, "x@elm.example", "manager"))["problem"] == "STEP_UP_REQUIRED"
    assert (await add(later, elm_street, "x@elm.example", "scheduler"))["__typename"] == "InvitationSuccess"
    assert (await set_staff(later, await staff_id("bea@elm.example"), "manager"))["problem"] == "STEP_UP_REQUIRED"
    recent = await town.person(elm_street.owner.email, signed_in_ago=600)
    assert (await set_staff(recent, await staff_id("bea@elm.example"), "manager"))["__typename"] == "StaffSuccess"


async def test_a_staff_administrator_hands_out_the_office_roles_and_no_others(town: Town, elm_street: House) -> None:
    admin = await town.staff(elm_street, "sam@elm.example", "staff_administrator")
    await town.staff(elm_street, "mia@elm.example", "manager")
    for role in ("manager", "staff_administrator", "therapist", "records_custodian", "owner"):
        assert (await add(admin, elm_street, "x@elm.example", role))["problem"] == "ROLE_NOT_GRANTABLE"
    assert (await add(admin, elm_street, "x@elm.example", "scheduler", "biller"))["__typename"] == "InvitationSuccess"
    taken = await set_staff(admin, await staff_id("mia@elm.example"))
    assert (taken["problem"], taken["role"]) == ("ROLE_NOT_GRANTABLE", "manager")


async def test_a_manager_of_agents_has_no_say_about_staff(town: Town, elm_street: House) -> None:
    manager = await town.staff(elm_street, "mia@elm.example", "manager")
    refused = await add(manager, elm_street, "x@elm.example", "scheduler")
    assert (refused["problem"], refused["permission"]) == ("NOT_PERMITTED", "staff.add")


async def test_nobody_changes_their_own_staff_roles(town: Town, elm_street: House) -> None:
    for roles in (["owner", "reporting"], ["manager"], []):
        answer = await set_staff(elm_street.owner, await staff_id(elm_street.owner.email), *roles)
        assert answer["problem"] == "ROLE_NOT_GRANTABLE"
    admin = await town.staff(elm_street, "sam@elm.example", "staff_administrator")
    answer = await set_staff(admin, await staff_id("sam@elm.example"), "staff_administrator", "scheduler")
    assert answer["problem"] == "ROLE_NOT_GRANTABLE"


async def test_the_owner_is_exactly_one_whatever_is_tried(town: Town, elm_street: House) -> None:
    admin = await town.staff(elm_street, "sam@elm.example", "staff_administrator")
    owner = await staff_id(elm_street.owner.email)
    assert (await set_staff(admin, owner, "scheduler"))["problem"] == "ROLE_NOT_GRANTABLE"
    sam = await staff_id("sam@elm.example")
    assert (await set_staff(elm_street.owner, sam, "owner"))["problem"] == "ROLE_NOT_GRANTABLE"
    owners = await rows("SELECT id::text FROM staff_members WHERE 'owner' = ANY (roles)")
    assert owners == [{"id": owner}]


async def test_naming_the_staff_roles_somebody_has_changes_nothing(town: Town, elm_street: House) -> None:
    later = await town.person(elm_street.owner.email, signed_in_ago=3600)
    await town.staff(elm_street, "bea@elm.example", "manager", "scheduler")
    answer = await set_staff(later, await staff_id("bea@elm.example"), "scheduler", "manager")
    assert answer["__typename"] == "StaffSuccess"
    assert await events("staff.roles_set") == []


async def test_a_staff_role_taken_away_is_gone_at_the_next_request(town: Town, elm_street: House) -> None:
    bea = await town.staff(elm_street, "bea@elm.example", "staff_administrator")
    assert (await add(bea, elm_street, "x@elm.example", "scheduler"))["__typename"] == "InvitationSuccess"
    await set_staff(elm_street.owner, await staff_id("bea@elm.example"), "scheduler")
    assert (await add(bea, elm_street, "y@elm.example", "scheduler"))["problem"] == "NOT_PERMITTED"
    (event,) = await events("staff.roles_set")
    assert (event["before"]["roles"], event["after"]["roles"]) == (["staff_administrator"], ["scheduler"])


async def test_another_practices_staff_cannot_be_told_from_nobody(town: Town, elm_street: House) -> None:
    harbour = await town.practice("Harbour Counselling", "SHARED_OFFICE_MEMBER")
    theirs = await set_staff(harbour.owner, await staff_id(elm_street.owner.email), "scheduler")
    nobody = await set_staff(harbour.owner, "01975f0e-0000-7000-8000-000000000001", "scheduler")
    assert theirs == nobody
    assert theirs["problem"] == "NOT_FOUND"
