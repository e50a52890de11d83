"""Separation of duty beyond the single role: what one holder can be given by several grants."""

from __future__ import annotations

from pathlib import Path

import pytest

from authz.check import examine
from authz.load import load
from tests.bad_policies.small_set import Replaced, write_set
from tests.bad_policies.wrong import DESK, HEAD

CLERK = DESK.replace("Desk", "Clerk").replace("contact", "financial").replace("schedule.read", "claims.void")


def rule(permissions: str, more: str = "", at_most: int = 1) -> str:
    return (
        f"{HEAD}promises\nseparation_of_duty:\n"
        f"  - {{id: apart, permissions: [{permissions}], at_most: {at_most}, {more}because: Two pairs of eyes.}}\n"
    )


def complaints(folder: Path, changes: dict[str, Replaced]) -> list[str]:
    return [found.message for found in examine(write_set(folder, changes)).diagnostics if found.code == "P153"]


def test_two_roles_for_one_holder_are_named_with_what_they_add_up_to(tmp_path: Path) -> None:
    (found,) = complaints(tmp_path, {"more.yaml": rule("claims.submit, schedule.read")})
    assert found == (
        "biller and desk can be granted to one staff member, who then holds claims.submit, schedule.read, "
        "at most 1 of which may be in one hand: Two pairs of eyes."
    )


def test_a_separation_kept_by_refusing_the_grant_says_so(tmp_path: Path) -> None:
    assert complaints(tmp_path, {"more.yaml": rule("claims.submit, schedule.read", "enforced: at_grant, ")}) == []


def test_for_outsiders_the_union_is_proven_whatever_the_separation_says(tmp_path: Path) -> None:
    changes: dict[str, Replaced] = {
        "more.yaml": rule("claims.submit, schedule.read", "enforced: at_grant, "),
        "roles/desk.yaml": ("[staff]", "[staff, agent]"),
    }
    assert complaints(tmp_path / "not offered", changes) == []
    offered: dict[str, Replaced] = {**changes, "agents.yaml": ("[biller]", "[biller, desk]")}
    assert [found.split(" can be")[0] for found in complaints(tmp_path / "offered", offered)] == ["biller and desk"]
    under = ("max: financial, roles: [biller]", "max: contact, roles: [biller, desk]")
    tests = ("allow: [claims.submit]", "deny: [claims.submit]")
    below: dict[str, Replaced] = {**changes, "agents.yaml": under, "tests/outsiders.yaml": tests}
    assert complaints(tmp_path / "under the ceiling", below) == []


def test_a_role_that_nobody_grants_comes_alone(tmp_path: Path) -> None:
    changes: dict[str, Replaced] = {
        "more.yaml": rule("claims.submit, schedule.read"),
        "roles/desk.yaml": ("granted_by: [owner]\n", ""),
    }
    assert complaints(tmp_path, changes) == []


def test_roles_for_different_holders_do_not_meet(tmp_path: Path) -> None:
    changes: dict[str, Replaced] = {
        "more.yaml": rule("claims.submit, schedule.read"),
        "roles/desk.yaml": ("[staff]", "[member]"),
    }
    assert complaints(tmp_path, changes) == []


def test_three_roles_are_found_where_no_two_are_enough(tmp_path: Path) -> None:
    """And no more roles are named than it takes."""
    changes: dict[str, Replaced] = {
        "more.yaml": rule("claims.submit, schedule.read, claims.void", at_most=2),
        "roles/clerk.yaml": CLERK,
        "roles/clerk2.yaml": CLERK,
    }
    (found,) = complaints(tmp_path, changes)
    assert found.startswith("biller and clerk and desk can be granted to one staff member")


def test_a_role_that_breaks_it_alone_is_reported_once(tmp_path: Path) -> None:
    both = DESK.replace("contact", "financial").replace("schedule.read", "claims.submit, claims.read, schedule.read")
    changes: dict[str, Replaced] = {"more.yaml": rule("claims.submit, schedule.read"), "roles/desk.yaml": both}
    found = examine(write_set(tmp_path, changes)).diagnostics
    assert [diagnostic.code for diagnostic in found] == ["P151"]


@pytest.mark.parametrize("kind", ["billing_company", "practice_management_company", "front_office_worker"])
def test_no_outsider_can_be_given_both_sides_of_a_separated_duty(kind: str) -> None:
    """Of the shipped set, without the proof's own code."""
    policy = load(Path(__file__).parents[1] / "policies")
    found = policy.agents[kind]
    held = frozenset[str]().union(*(policy.roles[role].permissions for role in found.roles)) & found.ceiling
    for separation in policy.separations:
        assert len(held.intersection(separation.permissions)) <= separation.at_most
