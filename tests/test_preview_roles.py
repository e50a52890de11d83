"""What roles would mean is what they do mean once they are set: the preview beside the change itself."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from authz.policy import Separation
from models import Agreement, Engagement, RoleGrant
from models.asyncpg_client import AsyncpgClient
from tests.engaged import confirm, look, statuses
from tests.statements import noted
from tests.stored import events, rows
from tests.town import Agency, Client, House, Town, build

PREVIEW = """query ($id: ID!, $roles: [ID!]!, $tasks: [String!]) {
    previewRoles(engagementId: $id, roles: $roles, tasks: $tasks) {
        willBeAbleTo { key } willNotBeAbleTo { key } gained { key } lost { key }
        warnings needsStepUp needsConfirmation
    }
}"""
STEPS = 12


@dataclass(frozen=True)
class Preview:
    will: set[str]
    will_not: set[str]
    gained: set[str]
    lost: set[str]
    warnings: list[str]
    needs_step_up: bool
    needs_confirmation: bool


async def preview(client: Client, engagement: dict[str, Any], *roles: str, **typed: Any) -> Preview:
    found = await client.ask(PREVIEW, id=engagement["id"], roles=list(roles), **typed)
    lists = ("willBeAbleTo", "willNotBeAbleTo", "gained", "lost")
    will, will_not, gained, lost = ([each["key"] for each in found[name]] for name in lists)
    assert all(each == sorted(set(each)) for each in (will, will_not, gained, lost))
    asked = found["warnings"], found["needsStepUp"], found["needsConfirmation"]
    return Preview(set(will), set(will_not), set(gained), set(lost), *asked)


async def refused(client: Client, engagement: dict[str, Any], *roles: str, **typed: Any) -> dict[str, Any]:
    found = await client.refusal(PREVIEW, id=engagement["id"], roles=list(roles), **typed)
    extensions: dict[str, Any] = found["extensions"]
    return extensions


async def sign(engagement: dict[str, Any], town: Town) -> None:
    now = town.clock.now
    signed: dict[str, Any] = {"agent_signed_at": now, "practice_signed_at": now, "effective_on": now.date()}
    await Agreement.create(engagement_id=engagement["id"], basis="baa", **signed)


async def able(client: Client, engagement: dict[str, Any]) -> set[str]:
    return {permission["key"] for permission in (await look(client, engagement))["permissions"]}


@pytest.fixture
async def desk(town: Town, elm_street: House) -> dict[str, Any]:
    """A front-office worker's engagement."""
    return await town.engage(elm_street, await town.agency("Frontdesk", "FRONT_OFFICE_WORKER"))


# --- the preview and what then happens


@pytest.mark.parametrize(
    ("kind", "signed"),
    [
        ("BILLING_COMPANY", True),
        ("PRACTICE_MANAGEMENT_COMPANY", True),
        ("FRONT_OFFICE_WORKER", True),
        ("FRONT_OFFICE_WORKER", False),  # for whom an agreement is recommended
    ],
)
async def test_whatever_is_set_it_is_what_the_preview_said(
    town: Town, elm_street: House, mia: Client, kind: str, signed: bool
) -> None:
    """Generated sets of roles one after the other, by the owner and by a manager, with and without tasks."""
    chance = random.Random(f"{kind} {signed}")
    engagement = await town.engage(elm_street, await town.agency("Somebody", kind))
    if signed:
        await sign(engagement, town)
    late = {each.email: await town.person(each.email, signed_in_ago=601) for each in (elm_street.owner, mia)}
    offered = town.policy.agents[kind.lower()].roles
    before, seen = set[str](), set[Any]()
    for _ in range(STEPS):
        roles = sorted(chance.sample(offered, chance.randint(0, len(offered))))
        tasks = chance.choice([None, [], chance.sample(sorted(town.policy.tasks), chance.randint(1, 3))])
        client = chance.choice([elm_street.owner, mia])
        said = await preview(client, engagement, *roles, tasks=tasks)
        assert said == await preview(late[client.email], engagement, *roles, tasks=tasks)
        engagement = await _set(client, late[client.email], elm_street.owner, engagement, roles, tasks, said)
        now = await able(elm_street.owner, engagement)
        assert (said.will, said.gained, said.lost) == (now, now - before, before - now)
        before = now
        assert said.will.isdisjoint(said.will_not)
        seen.add((bool(said.warnings), said.needs_step_up, said.needs_confirmation))
    assert len(seen) >= 3, "hardly anything was tried"


async def _set(
    client: Client,
    late: Client,
    owner: Client,
    engagement: dict[str, Any],
    roles: list[str],
    tasks: list[str] | None,
    said: Preview,
) -> dict[str, Any]:
    """Set them as the preview said it would have to be done; then the owner confirms what waits."""
    if said.warnings:
        answer = await client.set_roles(engagement, *roles, tasks=tasks)
        assert (answer["problem"], answer["warnings"]) == ("WARNINGS_NOT_ACKNOWLEDGED", said.warnings)
    if said.needs_step_up:
        answer = await late.set_roles(engagement, *roles, tasks=tasks, acknowledgeWarnings=True)
        assert answer["problem"] == "STEP_UP_REQUIRED"
    by = client if said.needs_step_up else late
    answer = await by.set_roles(engagement, *roles, tasks=tasks, acknowledgeWarnings=bool(said.warnings))
    assert answer["__typename"] == "SetRolesSuccess", answer
    waiting = "PENDING_CONFIRMATION" in statuses(answer["engagement"]).values()
    assert waiting is said.needs_confirmation
    if waiting:
        answer = await confirm(owner, engagement, answer["engagement"]["version"])
    changed: dict[str, Any] = answer["engagement"]
    return changed


async def test_nothing_is_written(town: Town, elm_street: House, engagement: dict[str, Any]) -> None:
    before = await rows("SELECT count(*) FROM audit_events")
    await preview(elm_street.owner, engagement, "manager")
    assert await rows("SELECT count(*) FROM audit_events") == before
    assert await rows("SELECT FROM role_grants") == []
    assert (await look(elm_street.owner, engagement))["version"] == 1


# --- the lists


async def test_what_it_will_not_be_able_to_do_is_what_other_roles_would_give_and_what_the_ceiling_takes(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    """A billing company can be a biller, manager or auditor."""
    biller = await preview(elm_street.owner, engagement, "biller")
    manager = await preview(elm_street.owner, engagement, "manager")
    assert {"claims.submit", "payments.record"} <= biller.will
    assert {"schedule.write", "cpt_codes.update", "payments.refund", "reports.financial.read"} <= biller.will_not
    assert "agents.set_roles" not in biller.will_not, "no role that was named or could be holds it from outside"
    assert {"agents.set_roles", "agents.connect", "audit.read", "staff.read"} <= manager.will_not
    assert "clinical_notes.read" not in biller.will_not | manager.will_not
    assert (biller.gained, biller.lost) == (biller.will, set())


async def test_what_is_held_under_a_condition_is_in_neither_list(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    manager = await preview(elm_street.owner, engagement, "manager")
    assert "payments.refund" not in manager.will | manager.will_not


async def test_no_roles_at_all_can_be_previewed(town: Town, elm_street: House, engagement: dict[str, Any]) -> None:
    await elm_street.owner.set_roles(engagement, "auditor")
    nothing = await preview(elm_street.owner, engagement)
    auditor = set(town.policy.roles["auditor"].permissions)
    assert (nothing.will, nothing.gained, nothing.lost) == (set(), set(), auditor)
    assert (nothing.warnings, nothing.needs_step_up, nothing.needs_confirmation) == ([], False, False)


async def test_a_waiting_and_a_lapsed_role_are_still_to_be_gained(
    town: Town, elm_street: House, engagement: dict[str, Any], mia: Client
) -> None:
    ending = {"role": "auditor", "expiresAt": "2026-11-23T12:05:00Z"}
    await mia.set_roles(engagement, "manager", ending, acknowledgeWarnings=True)
    waiting = await preview(elm_street.owner, engagement, "manager", "auditor")
    assert (waiting.gained, waiting.needs_step_up, waiting.needs_confirmation) == (
        waiting.will - town.policy.roles["auditor"].permissions,
        True,
        False,
    )
    by_mia = await preview(mia, engagement, "manager", "auditor")
    assert (by_mia.warnings, by_mia.needs_step_up, by_mia.needs_confirmation) == ([], False, True)
    town.clock.advance(minutes=5)
    assert (await preview(mia, engagement, "auditor")).gained == town.policy.roles["auditor"].permissions


async def test_a_lapsed_role_is_granted_anew(elm_street: House, town: Town, engagement: dict[str, Any]) -> None:
    ending = {"role": "manager", "expiresAt": "2026-11-23T12:05:00Z"}
    await elm_street.owner.set_roles(engagement, ending, acknowledgeWarnings=True)
    standing = await preview(elm_street.owner, engagement, "manager")
    town.clock.advance(minutes=5)
    lapsed = await preview(elm_street.owner, engagement, "manager")
    assert (standing.warnings, standing.needs_step_up, standing.gained) == ([], False, set())
    assert (len(lapsed.warnings), lapsed.needs_step_up, lapsed.gained) == (1, True, lapsed.will)


# --- warnings


async def test_a_role_broader_than_the_tasks_is_told(town: Town, elm_street: House, engagement: dict[str, Any]) -> None:
    told = await preview(elm_street.owner, engagement, "biller", "auditor", tasks=["Submit  claims"])
    assert told.warnings == ["Auditor can do more than what you named; Biller is enough for that."]


async def test_what_would_be_enough_is_what_such_an_agent_can_have(
    town: Town, elm_street: House, engagement: dict[str, Any], desk: dict[str, Any]
) -> None:
    """A scheduler would be, but a billing company cannot be one: then the manager is not too much."""
    tasks, hint = ["book appointments"], f"Manager is a sensitive role. {town.policy.roles['manager'].hint}"
    company = await preview(elm_street.owner, engagement, "manager", tasks=tasks)
    worker = await preview(elm_street.owner, desk, "manager", tasks=tasks)
    assert company.warnings == [hint]
    assert worker.warnings[:2] == [hint, "Manager can do more than what you named; Scheduler is enough for that."]


async def test_a_sensitive_role_is_warned_of_whenever_it_gives_more_than_before(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    short, long = ({"role": "manager", "expiresAt": f"2026-11-23T12:{minute}:00Z"} for minute in ("05", "10"))
    biller = {"role": "biller"}
    for minutes, roles, warned in [
        (0, [short], True),
        (0, [short, biller], False),
        (0, [long], True),  # prolonged
        (0, [{"role": "manager"}], True),  # without an end
        (0, [short], False),  # an earlier end takes away
        (5, [long], True),  # anew, after it has lapsed
        (0, [], False),
        (0, [long], True),  # again, after it was taken away
    ]:
        town.clock.advance(minutes=minutes)
        answer = await elm_street.owner.set_roles(engagement, *roles)
        assert (answer.get("problem") == "WARNINGS_NOT_ACKNOWLEDGED") is warned, (minutes, roles)
        if warned:
            answer = await elm_street.owner.set_roles(engagement, *roles, acknowledgeWarnings=True)
        engagement = answer["engagement"]


async def test_an_earlier_end_is_no_warning_but_is_granted_anew(
    town: Town, elm_street: House, engagement: dict[str, Any], mia: Client
) -> None:
    """It takes something away. Whoever writes the grant anew still proves who they are, and the owner confirms it."""
    await elm_street.owner.set_roles(engagement, "manager", acknowledgeWarnings=True)
    ending = {"role": "manager", "expiresAt": "2026-11-24T12:00:00Z"}
    late = await town.person(mia.email, signed_in_ago=601)
    assert (await late.set_roles({**engagement, "version": 2}, ending))["problem"] == "STEP_UP_REQUIRED"
    shortened = await mia.set_roles({**engagement, "version": 2}, ending)
    assert statuses(shortened["engagement"]) == {"manager": "PENDING_CONFIRMATION"}


async def test_a_role_keeps_its_end_in_a_preview(
    town: Town, elm_street: House, engagement: dict[str, Any], mia: Client
) -> None:
    ending = {"role": "manager", "expiresAt": "2026-11-24T12:00:00Z"}
    await elm_street.owner.set_roles(engagement, ending, acknowledgeWarnings=True)
    kept = await preview(mia, engagement, "manager", "biller")
    assert (kept.warnings, kept.needs_step_up, kept.needs_confirmation) == ([], False, False)
    added = await mia.set_roles({**engagement, "version": 2}, ending, "biller")
    assert statuses(added["engagement"]) == {"manager": "ACTIVE", "biller": "ACTIVE"}


# --- refusals


@pytest.mark.parametrize(
    ("roles", "tasks", "code", "names"),
    [
        (["biller", "biller"], [], "INVALID_INPUT", {"field": "roles.1"}),
        (["billler"] * 2, [], "INVALID_INPUT", {"field": "roles.1"}),
        (["biller"], ["submit claims", "sing"], "INVALID_INPUT", {"field": "tasks.1"}),
        (["billler"], [], "UNKNOWN_ROLE", {"role": "billler", "didYouMean": ["biller"]}),
        ([f"r{place}" for place in range(1_000)], [], "UNKNOWN_ROLE", {"role": "r0"}),
        (["scheduler"], [], "ROLE_NOT_GRANTABLE", {"role": "scheduler"}),
        (["biller", "owner"], [], "ROLE_NOT_GRANTABLE", {"role": "owner"}),
    ],
)
async def test_what_setting_would_refuse_is_an_error_with_the_same_code(
    elm_street: House,
    acme: Agency,
    engagement: dict[str, Any],
    roles: list[str],
    tasks: list[str],
    code: str,
    names: Any,
) -> None:
    for client in (elm_street.owner, acme.admin):
        found = await refused(client, engagement, *roles, tasks=tasks)
        assert found == {"didYouMean": [], **names, "code": code} or found == {**names, "code": code}
    answer = await elm_street.owner.set_roles(engagement, *roles, tasks=tasks)
    assert answer["problem"] == code


async def test_an_ended_engagement_is_over_for_previews_too(
    town: Town, elm_street: House, engagement: dict[str, Any]
) -> None:
    await elm_street.owner.revoke(engagement)
    found = await refused(elm_street.owner, engagement, "billler")
    assert (found["code"], found["endReason"]) == ("ENGAGEMENT_ENDED", "revoked_by_practice")


@pytest.mark.parametrize("column", ["suspended_at", "expires_at"])
async def test_a_suspended_or_expired_engagement_can_be_previewed(
    town: Town, elm_street: House, engagement: dict[str, Any], column: str
) -> None:
    started = {"started_at": town.clock.now.replace(year=2025)} if column == "expires_at" else {}
    await Engagement.filter(id=engagement["id"]).update(**started, **{column: town.clock.now})
    assert "claims.submit" in (await preview(elm_street.owner, engagement, "biller")).will


async def test_nobody_is_told_a_way_to_change_the_roles_of_an_agent_they_belong_to(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any], mia: Client
) -> None:
    await town.member(acme, mia.email)
    assert (await refused(mia, engagement, "biller"))["code"] == "ROLE_NOT_GRANTABLE"


async def test_roles_that_must_stay_apart_are_refused(town: Town) -> None:
    apart = Separation("bill_and_look", ("claims.submit", "reports.financial.read"), 1, "Apart.", "at_grant")
    strict = build(town.clock, policy=replace(town.policy, separations=(apart,)))
    house, agent = await strict.practice(), await strict.agency()
    engagement = await strict.engage(house, agent)
    for client in (house.owner, agent.admin):
        found = await refused(client, engagement, "biller", "auditor")
        assert (found["code"], found["permissions"]) == ("SEPARATION_OF_DUTY", list(apart.permissions))
    for client in strict.clients:
        await client.http.aclose()
    await strict.remembered.close()


async def test_who_may_not_set_roles_is_told_what_they_would_mean(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    for client in (acme.admin, await town.member(acme, "ben@acme.example"), await town.operator()):
        told = await preview(client, engagement, "manager")
        assert ("cpt_codes.update" in told.will, told.needs_step_up, told.needs_confirmation) == (True, True, True)
    scheduler = await town.staff(elm_street, "sue@elm.example", "scheduler")
    found = await refused(scheduler, engagement, "biller")
    assert (found["code"], found["permission"]) == ("NOT_PERMITTED", "engagements.read")


# --- the same again


@pytest.fixture
async def plain(town: Town) -> AsyncIterator[Client]:
    """Olivia in front of an application over the same database that remembers nothing."""
    built = build(town.clock, remembers=False)
    yield built.visitor()
    for client in built.clients:
        await client.http.aclose()
    await built.remembered.close()


async def test_a_preview_is_remembered_until_something_that_it_was_made_of_changes(
    town: Town, elm_street: House, desk: dict[str, Any], plain: Client, database: AsyncpgClient
) -> None:
    owner = elm_street.owner
    plain.http.cookies.set("sparekey", owner.reference or "")
    changes: dict[str, Callable[[], Awaitable[object]]] = {
        "nothing": lambda: _later(town),
        "a role set": lambda: owner.set_roles(desk, "scheduler", acknowledgeWarnings=True),
        "an end given": lambda: RoleGrant.all().update(expires_at=town.clock.now.replace(second=30)),
        "half a minute passed": lambda: _later(town, seconds=30),
        "signed": lambda: sign(desk, town),
        "not any more, from tomorrow": lambda: Agreement.all().update(expires_on=town.clock.now.date()),
        "ended": lambda: owner.revoke(desk),
    }
    said = []
    for change in changes.values():
        await change()
        for _ in range(2):
            async with noted(database) as seen:
                answer = await owner.send(PREVIEW, id=desk["id"], roles=["scheduler", "biller"])
            said.append(answer.content)
            assert answer.content == (await plain.send(PREVIEW, id=desk["id"], roles=["scheduler", "biller"])).content
        assert seen == [] or b"errors" in answer.content
    assert len(set(said)) == 4
    assert await events("engagement.roles_set")


async def _later(town: Town, **by: float) -> None:
    town.clock.advance(**by)
