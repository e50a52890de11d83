"""Why somebody may or may not: the steps agree with the decision, and their words name the line and the way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from authz.decide import Reason, Seat, allowed, decide
from authz.explain import CHECKS, Explanation, chain, explain
from authz.load import load
from authz.policy import HELD_BY, Policy, SignIn
from server.command import main
from tests.bad_policies.small_set import write_set

SHIPPED = Path(__file__).parents[1] / "policies"
ACME = Seat("agent", frozenset({"biller"}), agent_kind="billing_company", agreement_in_force=True)


@cache
def shipped() -> Policy:
    return load(SHIPPED)


def line(file: str, text: str) -> int:
    return next(n for n, found in enumerate((SHIPPED / file).read_text().splitlines(), 1) if text in found)


def last(found: Explanation) -> str:
    return found.steps[-1].detail


def asked(seat: Seat, permission: str, properties: Mapping[str, object] | None = None) -> Explanation:
    return explain(shipped(), (seat,), permission, properties or {})


def test_what_is_allowed_shows_the_chain_from_the_role_to_the_line_that_grants_it() -> None:
    found = asked(replace(ACME, roles=frozenset({"manager"})), "claims.submit")
    assert [step.passed for step in found.steps] == [True] * 10
    includes, grants = line("roles/manager.yaml", "includes:"), line("roles/biller.yaml", "grants:")
    assert found.steps[3].detail == (
        f"manager (roles/manager.yaml:{includes} biller) → biller (roles/biller.yaml:{grants} claims.*)"
    )
    assert found.would_be_allowed_by == ()


def test_every_permission_of_every_role_has_a_chain_that_ends_where_it_is_granted() -> None:
    for role in shipped().roles.values():
        for permission in role.permissions:
            *path, end = chain(shipped(), role.key, permission)
            assert all(link.word in shipped().roles for link in path)
            assert permission == end.word or permission.startswith(end.word.removesuffix("*"))
            written = Path(end.word.spot.file.name).read_text().splitlines()[end.word.spot.line - 1]
            assert end.word in written
    assert chain(shipped(), "biller", "agents.connect") == ()
    assert chain(shipped(), "gone", "claims.read") == ()


def test_sources_move_neither_the_digest_nor_equality(tmp_path: Path) -> None:
    first = load(write_set(tmp_path / "first", {}))
    second = load(write_set(tmp_path / "second", {"roles/desk.yaml": ("title: Desk", "# lower\ntitle: Desk")}))
    assert (
        first.roles["desk"].source["schedule.read"].spot.line + 1
        == second.roles["desk"].source["schedule.read"].spot.line
    )
    assert first.digest == second.digest
    assert first.roles["desk"] == second.roles["desk"]


def test_a_role_that_is_missing_is_the_smallest_that_somebody_can_grant_there() -> None:
    found = asked(replace(ACME, roles=frozenset({"auditor"})), "claims.submit")
    assert (
        last(found)
        == "auditor does not give it; the smallest role that does is biller, which manager or owner can grant"
    )
    assert [role.key for role in found.would_be_allowed_by] == ["biller", "manager"]
    staff = asked(Seat("staff", frozenset({"reporting"})), "claims.submit")
    assert last(staff).endswith("is biller, which owner or staff_administrator can grant")
    nothing = asked(replace(ACME, roles=frozenset()), "claims.submit")
    assert last(nothing).startswith("no role is turned on; the smallest role that does is biller")


def test_what_no_outsider_ever_has_says_who_promised_it_and_why() -> None:
    found = asked(replace(ACME, roles=frozenset({"manager"})), "agents.connect")
    promised = line("never.yaml", "- agents.connect")
    assert last(found) == (
        f"no outsider ever has it (never.yaml:{promised}): "
        "An outsider works in the account; it never decides who else does."
    )
    assert found.would_be_allowed_by == ()
    notes = asked(ACME, "clinical_notes.read")
    kind = line("agents.yaml", "billing_company:")
    assert last(notes) == (
        f"biller does not give it; it is clinical, and financial is the most for a billing company (agents.yaml:{kind})"
    )


def test_a_role_that_this_kind_is_not_given_leads_to_one_that_it_is() -> None:
    found = asked(replace(ACME, roles=frozenset({"scheduler"})), "schedule.read")
    assert last(found).startswith("a billing company is not given scheduler; the smallest role that does is manager")


@pytest.mark.parametrize(
    ("seat", "permission", "detail"),
    [
        (
            replace(ACME, agreement_in_force=False),
            "claims.read",
            "a business associate agreement must be in force first",
        ),
        (replace(ACME, assigned=False), "claims.read", "the member is not assigned to this engagement"),
        (replace(ACME, cap=frozenset({"auditor"})), "claims.read", "the assignment leaves out biller"),
        (replace(ACME, scopes=frozenset()), "claims.read", "the key in use does not carry it"),
        (replace(ACME, active=False), "claims.read", "the engagement, the agent, the member or the practice"),
        (replace(ACME, agent_kind="gone"), "claims.read", "the policy has no such kind of agent"),
        (
            Seat("staff", frozenset({"manager"})),
            "payments.refund",
            "when action.amount is at most 500, and action.amount is not given",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_denial_says_what_is_missing(seat: Seat, permission: str, detail: str) -> None:
    found = asked(seat, permission)
    assert not found.steps[-1].passed
    assert detail in last(found)


def test_a_missing_second_factor_is_told_with_the_role_that_waits_for_it() -> None:
    policy = replace(shipped(), sign_in=SignIn("sensitive_roles"))
    seat = Seat("staff", frozenset({"manager", "scheduler"}), proven=False)
    waiting = explain(policy, (seat,), "agents.connect")
    assert waiting.decision.reason is Reason.SECOND_FACTOR_MISSING
    assert last(waiting) == "manager gives it only after a sign-in with a second factor; sign in with one"
    assert waiting.would_be_allowed_by == ()
    assert explain(policy, (seat,), "schedule.read").steps[-2].detail == "none is needed for this"
    given = explain(policy, (replace(seat, proven=True),), "agents.connect")
    assert given.steps[-2].detail == "a second factor was given"


def test_a_misspelt_permission_and_a_stranger_are_told_apart() -> None:
    assert (
        last(asked(ACME, "claims.sumbit")) == "the policy has no permission claims.sumbit; did you mean claims.submit?"
    )
    assert last(asked(ACME, "x" * 100_000)).endswith("…")
    stranger = explain(shipped(), (), "claims.read")
    assert [step.passed for step in stranger.steps] == [True, False]


def test_no_path_of_the_server_is_told() -> None:
    for permission in shipped().permissions:
        for role in shipped().roles:
            found = asked(replace(ACME, roles=frozenset({role})), permission)
            assert not any("policies/" in step.detail or str(SHIPPED) in step.detail for step in found.steps)


ROLES = st.frozensets(st.sampled_from([*sorted(shipped().roles), "gone"]), max_size=4)
SEATS = st.builds(
    Seat,
    held_by=st.sampled_from(HELD_BY),
    roles=ROLES,
    active=st.booleans() | st.just(True),
    agent_kind=st.sampled_from([*sorted(shipped().agents), "lost", None]),
    agreement_in_force=st.booleans(),
    assigned=st.booleans() | st.just(True),
    cap=st.none() | ROLES,
    scopes=st.none() | st.frozensets(st.sampled_from(sorted(shipped().permissions))),
    proven=st.booleans(),
)
PERMISSIONS = st.sampled_from([*sorted(shipped().permissions), "claims.sumbit"])
PROPERTIES = st.dictionaries(st.just("action.amount"), st.integers(400, 600))


@given(st.lists(SEATS, max_size=3), PERMISSIONS, PROPERTIES)
def test_the_steps_are_the_decision(seats: list[Seat], permission: str, properties: dict[str, object]) -> None:
    decision = decide(shipped(), seats, permission, properties)
    found = explain(shipped(), seats, permission, properties)
    assert found.decision == decision
    assert allowed(shipped(), seats, permission, properties) == decision.allowed
    order = list(CHECKS.values())
    assert [step.check for step in found.steps] == order[: len(found.steps)]
    assert all(step.passed for step in found.steps[:-1])
    assert found.steps[-1].passed == decision.allowed
    assert all(step.detail for step in found.steps)
    if not decision.allowed:
        assert found.steps[-1].check == CHECKS[decision.reason]
        assert len(found.steps) == decision.reason.value


@given(SEATS, PERMISSIONS)
def test_a_role_that_is_suggested_brings_the_seat_further(seat: Seat, permission: str) -> None:
    found = asked(seat, permission)
    for role in found.would_be_allowed_by:
        richer = replace(seat, roles=seat.roles | {role.key}, cap=seat.cap and seat.cap | {role.key})
        reason = decide(shipped(), (richer,), permission).reason
        assert reason is Reason.ALLOWED or reason.value > found.decision.reason.value
        assert role.granted_by
        assert seat.held_by in role.held_by


def test_the_command_prints_the_way_and_for_whom_it_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(write_set(tmp_path, {}))
    said = CliRunner().invoke(main, ["policy", "explain", "owner", "claims.submit", "."])
    assert said.output == (
        "owner holds claims.submit: Submit claims (billing, financial, write)\n"
        "  roles/owner.yaml:7  owner includes biller\n"
        "  roles/biller.yaml:7  biller grants claims.*\n"
        "  staff: yes\n"
    )
    said = CliRunner().invoke(main, ["policy", "explain", "biller", "claims.submit", "."])
    assert said.output.endswith("  staff: yes\n  a company: yes, while an agreement is in force\n")
    said = CliRunner().invoke(main, ["policy", "explain", "biller", "safe.open", "."])
    assert said.output.endswith(
        "  staff: no role that can be granted gives it\n"
        "  a company: no outsider ever has it (never.yaml:4): No outsider opens the safe.\n"
    )
    said = CliRunner().invoke(main, ["policy", "explain", "bilerr", "safe.open", "."])
    assert (said.exit_code, said.output) == (1, "Error: the policy has no role bilerr; did you mean biller?\n")
