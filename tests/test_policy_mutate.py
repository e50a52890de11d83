"""Small mistakes: each is noticed by the shipped set's tests, and each that is not is answered with the test for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from authz.check import Examined, examine
from authz.decide import Reason, Seat, decide, permissions
from authz.mutants import Mutant, mutants
from authz.mutate import Mutation, mutate, paste
from authz.policy import HELD_BY, Policy
from authz.run_tests import cases
from server.command import main
from tests.bad_policies.small_set import GOOD, Replaced, write_set
from tests.bad_policies.wrong import HEAD

SHIPPED = Path(__file__).parents[1] / "policies"
# A set with every kind of guard, an agreement that is needed for some things, and a separation to break.
RICH: dict[str, Replaced] = {
    "permissions/more.yaml": HEAD + "permissions\npermissions:\n"
    "  gate.open: {title: Open the gate, sensitivity: none, effect: write, properties:"
    " {action.day: text, action.hour: number, action.alone: boolean}}\n",
    "roles/porter.yaml": HEAD + "role\ntitle: Porter\nheld_by: [staff, agent]\ngranted_by: [owner]\n"
    "sensitivity_max: financial\ngrants: [gate.open, claims.void, schedule.read]\nguards:\n"
    "  claims.void: [{property: action.amount, gte: 5}, {property: action.amount, lte: 9}]\n"
    "  gate.open:\n    - {property: action.day, in: [monday, 'it''s friday']}\n"
    "    - {property: action.hour, not_in: [1, 2]}\n    - {property: action.alone, eq: false}\n",
    "agents.yaml": GOOD["agents.yaml"]
    .replace("agreement: required", "agreement: recommended, agreement_required_from: financial")
    .replace("[biller]", "[porter]"),
    "tests/outsiders.yaml": HEAD + "tests\ntests: []\n",
}


def mutated(found: Examined) -> Mutation:
    assert found.diagnostics == ()
    assert found.policy
    assert found.expansion
    return mutate(found.policy, cases(found.expansion.draft, found.policy))


def test_no_small_mistake_in_the_shipped_set_goes_unnoticed() -> None:
    found = mutated(examine(SHIPPED))
    assert [mutant.what for mutant in found.survivors] == []
    assert found.tried > 900


def test_the_shipped_set_is_mutated_in_cells_guards_ceilings_offers_agreements_and_separations() -> None:
    policy = examine(SHIPPED).policy
    assert policy
    whats = {mutant.what for mutant in mutants(policy)}
    assert {
        "biller gains cpt_codes.update",
        "biller loses claims.submit",
        "manager holds payments.refund without its guard",
        "manager's guard of payments.refund says lte 501 for lte 500",
        "manager's guard of payments.refund says lte 499 for lte 500",
        "the ceiling of billing_company gains agents.connect",
        "the ceiling of billing_company loses claims.submit",
        "scheduler is offered to billing_company",
        "biller is no longer offered to billing_company",
        "the agreement of billing_company is recommended",
        "the agreement of front_office_worker is required from clinical",
        "the separation grant_and_redact is gone",
    } <= whats


@pytest.mark.parametrize("changes", [{}, RICH], ids=["small", "rich"])
def test_pasting_the_tests_that_are_missing_kills_every_survivor(tmp_path: Path, changes: dict[str, Replaced]) -> None:
    first = mutated(examine(write_set(tmp_path, changes)))
    assert first.survivors
    (tmp_path / "tests" / "pasted.yaml").write_text("\n".join(paste(first.survivors)) + "\n")
    second = mutated(examine(tmp_path))
    assert [mutant.what for mutant in second.survivors] == []
    assert second.tried == first.tried


def test_a_rich_set_has_mutants_of_every_kind_of_condition(tmp_path: Path) -> None:
    whats = " ".join(mutant.what for mutant in mutated(examine(write_set(tmp_path, RICH))).survivors)
    for piece in ("gte 4 for gte 5", "lte 10 for lte 9", "in ['monday']", "not_in [1]", "not_in [False] for eq False"):
        assert piece in whats


@pytest.mark.parametrize("folder", [SHIPPED, None], ids=["shipped", "rich"])
def test_every_mutant_of_a_cell_or_ceiling_changes_what_somebody_may(tmp_path: Path, folder: Path | None) -> None:
    """One that changes nothing could never be noticed, and would be counted all the same."""
    policy = examine(folder or write_set(tmp_path, RICH)).policy
    assert policy
    for mutant in mutants(policy):
        if "guard" not in mutant.what and "separation" not in mutant.what:
            assert abilities(policy, mutant) != abilities(mutant.policy, mutant), mutant.what


def abilities(policy: Policy, mutant: Mutant) -> list[tuple[frozenset[str], list[str]]]:
    """What each holder that the mutant is about may do with one role, and what only a guard holds back."""
    kinds = [mutant.kind] if mutant.kind else sorted(policy.agents)
    holders = [("agent", kind) for kind in kinds] + [(held_by, None) for held_by in HELD_BY if not mutant.kind]
    found = []
    for held_by, kind in holders:
        for role in [mutant.role] if mutant.role else sorted(policy.roles):
            for agreement in (True, False):
                seat = (Seat(held_by, frozenset({role}), agent_kind=kind, agreement_in_force=agreement),)
                guards = sorted(policy.roles[role].guards)
                found.append(
                    (permissions(policy, seat), [k for k in guards if decide(policy, seat, k).reason is Reason.GUARD])
                )
    return found


def test_the_command_prints_the_missing_tests_and_fails(tmp_path: Path) -> None:
    folder = write_set(tmp_path, {})
    said = CliRunner().invoke(main, ["policy", "test", "--mutate", str(folder)])
    assert said.exit_code == 1
    assert "  survives: desk gains claims.void" in said.output
    pasted = said.output[said.output.index("format:") :]
    assert "  - {name: staff_desk may schedule.read, subject: staff_desk, allow: [schedule.read]}" in pasted
    (folder / "tests" / "pasted.yaml").write_text(pasted)
    again = CliRunner().invoke(main, ["policy", "test", "--mutate", str(folder)])
    assert again.exit_code == 0
    assert "mutants are noticed" in again.output
