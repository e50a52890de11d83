"""What a role comes to hold: wildcards, what is inherited and dropped, guards, and the ceilings above them."""

from __future__ import annotations

from pathlib import Path

import pytest

from authz.check import PolicyRejected
from authz.decide import Seat, decide, permissions
from authz.load import load
from authz.policy import Policy
from tests.bad_policies.small_set import GOOD, Replaced, write_set
from tests.bad_policies.wrong import BILLER, DESK, OWNER

BILLER_SEAT = Seat("agent", frozenset({"biller"}), agent_kind="company", agreement_in_force=True)
VOID = "guards: {claims.void: [{property: action.amount, lte: 5}]}\n"
VOIDER = DESK.replace("contact", "financial").replace("[schedule.read]", "[claims.void]") + VOID


def small(folder: Path, changes: dict[str, Replaced]) -> Policy:
    return load(write_set(folder, changes))


def voids(policy: Policy, role: str, amount: object) -> bool:
    seat = Seat("staff", frozenset({role}))
    return decide(policy, (seat,), "claims.void", {"action.amount": amount}).allowed


def test_a_wildcard_leaves_out_what_must_be_named(tmp_path: Path) -> None:
    assert small(tmp_path, {}).roles["biller"].permissions == {"claims.read", "claims.submit"}


def test_a_permission_can_opt_out_of_wildcards(tmp_path: Path) -> None:
    submit = ("effect: write, needs", "effect: write, wildcard: false, needs")
    changes: dict[str, Replaced] = {
        "permissions/billing.yaml": submit,
        "hints.yaml": ("claims.submit", "claims.read"),
        "tests/outsiders.yaml": ("allow", "deny"),
    }
    assert small(tmp_path, changes).roles["biller"].permissions == {"claims.read"}


def test_dropping_is_local_and_a_wildcard_drops_everything_below_it(tmp_path: Path) -> None:
    policy = small(tmp_path, {"roles/clerk.yaml": BILLER + "includes: [desk]\nwithout: [schedule.*]\n"})
    assert policy.roles["clerk"].permissions == {"claims.read", "claims.submit"}
    assert policy.roles["desk"].permissions == {"schedule.read"}
    void = OWNER.replace("includes: [biller, desk]", "includes: [desk]") + "without: [claims.*]\n"
    assert small(tmp_path, {"roles/owner2.yaml": void}).roles["owner2"].permissions == {"schedule.read", "safe.open"}


def test_what_is_inherited_and_named_is_reported_at_its_own_name(tmp_path: Path) -> None:
    """The role's own grant is the cause, even where an included role gives the same permission."""
    clerk = BILLER.replace("[claims.*]", "[claims.read, claims.submit, claims.void]") + "includes: [voider]\n"
    voider = DESK.replace("contact", "financial").replace("schedule.read", "claims.void")
    with pytest.raises(PolicyRejected) as rejected:
        small(tmp_path, {"roles/clerk.yaml": clerk, "roles/voider.yaml": voider})
    assert [(d.code, d.line, d.column) for d in rejected.value.diagnostics] == [("P151", 7, 38)]


def test_a_guard_is_inherited_and_a_plain_grant_lifts_it_for_that_role_alone(tmp_path: Path) -> None:
    heir = VOIDER.replace(VOID, "").replace("grants: [claims.void]", "includes: [voider]")
    plain = VOIDER.replace(VOID, "includes: [voider]\n")
    policy = small(tmp_path, {"roles/voider.yaml": VOIDER, "roles/heir.yaml": heir, "roles/plain.yaml": plain})
    assert [voids(policy, role, 6) for role in ("voider", "heir", "plain")] == [False, False, True]
    assert [voids(policy, role, 5) for role in ("voider", "heir", "plain")] == [True, True, True]
    assert permissions(policy, (Seat("staff", frozenset({"voider"})),)) == frozenset()


def test_a_guard_on_top_of_an_inherited_one_narrows_it(tmp_path: Path) -> None:
    heir = VOIDER.replace("grants: [claims.void]\n", "includes: [voider]\n").replace("lte: 5", "gte: 3")
    policy = small(tmp_path, {"roles/voider.yaml": VOIDER, "roles/heir.yaml": heir})
    assert [voids(policy, "heir", amount) for amount in (2, 3, 5, 6)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("condition", "holds", "fails"),
    [
        ("eq: 5", [5, 5.0], [4, "5"]),
        ("in: [1, 2.5]", [1, 2.5], [2, True]),
        ("not_in: [1]", [2], [1, None]),
        ("gte: -1", [-1, 0], [-2]),
    ],
)
def test_each_comparison_holds_for_what_it_says(
    tmp_path: Path, condition: str, holds: list[object], fails: list[object]
) -> None:
    policy = small(tmp_path, {"roles/voider.yaml": VOIDER.replace("lte: 5", condition)})
    assert all(voids(policy, "voider", amount) for amount in holds)
    assert not any(voids(policy, "voider", amount) for amount in fails)


def test_of_any_one_condition_is_enough_and_of_several_each_is_needed(tmp_path: Path) -> None:
    apart = "any: [{property: action.amount, lte: 1}, {property: action.amount, gte: 9}]"
    either = f"[{{{apart}}}, {{property: action.amount, lte: 10}}]"
    policy = small(tmp_path, {"roles/voider.yaml": VOIDER.replace("[{property: action.amount, lte: 5}]", either)})
    assert [voids(policy, "voider", amount) for amount in (1, 5, 9, 11)] == [True, False, True, False]


def test_nobody_grants_without_a_guard_what_they_hold_under_one(tmp_path: Path) -> None:
    plain = VOIDER.replace(VOID, "").replace("[owner]", "[owner, voider]")
    with pytest.raises(PolicyRejected, match=r"P152 whoever holds voider can bring about claims\.void"):
        small(tmp_path / "wider", {"roles/voider.yaml": VOIDER, "roles/plain.yaml": plain})
    same = VOIDER.replace("[owner]", "[owner, voider]")
    assert small(tmp_path / "same", {"roles/voider.yaml": VOIDER, "roles/same.yaml": same}).roles["same"].guards


def test_the_ceiling_of_a_kind_is_also_its_sensitivity(tmp_path: Path) -> None:
    policy = small(
        tmp_path,
        {
            "agents.yaml": ("max: financial", "max: contact"),
            "tests/outsiders.yaml": ("allow", "because: ABOVE_CEILING, deny"),
        },
    )
    assert policy.agents["company"].ceiling == {"schedule.read"}
    assert permissions(policy, (BILLER_SEAT,)) == frozenset()


def test_a_recommended_agreement_is_required_from_its_sensitivity_on(tmp_path: Path) -> None:
    kind = GOOD["agents.yaml"].replace(
        "agreement: required", "agreement: recommended, agreement_required_from: financial"
    )
    clerk = BILLER.replace("[claims.*]", "[claims.read, schedule.read]")
    changes: dict[str, Replaced] = {
        "agents.yaml": kind.replace("[biller]", "[biller, clerk, desk]"),
        "roles/clerk.yaml": clerk,
        "roles/desk.yaml": ("[staff]", "[staff, agent]"),
    }
    policy = small(tmp_path, changes)
    seat = Seat("agent", frozenset({"clerk"}), agent_kind="company")
    assert permissions(policy, (seat,)) == {"schedule.read"}
    assert decide(policy, (seat,), "claims.read").reason.name == "AGREEMENT_MISSING"
    assert policy.agreement_needed("company", ["clerk"])
    assert not policy.agreement_needed("company", ["desk"])
    assert policy.agreement_needed("lost", ["desk"])


def test_an_agreement_is_not_waited_for_because_of_what_is_above_the_ceiling(tmp_path: Path) -> None:
    kind = GOOD["agents.yaml"].replace(
        "agreement: required", "agreement: recommended, agreement_required_from: financial"
    )
    changes: dict[str, Replaced] = {
        "agents.yaml": kind.replace("max: financial", "max: contact"),
        "tests/outsiders.yaml": ("allow", "because: ABOVE_CEILING, deny"),
    }
    assert not small(tmp_path, changes).agreement_needed("company", ["biller"])


@pytest.mark.parametrize(
    ("test", "complaint"),
    [
        ("allow: [safe.open]", r"a company with biller may not safe\.open \(ROLE_LACKS_PERMISSION\)"),
        ("deny: [safe.open], because: GUARD", r"may not safe\.open because of ROLE_LACKS_PERMISSION"),
        ("exactly: [claims.read]", r"also may claims\.submit"),
        ("exactly: [claims.read, claims.submit, claims.void]", r"may not claims\.void"),
        ("exactly: [claims.read, claims.submit], because: NOT_ACTIVE", "is denied because of nothing, not NOT_ACTIVE"),
    ],
)
def test_a_failing_test_of_the_set_says_what_is_instead(tmp_path: Path, test: str, complaint: str) -> None:
    with pytest.raises(PolicyRejected, match=complaint) as rejected:
        small(tmp_path, {"tests/outsiders.yaml": ("allow: [claims.submit]", test)})
    assert {d.code for d in rejected.value.diagnostics} == {"P162"}


def test_the_tests_beside_a_role_are_about_each_kind_that_may_be_given_it(tmp_path: Path) -> None:
    failing = BILLER + "tests:\n  - {name: from outside, held_by: agent, deny: [claims.read]}\n"
    with pytest.raises(PolicyRejected, match=r'"from outside" fails: a company with biller may claims\.read'):
        small(tmp_path, {"roles/biller.yaml": failing})
