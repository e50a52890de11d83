from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import pytest

from tests.engaged import look, statuses
from tests.stored import events, rows
from tests.town import Agency, Client, House, Town


@dataclass
class Attempt:
    """A change that would succeed. Each fault spoils it in one way."""

    town: Town
    house: House
    engagement: dict[str, Any]
    client: Client
    roles: list[str] = field(default_factory=lambda: ["biller"])
    typed: dict[str, Any] = field(default_factory=lambda: {"acknowledgeWarnings": True})

    async def answer(self) -> Any:
        return await self.client.set_roles(self.engagement, *self.roles, **self.typed)


async def idempotency_conflict(attempt: Attempt) -> None:
    self_same = {"name": "Elsewhere", "kind": "INDEPENDENT_THERAPIST", "incorporated": False, "idempotencyKey": "used"}
    await attempt.client.do("createPractice", "", **self_same)
    attempt.typed["idempotencyKey"] = "used"


async def invalid_input(attempt: Attempt) -> None:
    attempt.typed["tasks"] = ["sing"]


async def engagement_ended(attempt: Attempt) -> None:
    await attempt.house.owner.revoke(attempt.engagement)


async def stale_version(attempt: Attempt) -> None:
    attempt.typed["expectedVersion"] = 99


async def unknown_role(attempt: Attempt) -> None:
    attempt.roles.append("billler")


async def role_not_grantable(attempt: Attempt) -> None:
    attempt.roles.append("owner")


async def warnings_not_acknowledged(attempt: Attempt) -> None:
    attempt.roles.append("manager")
    attempt.typed["acknowledgeWarnings"] = False


async def step_up_required(attempt: Attempt) -> None:
    attempt.client.http.cookies.clear()
    old = await attempt.town.person(attempt.client.email, signed_in_ago=601)
    attempt.client.http.cookies.set("sparekey", str(old.reference))
    attempt.roles = [*{*attempt.roles, "manager"}]


ORDER = [
    idempotency_conflict,
    invalid_input,
    engagement_ended,
    stale_version,
    unknown_role,
    role_not_grantable,
    warnings_not_acknowledged,
    step_up_required,
]


@pytest.mark.parametrize(
    ("first", "second"), [*combinations(ORDER, 2), *((fault, None) for fault in ORDER)], ids=lambda f: f and f.__name__
)
async def test_of_two_things_wrong_the_first_in_the_order_is_told(
    town: Town,
    elm_street: House,
    engagement: dict[str, Any],
    first: Callable[[Attempt], Awaitable[None]],
    second: Callable[[Attempt], Awaitable[None]] | None,
) -> None:
    attempt = Attempt(town, elm_street, engagement, elm_street.owner)
    for fault in (first, second):
        if fault is not None:
            await fault(attempt)
    before = await rows("SELECT version FROM engagements")
    assert (await attempt.answer())["problem"] == first.__name__.upper()
    assert await events("engagement.roles_set") == []
    assert await rows("SELECT version FROM engagements") == before
    assert await rows("SELECT FROM role_grants") == []


async def test_who_does_not_see_the_engagement_learns_nothing_of_it_whatever_is_wrong(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    stranger = await town.person("stranger@nowhere.example")
    attempt = Attempt(town, elm_street, engagement, stranger)
    for fault in ORDER:
        await fault(attempt)
    assert (await attempt.answer())["problem"] == "NOT_FOUND"
    nothing = {"id": "01975f0e-0000-7000-8000-000000000001", "version": 1}
    assert await stranger.set_roles(nothing) == await stranger.set_roles(engagement)


async def test_who_sees_the_engagement_without_the_permission_is_told_who_has_it(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    scheduler = await town.staff(elm_street, "sue@elm.example", "scheduler")
    for client in (scheduler, acme.admin, await town.operator()):
        refused = await client.set_roles(engagement, "biller")
        assert (refused["problem"], refused["permission"]) == ("NOT_PERMITTED", "agents.set_roles")
        assert refused["heldBy"] == [{"key": "manager"}, {"key": "owner"}]


@pytest.mark.parametrize(
    ("roles", "where"),
    [
        (["biller", "biller"], "roles.1.role"),
        ([{"role": "biller", "expiresAt": "2026-11-23T12:00:00Z"}], "roles.0.expiresAt"),
        (["auditor", {"role": "biller", "expiresAt": "2020-01-01T00:00:00Z"}], "roles.1.expiresAt"),
    ],
)
async def test_malformed_roles_are_refused_by_their_place(
    elm_street: House, engagement: dict[str, Any], roles: list[Any], where: str
) -> None:
    refused = await elm_street.owner.set_roles(engagement, *roles)
    assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", where)


@pytest.mark.parametrize(
    ("typed", "meant"), [("billler", ["biller"]), ("Biller", ["biller"]), ("", []), ("x" * 10_000, []), ("a\0b", [])]
)
async def test_an_unknown_role_comes_with_what_was_meant(
    elm_street: House, engagement: dict[str, Any], typed: str, meant: list[str]
) -> None:
    refused = await elm_street.owner.set_roles(engagement, typed)
    assert (refused["problem"], refused["didYouMean"][:1]) == ("UNKNOWN_ROLE", meant)
    assert len(refused["role"]) <= 80


@pytest.mark.parametrize("kind", ["BILLING_COMPANY", "PRACTICE_MANAGEMENT_COMPANY", "FRONT_OFFICE_WORKER"])
async def test_a_kind_of_agent_is_given_the_roles_of_its_list_and_no_others(
    town: Town, elm_street: House, kind: str
) -> None:
    agent = await town.agency("Somebody", kind)
    engagement = await town.engage(elm_street, agent)
    given = set()
    for role in town.policy.roles:
        answer = await elm_street.owner.set_roles(engagement, role, acknowledgeWarnings=True)
        if answer["__typename"] == "SetRolesSuccess":
            given.add(role)
            engagement = answer["engagement"]
        else:
            assert (answer["problem"], answer["role"]) == ("ROLE_NOT_GRANTABLE", role)
    assert given == set(town.policy.agents[kind.lower()].roles)


async def test_a_role_that_the_policy_has_lost_gives_nothing_and_can_be_taken_away(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    await elm_street.owner.set_roles(engagement, "biller")
    await rows("UPDATE role_grants SET role = 'ghost'")
    seen = await look(elm_street.owner, engagement)
    assert {"code": "UNKNOWN_ROLE", "waitingFor": "PRACTICE"} in seen["blockers"]
    assert seen["permissions"] == []
    cleared = await elm_street.owner.set_roles({**engagement, "version": 2}, "auditor")
    assert statuses(cleared["engagement"]) == {"auditor": "ACTIVE"}
