"""A policy that asks holders of sensitive roles for a second factor: what they have without, and how they get on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from authz.actor import Actor
from authz.check import PolicyRejected
from authz.load import load
from authz.policy import Policy, SignIn
from models import Identity, Session
from models.asyncpg_client import AsyncpgClient
from resolvers.actors import load_actor
from resolvers.credential import Claims, Kind, of_secret
from tests.factors import begin, confirm, with_password
from tests.keys import made, program
from tests.policy_variants import edit, variant
from tests.town import POLICIES, START, Agency, Client, Clock, Town, build

REQUIRED = {"policy.yaml": ("second_factor: optional", "second_factor: sensitive_roles")}
ADDED = "... on InvitationSuccess { code } ... on NotPermitted { permission }"
MINE = """query ($id: ID!) { viewer {
    secondFactorRequired permissions(practiceId: $id) staffOf { totalCount } session { secondFactor }
} }"""


@pytest.fixture
async def town(database: AsyncpgClient, clock: Clock, tmp_path: Path) -> AsyncIterator[Town]:
    built = build(clock, policy=load(variant(tmp_path / "set", REQUIRED)))
    yield built
    for client in built.clients:
        await client.http.aclose()
    await built.remembered.close()


async def add_staff(client: Client, practice: str, email: str = "bea@elm.example") -> Any:
    return await client.do("addStaff", ADDED, practiceId=practice, email=email, name="Bea", roles=["scheduler"])


async def proven(client: Client, given: bool = True) -> None:
    await Session.filter(user_id=client.user_id).update(second_factor=given)


async def test_an_owner_has_nothing_without_a_second_factor_and_gets_it_by_adding_one(town: Town) -> None:
    ann = await with_password(town)
    house = await ann.client.do(
        "createPractice",
        "... on PracticeSuccess { practice { id } }",
        **{"name": "Elm Street", "kind": "INDEPENDENT_THERAPIST", "incorporated": False},
    )
    practice = house["practice"]["id"]
    refused = await add_staff(ann.client, practice)
    assert (refused["problem"], refused["permission"]) == ("NOT_PERMITTED", "staff.add")
    mine = await ann.client.ask(MINE, id=practice)
    assert mine == {
        "secondFactorRequired": True,
        "permissions": [],
        "staffOf": {"totalCount": 1},
        "session": {"secondFactor": False},
    }
    begun = await begin(ann.client)
    ann.secret = begun["secret"]
    assert (await confirm(ann.client, begun["factorId"], ann.code()))["__typename"] == "FactorSuccess"
    assert (await add_staff(ann.client, practice))["problem"] == "NOT_PERMITTED", "the session is the one before"
    assert (await ann.prove())["__typename"] == "SignInSuccess"
    assert (await add_staff(ann.client, practice))["__typename"] == "InvitationSuccess"
    mine = await ann.client.ask(MINE, id=practice)
    assert (mine["secondFactorRequired"], "staff.add" in mine["permissions"]) == (False, True)


async def test_who_holds_no_sensitive_role_is_asked_for_nothing(town: Town) -> None:
    owner = await town.person("owner@elm.example")
    await proven(owner)
    house = await town.practice()
    await proven(house.owner)
    bea = await town.staff(house, "bea@elm.example", "scheduler")
    mine = await bea.ask(MINE, id=house.id)
    assert mine["secondFactorRequired"] is False
    assert mine["permissions"] != []


async def test_a_role_that_waits_grants_no_role_either(town: Town) -> None:
    """Somebody who may grant by one role must not use the list of another that waits."""
    seats = await _actor_of(town)
    practice = next(iter(seats.practices))
    assert seats.roles_at(practice) == frozenset({"scheduler"})


async def _actor_of(town: Town) -> Actor:
    house = await town.practice()
    await proven(house.owner)
    mia = await town.staff(house, "mia@elm.example", "manager", "scheduler")
    assert mia.credential is not None
    return await _loaded(mia.credential, town.policy)


async def test_a_key_made_behind_a_proof_works_without_a_second_factor(town: Town) -> None:
    acme = await town.agency(verified=False)
    assert (await acme.admin.do("inviteMember", "", agentId=acme.id, email="m@acme.example", name="M"))[
        "problem"
    ] == "NOT_PERMITTED"
    await proven(acme.admin)
    key = await made(acme, "members.invite")
    await proven(acme.admin, False)
    bot = Agency(acme.id, program(town, key["secret"]))
    invited = await bot.admin.do("inviteMember", "", agentId=acme.id, email="m@acme.example", name="M")
    assert invited["__typename"] == "InvitationSuccess"


@pytest.mark.parametrize("given", [True, False])
async def test_a_trusted_issuer_says_whether_there_was_one(town: Town, given: bool) -> None:
    house = await town.practice()
    await Identity.create(
        user_id=house.owner.user_id, issuer="https://id.example", subject="7", linked_at=town.clock.now
    )
    claims = Claims("https://id.example", "7", START + timedelta(hours=1), authenticated_at=START, second_factor=given)
    actor = await _loaded(of_secret(Kind.ISSUER, "a token", claims), town.policy)
    assert (actor.second_factor_required, UUID(house.id) in actor.practices) == (not given, True)
    assert actor.roles_at(UUID(house.id)) == (frozenset({"owner"}) if given else frozenset())


async def _loaded(credential: Any, policy: Policy) -> Actor:
    async def policy_at(activation: int) -> Policy:
        return policy

    found = await load_actor(credential, policy_at, START, address="", idle_seconds=900)
    assert found is not None
    return found[0]


def test_a_value_that_is_none_is_told_with_the_nearest(tmp_path: Path) -> None:
    wrong = variant(tmp_path / "set", {"policy.yaml": ("second_factor: optional", "second_factor: sensitive_role")})
    with pytest.raises(PolicyRejected, match="sensitive_role is none of optional, sensitive_roles"):
        load(wrong)


def test_the_digest_moves_with_the_choice_and_not_with_saying_what_holds_anyway(tmp_path: Path) -> None:
    shipped = load(POLICIES)
    assert shipped.sign_in == SignIn("optional")
    silent, required = variant(tmp_path / "silent"), variant(tmp_path / "required", REQUIRED)
    digest = load(silent).digest
    edit(silent / "policy.yaml", "sign_in:     {second_factor: optional}\n", "")
    assert load(silent).digest == digest
    assert load(required).digest != digest
    assert replace(load(required), sign_in=SignIn()).sign_in == load(silent).sign_in
