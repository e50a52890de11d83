"""The plan: what a change would do to live people, against what each of them alone is told."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from authz.check import PolicyRejected
from authz.class_changes import Live, changes
from authz.decide import Seat, permissions
from authz.life import life
from authz.load import load
from authz.plan import NEEDS_APPROVAL, NOTHING_CHANGES, WITHIN_LIMITS
from authz.policy import Policy, Separation
from models.asyncpg_client import AsyncpgClient
from operations import policy_holders
from operations.policy_holders import Holders
from operations.policy_planning import Planned, make_plan
from tests.policy_variants import AGREEMENT_FOR_ALL, NO_RECORDED_PAYMENTS, OUTSIDE_REFUNDS, edit, variant
from tests.stored import rows
from tests.stored_facts import drawn, store
from tests.town import POLICIES, START, Agency, House, Town


@pytest.fixture(scope="module")
def shipped() -> Policy:
    return load(POLICIES)


async def planned(town: Town, folder: Path, edits: dict[str, tuple[str, str]]) -> Planned:
    """From the shipped set to one with these edits."""
    return await make_plan(town.policy, load(variant(folder / "set", edits)), town.clock.now)


async def at_the_desk(town: Town, house: House, agent: Agency, *roles: str) -> dict[str, Any]:
    """A front-office worker needs no agreement: these roles work at once."""
    engagement = await town.engage(house, agent, purpose="SHARED_FRONT_OFFICE")
    answer = await house.owner.set_roles(engagement, *roles, acknowledgeWarnings=True)
    assert answer["__typename"] == "SetRolesSuccess", answer
    return engagement


def of(made: Planned, held_by: str, *roles: str) -> list[tuple[int, tuple[str, ...], tuple[str, ...]]]:
    """Holders, losses and gains of the classes with these roles."""
    found = [c for c in made.plan.changes if (c.live.held_by, c.live.roles) == (held_by, frozenset(roles))]
    return [(change.live.holders, change.loses, change.gains) for change in found]


@pytest.mark.parametrize("seed", range(5))
async def test_the_classes_are_those_that_every_engagement_alone_falls_into(
    database: AsyncpgClient, shipped: Policy, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_holders, "BITS", random.Random(seed).choice((2, 62)))  # more roles than bits, too
    made = await store([drawn(random.Random(seed * 1000 + n).choice, START) for n in range(250)], START)
    expected: Counter[tuple[str, frozenset[str], bool]] = Counter()
    for facts in made.values():
        found = life(facts, shipped, START)
        if not found.ended_at:
            expected[facts.agent_kind, found.live_roles, found.agreement_in_force] += 1
    counted = [each.live for each in await Holders.of(shipped, shipped, START).found() if each.live.held_by == "agent"]
    assert {(c.agent_kind, c.roles, c.agreement_in_force): c.holders for c in counted} == expected
    assert len(expected) > 20


async def test_a_class_changes_by_what_one_of_its_holders_gains_and_loses(
    database: AsyncpgClient, shipped: Policy, tmp_path: Path
) -> None:
    new = load(variant(tmp_path / "set", {**NO_RECORDED_PAYMENTS, **OUTSIDE_REFUNDS}))
    made = await store([drawn(random.Random(n).choice, START) for n in range(250)], START)
    for facts in made.values():
        found = life(facts, shipped, START)
        if found.ended_at:
            continue
        live = Live("agent", facts.agent_kind, found.live_roles, found.agreement_in_force, 1)
        seat = Seat("agent", found.live_roles, True, facts.agent_kind, found.agreement_in_force)
        before, after = permissions(shipped, [seat]), permissions(new, [seat])
        (change,) = changes(shipped, new, [live]) or [None]
        gained = set(change.gains + change.widened) if change else set()
        lost = set(change.loses + change.narrowed) if change else set()
        assert (gained, lost) == (set(after - before), set(before - after))


async def test_the_people_of_a_town_are_counted_by_kind_and_role(town: Town, tmp_path: Path) -> None:
    house, other = await town.practice("Elm Street"), await town.practice("Oak Street")
    for practice in (house, other):
        await town.staff(practice, f"biller@{practice.id}.example", "biller")
    acme, dana = await town.agency("ACME Billing"), await town.agency("Dana", "FRONT_OFFICE_WORKER")
    for practice in (house, other):
        await practice.owner.set_roles(await town.engage(practice, acme), "biller")
    await at_the_desk(town, house, dana, "biller", "scheduler")
    made = await planned(town, tmp_path, NO_RECORDED_PAYMENTS)
    assert of(made, "staff", "biller") == [(2, ("payments.record",), ())]
    assert of(made, "staff", "owner") == [(2, ("payments.record",), ())]
    assert of(made, "agent", "biller") == []  # ACME waits for its agreement: it has nothing to lose
    assert of(made, "agent", "biller", "scheduler") == [(1, ("payments.record",), ())]
    (desk_change,) = [c.live for c in made.plan.changes if c.live.agent_kind == "front_office_worker"]
    assert made.examples[desk_change] == ("Dana in Elm Street",)


async def test_an_agreement_that_becomes_required_takes_everything_away(town: Town, tmp_path: Path) -> None:
    house, dana = await town.practice(), await town.agency("Dana", "FRONT_OFFICE_WORKER")
    await at_the_desk(town, house, dana, "scheduler")
    made = await planned(town, tmp_path, AGREEMENT_FOR_ALL)
    ((holders, loses, gains),) = of(made, "agent", "scheduler")
    assert (holders, gains) == (1, ())
    assert set(loses) == town.policy.roles["scheduler"].permissions


async def test_practices_in_which_nobody_is_left_are_counted_and_named(town: Town, tmp_path: Path) -> None:
    await town.practice("Elm Street")
    house, dana = await town.practice("Oak Street"), await town.agency("Dana", "FRONT_OFFICE_WORKER")
    await at_the_desk(town, house, dana, "scheduler")
    made = await planned(town, tmp_path, NO_RECORDED_PAYMENTS)
    assert [(n.permission, n.practices, n.names) for n in made.plan.nobody_left] == [
        ("payments.record", 2, ("Elm Street", "Oak Street"))
    ]


async def test_a_practice_with_an_outsider_who_still_can_is_not_among_them(town: Town, tmp_path: Path) -> None:
    house, dana = await town.practice("Oak Street"), await town.agency("Dana", "FRONT_OFFICE_WORKER")
    await town.practice("Elm Street")
    await at_the_desk(town, house, dana, "scheduler")
    new = load(variant(tmp_path / "set", NO_RECORDED_PAYMENTS))
    scheduler = new.roles["scheduler"]
    keeps = replace(scheduler, permissions=scheduler.permissions | {"payments.record"}, held_by=frozenset({"agent"}))
    made = await make_plan(town.policy, replace(new, roles={**new.roles, "scheduler": keeps}), town.clock.now)
    found = {n.permission: n.names for n in made.plan.nobody_left}
    assert found["payments.record"] == ("Elm Street",)


async def test_a_role_that_vanishes_is_named_with_its_grants(town: Town, tmp_path: Path) -> None:
    house, acme = await town.practice(), await town.agency()
    await house.owner.set_roles(await town.engage(house, acme), "auditor")
    folder = variant(tmp_path / "set")
    (folder / "roles" / "auditor.yaml").unlink()
    agents = folder / "agents.yaml"
    agents.write_text(agents.read_text().replace(", auditor]", "]"))
    made = await make_plan(town.policy, load(folder), town.clock.now)
    assert [(i.role, i.agent_kind, i.vanishes, i.holders) for i in made.plan.idle] == [
        ("auditor", "billing_company", True, 1)
    ]


async def test_a_role_that_a_kind_may_not_have_any_more_is_named_too(town: Town, tmp_path: Path) -> None:
    house, acme = await town.practice(), await town.agency()
    await house.owner.set_roles(await town.engage(house, acme), "auditor")
    narrower = {"agents.yaml": ("roles: [biller, manager, auditor]", "roles: [biller, manager]")}
    made = await planned(town, tmp_path, narrower)
    assert [(i.role, i.agent_kind, i.vanishes) for i in made.plan.idle] == [("auditor", "billing_company", False)]


async def test_a_new_promise_names_who_loses_by_it(town: Town, tmp_path: Path) -> None:
    house, dana = await town.practice(), await town.agency("Dana", "FRONT_OFFICE_WORKER")
    await at_the_desk(town, house, dana, "scheduler")
    never = {"never.yaml": ("permissions: [records.redact,", "permissions: [clients.write, records.redact,")}
    made = await planned(town, tmp_path, never)
    (found,) = made.plan.broken
    assert (found.rule, found.permissions, found.holders) == ("never for agent", ("clients.write",), 1)
    assert made.plan.verdict == WITHIN_LIMITS


async def test_roles_together_that_break_a_new_separation_need_approval(town: Town, tmp_path: Path) -> None:
    house, dana = await town.practice(), await town.agency("Dana", "FRONT_OFFICE_WORKER")
    await at_the_desk(town, house, dana, "scheduler", "biller")
    apart = Separation("book_and_bill", ("schedule.write", "claims.submit"), 1, "Apart.")
    new = replace(town.policy, separations=(*town.policy.separations, apart), digest="0" * 12)
    made = await make_plan(town.policy, new, town.clock.now)
    found = {b.rule: b.holders for b in made.plan.broken}
    assert found["book_and_bill"] == 1
    assert made.plan.verdict == NEEDS_APPROVAL
    assert any("book_and_bill" in reason for reason in made.plan.reasons)


async def test_recent_use_is_that_of_the_engagement(town: Town, tmp_path: Path) -> None:
    dana = await town.agency("Dana", "FRONT_OFFICE_WORKER")
    for name, days in (("Elm Street", 29), ("Oak Street", 31)):
        house = await town.practice(name)
        engagement = await at_the_desk(town, house, dana, "biller")
        used = "UPDATE engagements SET last_used_at = $2::timestamptz - make_interval(days => $3) WHERE id = $1"
        await rows(used, engagement["id"], town.clock.now, days)
    made = await planned(town, tmp_path, NO_RECORDED_PAYMENTS)
    (change,) = [change for change in made.plan.changes if change.live.held_by == "agent"]
    assert (change.live.holders, change.live.used) == (2, 1)


async def test_a_condition_that_gets_tighter_counts_as_a_loss_and_one_that_goes_as_a_gain(
    town: Town, tmp_path: Path
) -> None:
    house = await town.practice()
    await town.staff(house, "manager@elm.example", "manager")
    tighter = await planned(town, tmp_path / "a", {"roles/manager.yaml": ("lte: 500}", "lte: 400}")})
    (change,) = tighter.plan.changes
    assert (change.narrowed, change.widened, change.loses, change.gains) == (("payments.refund",),) * 2 + ((), ())
    gone = {"roles/manager.yaml": ("guards:\n  payments.refund: [{property: action.amount, lte: 500}]\n", "")}
    (change,) = (await planned(town, tmp_path / "b", gone)).plan.changes
    assert (change.narrowed, change.widened) == ((), ("payments.refund",))


async def test_the_same_meaning_changes_nothing(town: Town, tmp_path: Path) -> None:
    await town.practice()
    folder = variant(tmp_path / "set")
    old = load(folder)
    edit(folder / "roles" / "biller.yaml", "title: Biller", "title: The biller  # a comment")
    made = await make_plan(old, load(folder), town.clock.now)
    assert (made.plan.changes, made.plan.verdict) == ((), NOTHING_CHANGES)


async def test_limits_bound_what_they_name_and_a_change_cannot_lift_its_own(town: Town, tmp_path: Path) -> None:
    house = await town.practice()
    await town.staff(house, "biller@elm.example", "biller")
    new = load(variant(tmp_path / "set", NO_RECORDED_PAYMENTS))
    for least, verdict in ((2, WITHIN_LIMITS), (1, NEEDS_APPROVAL)):
        old = replace(town.policy, limits={"lose": least})
        made = await make_plan(old, replace(new, limits={"lose": least}), town.clock.now)
        assert made.plan.verdict == verdict
    lifted = await make_plan(old, replace(new, limits={"lose": 100}), town.clock.now)
    assert lifted.plan.reasons == ("lose is 2, the limit is 1", "the limit lose is raised or removed")
    assert (await make_plan(old, replace(new, limits={}), town.clock.now)).plan.verdict == NEEDS_APPROVAL


async def test_gains_of_destructive_permissions_have_a_limit_of_their_own(town: Town, tmp_path: Path) -> None:
    house, acme = await town.practice(), await town.agency("ACME", "PRACTICE_MANAGEMENT_COMPANY")
    await house.owner.set_roles(await town.engage(house, acme), "auditor")
    agreed = "INSERT INTO agreements (id, engagement_id, basis, agent_signed_at, practice_signed_at, effective_on)"
    day = town.clock.now.date()
    await rows(f"{agreed} SELECT gen_random_uuid(), id, 'baa', $1, $1, $2 FROM engagements", town.clock.now, day)
    made = await planned(town, tmp_path, OUTSIDE_REFUNDS)
    assert [(limit.name, limit.found) for limit in made.plan.limits if limit.exceeded] == [("gain_destructive", 1)]
    assert made.plan.verdict == NEEDS_APPROVAL


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("{lose: -1}", "P127"),
        ("{lose: many}", "P124"),
        ("{loose: 25}", "P122"),
        ("[25]", "P124"),
        ("{gain_admin: 1000000001}", "P127"),
        ("{lose: 1, lose: 2}", "P112"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_a_diagnostic_with_its_place(tmp_path: Path, written: str, code: str) -> None:
    folder = variant(tmp_path / "set")
    settings = folder / "policy.yaml"
    kept = [line for line in settings.read_text().splitlines() if not line.startswith("limits:")]
    settings.write_text("\n".join([*kept, f"limits: {written}", ""]))
    with pytest.raises(PolicyRejected) as rejected:
        load(folder)
    (found,) = [each for each in rejected.value.diagnostics if each.code == code]
    assert (found.line, found.column > 8) == (len(kept) + 1, True)


async def test_without_people_and_without_a_policy_before_there_is_a_plan_too(
    database: AsyncpgClient, shipped: Policy
) -> None:
    plan = (await make_plan(None, shipped, START)).plan
    assert (plan.changes, plan.broken, plan.nobody_left, plan.verdict) == ((), (), (), WITHIN_LIMITS)
