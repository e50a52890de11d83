from __future__ import annotations

from typing import Any

from tests.engaged import confirm, look, permissions_of, statuses
from tests.stored import events, rows
from tests.town import Agency, Client, House, Town

# --- the whole set


async def test_setting_roles_replaces_the_whole_set(town: Town, elm_street: House, engagement: dict[str, Any]) -> None:
    owner = elm_street.owner
    first = (await owner.set_roles(engagement, "biller"))["engagement"]
    assert (statuses(first), first["version"], first["status"]) == ({"biller": "ACTIVE"}, 2, "AWAITING_AGREEMENT")
    second = (await owner.set_roles(first, "auditor"))["engagement"]
    assert (statuses(second), second["version"]) == ({"auditor": "ACTIVE"}, 3)
    none = (await owner.set_roles(second))["engagement"]
    assert (statuses(none), none["version"], none["status"]) == ({}, 4, "AWAITING_ROLES")


async def test_a_role_that_stays_keeps_who_granted_it_and_when(
    town: Town, elm_street: House, engagement: dict[str, Any], mia: Client
) -> None:
    await elm_street.owner.set_roles(engagement, "biller")
    town.clock.advance(minutes=1)
    await mia.set_roles({**engagement, "version": 2}, "biller", "auditor")
    roles = {grant["role"]["key"]: grant for grant in (await look(mia, engagement))["roles"]}
    assert roles["biller"]["grantedBy"]["email"] == elm_street.owner.email
    assert roles["biller"]["grantedAt"] == "2026-11-23T12:00:00Z"
    assert roles["auditor"]["grantedBy"]["email"] == mia.email


async def test_naming_the_roles_there_are_changes_nothing(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    await elm_street.owner.set_roles(engagement, "biller", "manager", acknowledgeWarnings=True)
    later = await town.person(elm_street.owner.email, signed_in_ago=3600)
    again = await later.set_roles({**engagement, "version": 2}, "manager", "biller")
    assert (again["__typename"], again["engagement"]["version"]) == ("SetRolesSuccess", 2)
    assert len(await events("engagement.roles_set")) == 1
    assert len(await rows("SELECT FROM role_grants")) == 2


async def test_what_was_set_is_recorded_before_and_after(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    await elm_street.owner.set_roles(engagement, "biller", tasks=["Submit  claims", "post_payments"])
    await elm_street.owner.set_roles({**engagement, "version": 2}, "auditor")
    first, second = await events("engagement.roles_set")
    assert (first["before"], first["after"]) == (
        {"roles": [], "version": 1},
        {
            "roles": ["biller"],
            "waiting_for_confirmation": [],
            "tasks": ["submit_claims", "post_payments"],
            "warnings_acknowledged": [],
            "version": 2,
        },
    )
    assert second["before"] == {"roles": ["biller"], "version": 2}
    assert second["after"]["roles"] == ["auditor"]


async def test_a_role_taken_away_is_gone_at_the_agents_next_request(town: Town, elm_street: House) -> None:
    desk = await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")
    engagement = await town.engage(elm_street, desk)
    assert await permissions_of(desk.admin, elm_street) == set()
    await elm_street.owner.set_roles(engagement, "scheduler", acknowledgeWarnings=True)
    assert "schedule.write" in await permissions_of(desk.admin, elm_street)
    await elm_street.owner.set_roles({**engagement, "version": 2})
    assert await permissions_of(desk.admin, elm_street) == set()


# --- whose roles


async def test_nobody_changes_the_roles_of_an_agent_they_belong_to(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any], mia: Client
) -> None:
    await town.member(acme, mia.email)
    refused = await mia.set_roles(engagement, "biller")
    assert (refused["problem"], refused["role"]) == ("ROLE_NOT_GRANTABLE", "biller")
    await elm_street.owner.set_roles(engagement, "biller")
    assert (await mia.set_roles({**engagement, "version": 2}))["problem"] == "ROLE_NOT_GRANTABLE"


async def test_not_even_the_owner_confirms_roles_of_an_agent_they_belong_to(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any], mia: Client
) -> None:
    await mia.set_roles(engagement, "manager", acknowledgeWarnings=True)
    await town.member(acme, elm_street.owner.email)
    for attempt in (
        confirm(elm_street.owner, engagement, 2),
        elm_street.owner.set_roles({**engagement, "version": 2}, "manager"),
    ):
        refused = await attempt
        assert (refused["problem"], refused["role"]) == ("ROLE_NOT_GRANTABLE", "manager")
    assert statuses(await look(mia, engagement)) == {"manager": "PENDING_CONFIRMATION"}


# --- time


async def test_a_role_with_an_end_gives_something_to_the_last_second_and_nothing_from_then_on(
    town: Town, elm_street: House
) -> None:
    desk = await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")
    engagement = await town.engage(elm_street, desk)
    role = {"role": "scheduler", "expiresAt": "2026-11-23T12:05:00Z"}
    await elm_street.owner.set_roles(engagement, role, acknowledgeWarnings=True)
    town.clock.advance(minutes=4, seconds=59)
    assert (await look(elm_street.owner, engagement))["status"] == "ACTIVE"
    assert "schedule.write" in await permissions_of(desk.admin, elm_street)
    town.clock.advance(seconds=1)
    lapsed = await look(elm_street.owner, engagement)
    assert (statuses(lapsed), lapsed["status"]) == ({"scheduler": "LAPSED"}, "AWAITING_ROLES")
    assert await permissions_of(desk.admin, elm_street) == set()
    assert lapsed["version"] == 2


async def test_a_role_may_be_given_another_end(town: Town, elm_street: House, engagement: dict[str, Any]) -> None:
    await elm_street.owner.set_roles(engagement, "biller")
    ending = {"role": "biller", "expiresAt": "2026-12-01T00:00:00Z"}
    changed = await elm_street.owner.set_roles({**engagement, "version": 2}, ending)
    (grant,) = changed["engagement"]["roles"]
    assert (grant["expiresAt"], changed["engagement"]["version"]) == ("2026-12-01T00:00:00Z", 3)
    same = await elm_street.owner.set_roles({**engagement, "version": 3}, ending)
    assert same["engagement"]["version"] == 3
