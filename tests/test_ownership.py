"""A practice changes hands: one owner before, one after, and at no instant none or two."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from authz.actor import Access, Actor, Place
from authz.load import load
from errors import NotPermitted
from models import StaffMember
from models.identifier import uuid7
from operations.colleagues import Colleagues
from operations.ownership import _beside, _giver
from tests.in_turn import in_turn
from tests.stored import chains_hold, events, rows
from tests.town import INVITED, POLICIES, START, Client, House, Town

TAKEN = """
... on StaffSuccess { staff { id active user { email } roles { key } practice { name } } }
... on InvalidInput { field } ... on UnknownRole { role didYouMean } ... on RoleNotGrantable { role }
... on SeparationOfDuty { permissions } ... on NotPermitted { permission heldBy { key } }
"""
BEA, CAL = "bea@elm.example", "cal@elm.example"


async def hand_over(client: Client, house: House, to: str, **typed: Any) -> Any:
    return await client.do("transferOwnership", TAKEN, practiceId=house.id, toStaffId=to, **typed)


async def key_of(email: str) -> str:
    (row,) = await rows("SELECT s.id FROM staff_members s JOIN users u ON u.id = s.user_id WHERE u.email = $1", email)
    return str(row["id"])


async def staff_roles() -> dict[str, list[str]]:
    found = await rows(
        "SELECT u.email, s.roles FROM staff_members s JOIN users u ON u.id = s.user_id WHERE removed_at IS NULL"
    )
    return {row["email"]: row["roles"] for row in found}


async def owners() -> list[str]:
    return sorted(email for email, roles in (await staff_roles()).items() if "owner" in roles)


async def permissions(client: Client, house: House) -> set[str]:
    document = "query ($id: ID!) { viewer { permissions(practiceId: $id) } }"
    return set((await client.ask(document, id=house.id))["permissions"])


@pytest.fixture
async def bea(town: Town, elm_street: House) -> Client:
    return await town.staff(elm_street, BEA, "scheduler", "manager")


async def test_the_receiver_is_the_owner_and_the_giver_a_manager(town: Town, elm_street: House, bea: Client) -> None:
    owner = elm_street.owner
    before = await permissions(owner, elm_street)
    taken = await hand_over(owner, elm_street, await key_of(BEA))
    assert (taken["staff"]["user"], taken["staff"]["roles"]) == ({"email": BEA}, [{"key": "owner"}])
    assert await staff_roles() == {owner.email: ["manager"], BEA: ["owner"]}
    assert await permissions(bea, elm_street) == before
    certain = town.policy.roles["manager"].permissions - {"payments.refund"}  # a guard decides how much
    assert await permissions(owner, elm_street) >= certain
    assert await permissions(owner, elm_street) < before
    assert (await hand_over(owner, elm_street, await key_of(BEA)))["problem"] == "NOT_PERMITTED"


async def test_the_record_says_who_had_what_before_and_after(town: Town, elm_street: House, bea: Client) -> None:
    giver, taker = await key_of(elm_street.owner.email), await key_of(BEA)
    await hand_over(elm_street.owner, elm_street, taker, roles=["therapist"])
    (event,) = await events("practice.transferred")
    assert event["before"] == {"owner": giver, "roles": {giver: ["owner"], taker: ["manager", "scheduler"]}}
    assert event["after"] == {"owner": taker, "roles": {giver: ["therapist"], taker: ["owner"]}}
    assert (str(event["chain_id"]), event["party"]) == (elm_street.id, "practice")
    assert str(event["actor_user_id"]) == elm_street.owner.user_id
    assert await chains_hold() > 0


async def test_only_the_new_owner_can_give_it_back(town: Town, elm_street: House, bea: Client) -> None:
    await hand_over(elm_street.owner, elm_street, await key_of(BEA))
    back = await hand_over(bea, elm_street, await key_of(elm_street.owner.email), roles=[])
    assert back["__typename"] == "StaffSuccess"
    assert back["staff"]["practice"] == {"name": "Elm Street Therapy"}  # whoever keeps nothing still sees the answer
    assert await staff_roles() == {elm_street.owner.email: ["owner"], BEA: []}
    assert await permissions(bea, elm_street) == await permissions(await town.person("x@elm.example"), elm_street)


@pytest.mark.parametrize(
    ("roles", "refusal"),
    [
        (["biller", "biller"], {"problem": "INVALID_INPUT", "field": "roles"}),
        (["scheduller"], {"problem": "UNKNOWN_ROLE", "didYouMean": ["scheduler"]}),
        (["owner"], {"problem": "ROLE_NOT_GRANTABLE", "role": "owner"}),
        (["auditor"], {"problem": "ROLE_NOT_GRANTABLE", "role": "auditor"}),
        (["operator"], {"problem": "ROLE_NOT_GRANTABLE", "role": "operator"}),
        (
            ["manager", "records_custodian"],
            {"problem": "SEPARATION_OF_DUTY", "permissions": ["agents.set_roles", "records.redact"]},
        ),
    ],
)
async def test_the_giver_keeps_only_what_anybody_on_the_staff_could_be_given(
    town: Town, elm_street: House, bea: Client, roles: list[str], refusal: dict[str, Any]
) -> None:
    before = await staff_roles()
    answer = await hand_over(elm_street.owner, elm_street, await key_of(BEA), roles=roles)
    assert refusal.items() <= answer.items()
    assert await staff_roles() == before
    assert await events("practice.transferred") == []


async def test_the_receiver_is_somebody_else_on_the_staff_who_can_sign_in(
    town: Town, elm_street: House, bea: Client
) -> None:
    await town.staff(elm_street, CAL, "scheduler")
    harbour = await town.practice("Harbour Counselling")
    await rows("UPDATE users SET disabled_at = now() WHERE email = $1", BEA)
    await rows("UPDATE staff_members SET removed_at = now() WHERE id = $1", await key_of(CAL))
    for email in (elm_street.owner.email, BEA):
        answer = await hand_over(elm_street.owner, elm_street, await key_of(email))
        assert (answer["problem"], answer["field"]) == ("INVALID_INPUT", "toStaffId")
    unknown = "01975f0e-0000-7000-8000-000000000001"
    for key in (await key_of(CAL), await key_of(harbour.owner.email), unknown, "bea"):
        assert (await hand_over(elm_street.owner, elm_street, key))["problem"] == "NOT_FOUND"
    assert await owners() == sorted([elm_street.owner.email, harbour.owner.email])
    assert await events("practice.transferred") == []


async def test_nobody_but_the_owner_hands_a_practice_over(town: Town, elm_street: House, bea: Client) -> None:
    admin = await town.staff(elm_street, CAL, "staff_administrator")
    for client in (bea, admin):
        refused = await hand_over(client, elm_street, await key_of(client.email))
        assert (refused["problem"], refused["permission"]) == ("NOT_PERMITTED", "practice.transfer")
        assert refused["heldBy"] == [{"key": "owner"}]


async def test_whatever_a_policy_says_of_the_permission_only_the_owner_has_a_practice_to_give() -> None:
    manager = StaffMember(roles=["manager"])
    proof = Access(Actor(uuid7(), "Mia", load(POLICIES), START), "practice.transfer", Place(frozenset({uuid7()})))
    for caller in (manager, None):
        with pytest.raises(NotPermitted):
            _giver(Colleagues(proof, StaffMember(roles=[]), caller))


async def test_the_answer_shows_the_giver_what_they_may_still_see(town: Town, elm_street: House, bea: Client) -> None:
    selection = "... on StaffSuccess { staff { practice { staff { totalCount } } } }"
    document = f"mutation ($input: TransferOwnershipInput!) {{ transferOwnership(input: $input) {{ {selection} }} }}"
    typed = {"practiceId": elm_street.id, "toStaffId": await key_of(BEA), "roles": ["scheduler"]}
    refused = await elm_street.owner.refusal(document, input=typed)
    assert (refused["extensions"]["code"], await owners()) == ("NOT_PERMITTED", [BEA])


async def test_a_repeated_request_says_that_the_practice_is_handed_over(
    town: Town, elm_street: House, bea: Client
) -> None:
    for _ in range(2):
        answer = await hand_over(elm_street.owner, elm_street, await key_of(BEA), idempotencyKey="once")
    assert answer["problem"] == "NOT_PERMITTED"
    assert len(await events("practice.transferred")) == 1


async def test_what_the_former_owner_offered_others_is_not_theirs_to_give_any_more(
    town: Town, elm_street: House, bea: Client
) -> None:
    typed = {"practiceId": elm_street.id, "email": "x@elm.example", "name": "X", "roles": ["therapist"]}
    invited = await elm_street.owner.do("addStaff", INVITED, **typed)
    await hand_over(elm_street.owner, elm_street, await key_of(BEA))
    late = await (await town.person("x@elm.example")).do("acceptInvitation", "", code=invited["code"])
    assert late["problem"] == "INVITATION_REJECTED"


async def test_the_owner_keeps_beside_it_only_roles_that_say_more(town: Town) -> None:
    policy = town.policy
    courier = replace(policy.roles["scheduler"], key="courier", permissions=frozenset({"parcels.carry"}))
    wider = replace(policy, roles={**policy.roles, "courier": courier})
    assert _beside(wider, ["biller", "courier", "gone", "manager"]) == ["courier"]
    assert _beside(policy, list(policy.roles)) == [
        key for key, role in policy.roles.items() if role.permissions - policy.roles["owner"].permissions
    ]


# --- at the same moment


async def test_of_two_who_are_to_be_the_owner_at_once_the_first_is(
    town: Town, elm_street: House, bea: Client, database_url: str
) -> None:
    await town.staff(elm_street, CAL, "scheduler")
    phone = await town.person(elm_street.owner.email)
    first, second = await in_turn(
        database_url,
        hand_over(elm_street.owner, elm_street, await key_of(CAL)),
        hand_over(phone, elm_street, await key_of(BEA)),
    )
    assert (first["__typename"], second.get("problem")) == ("StaffSuccess", "NOT_PERMITTED")
    assert await owners() == [CAL]
    assert len(await events("practice.transferred")) == 1


@pytest.mark.parametrize("by", ["owner", "administrator"])
@pytest.mark.parametrize("mutation", ["removeStaff", "setStaffRoles"])
@pytest.mark.parametrize("handed_over_first", [True, False])
async def test_a_receiver_who_is_changed_at_that_moment_is_the_owner_or_was_changed_before(
    town: Town, elm_street: House, database_url: str, by: str, mutation: str, handed_over_first: bool
) -> None:
    await town.staff(elm_street, BEA, "scheduler")
    phone = await town.person(elm_street.owner.email)
    other = phone if by == "owner" else await town.staff(elm_street, CAL, "staff_administrator")
    typed = {"staffId": await key_of(BEA)} | ({"roles": ["biller"]} if mutation == "setStaffRoles" else {})
    both = [hand_over(elm_street.owner, elm_street, await key_of(BEA)), other.do(mutation, "", **typed)]
    answers = await in_turn(database_url, *(both if handed_over_first else reversed(both)))
    said = [answer.get("problem", "ok") for answer in answers]
    if handed_over_first:
        assert said == ["ok", "NOT_PERMITTED" if by == "owner" else "ROLE_NOT_GRANTABLE"]
    else:
        assert said == ["ok", "NOT_FOUND" if mutation == "removeStaff" else "ok"]
    assert await owners() == [elm_street.owner.email if said[1] == "NOT_FOUND" else BEA]
    assert len(await staff_roles()) == (2 if by == "owner" else 3) - (said[1] == "NOT_FOUND")


@pytest.mark.parametrize("handed_over_first", [True, False])
async def test_a_giver_whose_roles_are_set_at_that_moment_has_those_that_a_colleague_may_have(
    town: Town, elm_street: House, bea: Client, database_url: str, handed_over_first: bool
) -> None:
    admin = await town.staff(elm_street, CAL, "staff_administrator")
    giver = await key_of(elm_street.owner.email)
    both = [
        hand_over(elm_street.owner, elm_street, await key_of(BEA), roles=["biller"]),
        admin.do("setStaffRoles", "", staffId=giver, roles=["scheduler"]),
    ]
    await in_turn(database_url, *(both if handed_over_first else reversed(both)))
    assert await owners() == [BEA]
    assert (await staff_roles())[elm_street.owner.email] == (["scheduler"] if handed_over_first else ["biller"])


async def test_everything_at_once_leaves_one_owner_and_nobody_waiting_for_another(
    town: Town, elm_street: House, bea: Client
) -> None:
    admin = await town.staff(elm_street, CAL, "staff_administrator")
    typed = {"practiceId": elm_street.id, "email": "x@elm.example", "name": "X", "roles": ["scheduler"]}
    code = (await elm_street.owner.do("addStaff", INVITED, **typed))["code"]
    people = [elm_street.owner, bea, admin]
    staff = [await key_of(client.email) for client in people]
    # Nothing is selected of the answers: whoever is removed meanwhile would not see it any more.
    handed = {"practiceId": elm_street.id, "roles": ["scheduler"]}
    attempts = [elm_street.owner.do("transferOwnership", "", toStaffId=key, **handed) for key in staff]
    attempts += [client.do("removeStaff", "", staffId=key) for client in people for key in staff]
    attempts += [client.do("setStaffRoles", "", staffId=key, roles=["biller"]) for client in people for key in staff]
    attempts += [client.do("acceptInvitation", "", code=code) for client in people]
    answers = await asyncio.gather(*attempts)
    assert all("__typename" in answer for answer in answers)
    assert len(await owners()) == 1
    assert await chains_hold() > 0
