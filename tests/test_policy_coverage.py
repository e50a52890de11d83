"""Which cells of role × permission the tests of a set assert, and how the shipped set stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from authz.check import Examined, examine
from authz.coverage import Cell, Coverage, Holder, coverage, holders
from authz.run_tests import cases
from server.command import main
from tests.bad_policies.small_set import Replaced, write_set

SHIPPED = Path(__file__).parents[1] / "policies"
BILLER = [Cell(Holder("agent", "company"), "biller", "claims.submit")]
TESTS = "tests/outsiders.yaml"


def measured(found: Examined) -> Coverage:
    assert found.diagnostics == ()
    assert found.policy
    assert found.expansion
    return coverage(found.policy, cases(found.expansion.draft, found.policy))


def asserted(folder: Path, changes: dict[str, Replaced]) -> Iterator[tuple[str, str, str]]:
    """(holder, role, permission) of the cells that the small set's tests assert."""
    found = examine(write_set(folder, changes))
    missing = set(measured(found).missing)
    assert found.policy
    for role in found.policy.roles:
        for holder in holders(found.policy, role):
            for permission in found.policy.permissions:
                if Cell(holder, role, permission) not in missing:
                    yield holder.name, role, permission


def test_every_cell_of_the_shipped_set_is_asserted() -> None:
    found = measured(examine(SHIPPED))
    assert found.missing == ()
    assert found.percent == 100
    assert found.cells > 1400


def test_an_allowed_permission_is_one_cell_for_its_holder(tmp_path: Path) -> None:
    assert list(asserted(tmp_path, {})) == [("company", "biller", "claims.submit")]


def test_exactly_asserts_what_is_held_and_what_is_not(tmp_path: Path) -> None:
    changes: dict[str, Replaced] = {TESTS: ("allow: [claims.submit]", "exactly: [claims.read, claims.submit]")}
    assert len(list(asserted(tmp_path, changes))) == 5


@pytest.mark.parametrize(
    ("subject", "test"),
    [
        ("agreement: none", "exactly: []"),
        ("agreement: in_force, assigned: false", "deny: [claims.submit, safe.open]"),
        ("agreement: in_force, active: false", "exactly: []"),
        ("agreement: in_force, cap: []", "exactly: []"),
        ("agreement: in_force, scopes: []", "deny: [claims.submit, safe.open]"),
    ],
)
def test_a_denial_for_another_reason_says_nothing_about_the_role(tmp_path: Path, subject: str, test: str) -> None:
    text = (
        "format: sparekey/v1\nkind: tests\nsubjects:\n"
        f"  acme: {{kind: company, roles: [biller], {subject}}}\ntests:\n  - {{name: x, subject: acme, {test}}}\n"
    )
    assert list(asserted(tmp_path, {TESTS: text})) == []


def test_who_holds_two_roles_asserts_nothing_about_either(tmp_path: Path) -> None:
    changes: dict[str, Replaced] = {
        TESTS: ("{kind: company, roles: [biller], agreement: in_force}", "{held_by: staff, roles: [biller, desk]}")
    }
    assert list(asserted(tmp_path, changes)) == []


def test_a_guarded_cell_takes_a_test_that_the_guard_decides(tmp_path: Path) -> None:
    """`exactly` leaves it out whether the role holds it under the guard or not at all."""
    desk = (
        "format: sparekey/v1\nkind: role\ntitle: Desk\nheld_by: [staff]\ngranted_by: [owner]\n"
        "sensitivity_max: financial\ngrants: [schedule.read, claims.void]\n"
        "guards: {claims.void: [{property: action.amount, lte: 5}]}\ntests:\n"
    )
    plain = desk + "  - {name: x, exactly: [schedule.read]}\n"
    decided = desk + "  - {name: x, deny: [claims.void], because: GUARD}\n"
    allowed = desk + "  - {name: x, allow: [claims.void], with: {action.amount: 5}}\n"
    cell = ("staff", "desk", "claims.void")
    assert cell not in list(asserted(tmp_path / "plain", {"roles/desk.yaml": plain}))
    assert cell in list(asserted(tmp_path / "decided", {"roles/desk.yaml": decided}))
    assert cell in list(asserted(tmp_path / "allowed", {"roles/desk.yaml": allowed}))


def test_the_command_says_what_is_missing_and_refuses_less_than_was_asked_for(tmp_path: Path) -> None:
    folder = str(write_set(tmp_path, {}))
    said = CliRunner().invoke(main, ["policy", "test", "--coverage", folder])
    assert said.exit_code == 0
    assert said.output == (
        "1 tests hold, asked as 1 holders\n"
        "1 of 20 cells are asserted: 5.0 %\n"
        "  biller held by staff: 5 of 5 not asserted: claims.read, claims.submit, claims.void, safe.open and 1 more\n"
        "  biller held by company: 4 of 5 not asserted: claims.read, claims.void, safe.open, schedule.read\n"
        "  desk held by staff: 5 of 5 not asserted: claims.read, claims.submit, claims.void, safe.open and 1 more\n"
        "  owner held by staff: 5 of 5 not asserted: claims.read, claims.submit, claims.void, safe.open and 1 more\n"
    )
    assert CliRunner().invoke(main, ["policy", "test", "--coverage-min", "6", folder]).exit_code == 1
    assert CliRunner().invoke(main, ["policy", "test", "--coverage-min", "5", folder]).exit_code == 0


def test_the_command_does_not_measure_a_set_whose_tests_fail(tmp_path: Path) -> None:
    folder = write_set(tmp_path, {TESTS: ("allow: [claims.submit]", "deny: [claims.submit]")})
    said = CliRunner().invoke(main, ["policy", "test", "--coverage", str(folder)])
    assert said.exit_code == 1
    assert "P162" in said.output
