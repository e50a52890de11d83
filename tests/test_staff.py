from __future__ import annotations

from typing import Any

import pytest

from tests.stored import events, rows
from tests.town import Client, House, Town

PASSWORD = "correct horse"
SIGNED_IN = """
... on SignInSuccess { viewer { user { id email name } session { id startedAt expiresAt reauthenticatedAt } } }
... on SignInFailed { secondFactorRequired } ... on RateLimited { retryAfterSeconds } ... on InvalidInput { field }
"""
STAFF = """
... on StaffSuccess { staff { id user { email } roles { key } } } ... on InvalidInput { field }
... on UnknownRole { role didYouMean } ... on RoleNotGrantable { role } ... on SeparationOfDuty { permissions }
... on NotPermitted { permission }
"""
MEMBER = """
... on MemberSuccess { member { id admin status user { email } } practicesNotified } ... on InvalidInput { field }
... on NotPermitted { permission heldBy { key } }
"""
MEMBERS = "query ($id: ID!) { agent(id: $id) { members { nodes { status user { email } } } } }"


async def sign_up(client: Client, email: str = "ann@elm.example", password: str = PASSWORD, name: str = "Ann") -> Any:
    return await client.do("signUp", SIGNED_IN, email=email, password=password, name=name)


async def sign_in(client: Client, email: str = "ann@elm.example", password: str = PASSWORD) -> Any:
    return await client.do("signIn", SIGNED_IN, email=email, password=password)


async def add(client: Client, house: House, email: str, *roles: str, **typed: Any) -> Any:
    return await client.do("addStaff", STAFF, practiceId=house.id, email=email, name="Bea", roles=roles, **typed)


async def set_staff(client: Client, staff_id: str, *roles: str) -> Any:
    return await client.do("setStaffRoles", STAFF, staffId=staff_id, roles=roles)


async def staff_id(email: str) -> str:
    (row,) = await rows("SELECT s.id FROM staff_members s JOIN users u ON u.id = s.user_id WHERE u.email = $1", email)
    return str(row["id"])


# --- invitations


async def test_an_invited_person_is_invited_until_they_sign_up(town: Town) -> None:
    acme = await town.agency()
    invited = await acme.admin.do("inviteMember", MEMBER, agentId=acme.id, email="New@acme.example", name="N")
    assert (invited["member"]["status"], invited["practicesNotified"]) == ("INVITED", 0)
    new = town.visitor()
    answer = await sign_up(new, email="new@acme.example", name="Nina New")
    assert answer["viewer"]["user"]["name"] == "Nina New"
    members = await acme.admin.ask(MEMBERS, id=acme.id)
    assert {m["user"]["email"]: m["status"] for m in members["members"]["nodes"]} == {
        "admin@acme.example": "ACTIVE",
        "new@acme.example": "ACTIVE",
    }
    issued = await new.do("issueToken", "", agentId=acme.id)
    assert issued["__typename"] == "IssueTokenSuccess"


async def test_an_invited_person_without_a_password_cannot_sign_in(town: Town) -> None:
    acme = await town.agency()
    await acme.admin.do("inviteMember", MEMBER, agentId=acme.id, email="new@acme.example", name="N")
    for password in ("", PASSWORD):
        assert (await sign_in(town.visitor(), email="new@acme.example", password=password))["problem"]


async def test_somebody_with_an_account_is_a_member_at_once_and_only_once(town: Town) -> None:
    acme = await town.agency()
    await town.person("ann@elm.example")
    typed = {"agentId": acme.id, "email": "ann@elm.example", "name": "Ann"}
    assert (await acme.admin.do("inviteMember", MEMBER, **typed))["member"]["status"] == "ACTIVE"
    again = await acme.admin.do("inviteMember", MEMBER, **typed)
    assert (again["problem"], again["field"]) == ("INVALID_INPUT", "email")
    assert len(await events("member.invited")) == 1


async def test_only_an_admin_invites(town: Town) -> None:
    acme = await town.agency()
    member = await town.member(acme, "member@acme.example")
    stranger = await town.person("ann@elm.example")
    typed = {"agentId": acme.id, "email": "x@acme.example", "name": "X"}
    refused = await member.do("inviteMember", MEMBER, **typed)
    assert (refused["problem"], refused["heldBy"]) == ("NOT_PERMITTED", [{"key": "agent_admin"}])
    assert (await stranger.do("inviteMember", MEMBER, **typed))["problem"] == "NOT_FOUND"
    assert await rows("SELECT FROM users WHERE email = 'x@acme.example'") == []


# --- staff


async def test_staff_without_an_account_find_their_practice_when_they_sign_up(town: Town, elm_street: House) -> None:
    assert (await add(elm_street.owner, elm_street, "Bea@elm.example", "scheduler"))["__typename"] == "StaffSuccess"
    bea = town.visitor()
    await sign_up(bea, email="bea@elm.example")
    viewer = await bea.ask("{ viewer { staffOf { nodes { practice { id } roles { key } } } } }")
    assert viewer["staffOf"]["nodes"] == [{"practice": {"id": elm_street.id}, "roles": [{"key": "scheduler"}]}]


async def test_a_person_is_on_a_practices_staff_once(town: Town, elm_street: House) -> None:
    await add(elm_street.owner, elm_street, "bea@elm.example", "scheduler")
    again = await add(elm_street.owner, elm_street, "bea@elm.example", "biller")
    assert (again["problem"], again["field"]) == ("INVALID_INPUT", "email")


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
    assert await rows("SELECT FROM users WHERE email = 'bea@elm.example'") == []
    assert await events("staff.added") == []


async def test_sensitive_staff_roles_need_the_password_again(town: Town, elm_street: House) -> None:
    later = await town.person(elm_street.owner.email, signed_in_ago=601)
    assert (await add(later, elm_street, "bea@elm.example", "manager"))["problem"] == "STEP_UP_REQUIRED"
    assert (await add(later, elm_street, "bea@elm.example", "scheduler"))["__typename"] == "StaffSuccess"
    assert (await set_staff(later, await staff_id("bea@elm.example"), "manager"))["problem"] == "STEP_UP_REQUIRED"
    recent = await town.person(elm_street.owner.email, signed_in_ago=600)
    assert (await set_staff(recent, await staff_id("bea@elm.example"), "manager"))["__typename"] == "StaffSuccess"


async def test_a_staff_administrator_hands_out_the_office_roles_and_no_others(town: Town, elm_street: House) -> None:
    admin = await town.staff(elm_street, "sam@elm.example", "staff_administrator")
    await town.staff(elm_street, "mia@elm.example", "manager")
    for role in ("manager", "staff_administrator", "therapist", "records_custodian", "owner"):
        assert (await add(admin, elm_street, "x@elm.example", role))["problem"] == "ROLE_NOT_GRANTABLE"
    assert (await add(admin, elm_street, "x@elm.example", "scheduler", "biller"))["__typename"] == "StaffSuccess"
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
    assert (await add(bea, elm_street, "x@elm.example", "scheduler"))["__typename"] == "StaffSuccess"
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
