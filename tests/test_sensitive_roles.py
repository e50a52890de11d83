from __future__ import annotations

from typing import Any

from tests.engaged import confirm, look, permissions_of, statuses
from tests.stored import events
from tests.town import Client, House, Town

# --- sensitive roles


async def test_a_sensitive_role_from_a_manager_waits_for_the_owner(
    town: Town, elm_street: House, engagement: dict[str, Any], mia: Client
) -> None:
    await mia.set_roles(engagement, "manager", "biller", acknowledgeWarnings=True)
    waiting = await look(mia, engagement)
    assert statuses(waiting) == {"manager": "PENDING_CONFIRMATION", "biller": "ACTIVE"}
    assert {"code": "ROLE_CONFIRMATION_PENDING", "waitingFor": "PRACTICE"} in waiting["blockers"]
    (event,) = await events("engagement.roles_set")
    assert event["after"]["waiting_for_confirmation"] == ["manager"]
    confirmed = await confirm(elm_street.owner, engagement, 2)
    assert statuses(confirmed["engagement"]) == {"manager": "ACTIVE", "biller": "ACTIVE"}
    assert confirmed["engagement"]["version"] == 3
    assert len(await events("engagement.roles_set")) == 2


async def test_a_waiting_role_gives_nothing(town: Town, elm_street: House, mia: Client) -> None:
    desk = await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")
    engagement = await town.engage(elm_street, desk)
    await mia.set_roles(engagement, "manager", acknowledgeWarnings=True)
    assert await permissions_of(desk.admin, elm_street) == set()
    await confirm(elm_street.owner, engagement, 2)
    assert "cpt_codes.update" in await permissions_of(desk.admin, elm_street)


async def test_an_owner_who_names_a_waiting_role_confirms_it(
    town: Town, elm_street: House, engagement: dict[str, Any], mia: Client
) -> None:
    await mia.set_roles(engagement, "manager", acknowledgeWarnings=True)
    unmoved = await mia.set_roles({**engagement, "version": 2}, "manager")
    assert (statuses(unmoved["engagement"]), unmoved["engagement"]["version"]) == (
        {"manager": "PENDING_CONFIRMATION"},
        2,
    )
    named = await elm_street.owner.set_roles({**engagement, "version": 2}, "manager")
    assert (statuses(named["engagement"]), named["engagement"]["version"]) == ({"manager": "ACTIVE"}, 3)


async def test_naming_a_waiting_role_needs_the_password_as_confirming_does(
    town: Town, elm_street: House, engagement: dict[str, Any], mia: Client
) -> None:
    await mia.set_roles(engagement, "manager", acknowledgeWarnings=True)
    later = await town.person(elm_street.owner.email, signed_in_ago=601)
    for attempt in (confirm(later, engagement, 2), later.set_roles({**engagement, "version": 2}, "manager")):
        refused = await attempt
        assert (refused["problem"], refused["maxAgeSeconds"]) == ("STEP_UP_REQUIRED", 600)
    recent = await town.person(elm_street.owner.email, signed_in_ago=600)
    assert (await confirm(recent, engagement, 2))["__typename"] == "SetRolesSuccess"


async def test_only_the_owner_confirms(town: Town, elm_street: House, engagement: dict[str, Any], mia: Client) -> None:
    await mia.set_roles(engagement, "manager", acknowledgeWarnings=True)
    refused = await confirm(mia, engagement, 2)
    assert (refused["problem"], refused["permission"]) == ("NOT_PERMITTED", "agents.confirm_roles")
    assert refused["heldBy"] == [{"key": "owner"}]


async def test_confirming_what_does_not_wait_changes_nothing(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    await elm_street.owner.set_roles(engagement, "biller")
    later = await town.person(elm_street.owner.email, signed_in_ago=601)
    answer = await confirm(later, engagement, 2)
    assert (answer["__typename"], answer["engagement"]["version"]) == ("SetRolesSuccess", 2)
    assert len(await events("engagement.roles_set")) == 1


async def test_a_confirmation_is_of_what_the_owner_saw(
    town: Town, elm_street: House, engagement: dict[str, Any], mia: Client
) -> None:
    await mia.set_roles(engagement, "biller")
    await mia.set_roles({**engagement, "version": 2}, "biller", "manager", acknowledgeWarnings=True)
    stale = await confirm(elm_street.owner, engagement, 2)
    assert (stale["problem"], stale["current"]["version"]) == ("STALE_VERSION", 3)
    await elm_street.owner.revoke(engagement)
    assert (await confirm(elm_street.owner, engagement, 3))["problem"] == "ENGAGEMENT_ENDED"


async def test_a_manager_who_prolongs_a_confirmed_role_lets_it_wait_again(
    town: Town, elm_street: House, engagement: dict[str, Any], mia: Client
) -> None:
    soon, later = "2026-11-24T12:00:00Z", "2027-11-24T12:00:00Z"
    await elm_street.owner.set_roles(engagement, {"role": "manager", "expiresAt": soon}, acknowledgeWarnings=True)
    typed = {"role": "manager", "expiresAt": later}
    prolonged = await mia.set_roles({**engagement, "version": 2}, typed, acknowledgeWarnings=True)
    assert statuses(prolonged["engagement"]) == {"manager": "PENDING_CONFIRMATION"}


# --- warnings


async def test_warnings_are_read_before_they_are_accepted_and_then_kept_in_the_record(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    tasks = ["submit_claims"]
    refused = await elm_street.owner.set_roles(engagement, "manager", tasks=tasks)
    hint = town.policy.roles["manager"].hint
    assert refused["warnings"] == [
        f"Manager is a sensitive role. {hint}",
        "Manager can do more than what you named; Biller is enough for that.",
    ]
    accepted = await elm_street.owner.set_roles(engagement, "manager", tasks=tasks, acknowledgeWarnings=True)
    assert accepted["__typename"] == "SetRolesSuccess"
    (event,) = await events("engagement.roles_set")
    assert event["after"]["warnings_acknowledged"] == refused["warnings"]


async def test_a_front_office_worker_without_an_agreement_is_a_warning(town: Town, elm_street: House) -> None:
    engagement = await town.engage(elm_street, await town.agency("Frontdesk", "FRONT_OFFICE_WORKER"))
    refused = await elm_street.owner.set_roles(engagement, "scheduler")
    assert refused["warnings"] == [
        "A business associate agreement is recommended for this agent, and none is in force."
    ]
    await elm_street.owner.set_roles(engagement, "scheduler", acknowledgeWarnings=True)
    removed = await elm_street.owner.set_roles({**engagement, "version": 2})
    assert removed["__typename"] == "SetRolesSuccess"


async def test_roles_that_were_there_before_are_warned_of_no_more(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    await elm_street.owner.set_roles(engagement, "manager", acknowledgeWarnings=True)
    added = await elm_street.owner.set_roles({**engagement, "version": 2}, "manager", "biller")
    assert added["__typename"] == "SetRolesSuccess"


async def test_what_the_tasks_need_is_not_warned_of(town: Town, elm_street: House, engagement: dict[str, Any]) -> None:
    answer = await elm_street.owner.set_roles(engagement, "biller", tasks=["submit claims", "review the books"])
    assert answer["__typename"] == "SetRolesSuccess"


async def test_a_stale_version_is_shown_the_engagement_as_it_is(
    town: Town, elm_street: House, engagement: dict[str, Any], mia: Client
) -> None:
    await elm_street.owner.set_roles(engagement, "biller")
    stale = await mia.set_roles(engagement, "auditor")
    assert (stale["problem"], stale["current"]["version"]) == ("STALE_VERSION", 2)
    assert statuses(stale["current"]) == {"biller": "ACTIVE"}
