"""One decision function: each reason it can give, their fixed order, and what no role can change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.decide import Reason, Seat, allowed, decide, permissions
from authz.load import load
from authz.policy import HELD_BY, Policy, SignIn

SHIPPED = Path(__file__).parents[1] / "policies"
ACME = Seat("agent", frozenset({"biller"}), agent_kind="billing_company", agreement_in_force=True)
OWNER = Seat("staff", frozenset({"owner"}))


@cache
def shipped() -> Policy:
    return load(SHIPPED)


@cache
def demanding() -> Policy:
    """The same, but that sensitive roles need a second factor."""
    return replace(shipped(), sign_in=SignIn("sensitive_roles"))


def reason(
    seat: Seat, permission: str, properties: Mapping[str, object] | None = None, policy: Policy | None = None
) -> str:
    return decide(policy or shipped(), (seat,), permission, properties or {}).reason.name


def test_the_reasons_are_those_of_the_api_in_its_order() -> None:
    assert [found.name for found in sorted(Reason, key=lambda found: found.value)] == [
        "ALLOWED",
        "UNKNOWN_PERMISSION",
        "NO_ENGAGEMENT",
        "NOT_ACTIVE",
        "ROLE_LACKS_PERMISSION",
        "ABOVE_CEILING",
        "AGREEMENT_MISSING",
        "MEMBER_NOT_ASSIGNED",
        "OUTSIDE_SCOPE",
        "SECOND_FACTOR_MISSING",
        "GUARD",
    ]


def test_an_allowed_decision_names_the_seat_the_smallest_role_and_the_policy() -> None:
    seat = replace(ACME, roles=frozenset({"manager", "biller"}))
    decision = decide(shipped(), (seat,), "claims.submit")
    assert (decision.allowed, decision.seat, decision.role) == (True, seat, "biller")
    assert decision.digest == shipped().digest


def test_an_unknown_permission_is_denied_before_any_seat_is_looked_at() -> None:
    assert decide(shipped(), (OWNER,), "claims.sumbit").reason is Reason.UNKNOWN_PERMISSION
    assert decide(shipped(), (), "claims.sumbit").reason is Reason.UNKNOWN_PERMISSION


def test_nobody_without_a_seat_is_let_in() -> None:
    assert decide(shipped(), (), "claims.read").reason is Reason.NO_ENGAGEMENT


def test_the_first_thing_that_is_missing_is_the_reason() -> None:
    """Everything is wrong with this seat; it is put right one thing after the other."""
    seat = Seat(
        "agent",
        frozenset({"auditor"}),
        active=False,
        agent_kind="lost",
        assigned=False,
        cap=frozenset(),
        scopes=frozenset(),
        proven=False,
    )
    repairs: list[tuple[str, dict[str, Any]]] = [
        ("NOT_ACTIVE", {"active": True}),
        ("ROLE_LACKS_PERMISSION", {"roles": frozenset({"manager"})}),
        ("ABOVE_CEILING", {"agent_kind": "billing_company"}),
        ("AGREEMENT_MISSING", {"agreement_in_force": True}),
        ("MEMBER_NOT_ASSIGNED", {"assigned": True}),
        ("MEMBER_NOT_ASSIGNED", {"cap": None}),
        ("OUTSIDE_SCOPE", {"scopes": frozenset({"payments.refund"})}),
        ("SECOND_FACTOR_MISSING", {"proven": True}),
    ]
    for expected, repair in repairs:
        assert reason(seat, "payments.refund", policy=demanding()) == expected
        seat = replace(seat, **repair)
    assert reason(seat, "payments.refund") == "GUARD"
    assert reason(seat, "payments.refund", {"action.amount": 500}) == "ALLOWED"


def test_what_is_promised_away_is_above_the_ceiling_of_an_outsider_only() -> None:
    manager = frozenset({"manager"})
    assert reason(Seat("staff", manager), "agents.connect") == "ALLOWED"
    assert reason(replace(ACME, roles=manager), "agents.connect") == "ABOVE_CEILING"


def test_a_kind_of_agent_that_the_policy_lost_has_no_ceiling_to_stand_under() -> None:
    assert reason(replace(ACME, agent_kind="clearing_house"), "claims.read") == "ABOVE_CEILING"
    assert reason(replace(ACME, agent_kind=None), "claims.read") == "ABOVE_CEILING"


def test_a_sensitive_role_gives_nothing_without_the_second_factor_that_the_policy_asks_for() -> None:
    for role in shipped().roles.values():
        for held_by in sorted(role.held_by - {"agent"}):
            seat = Seat(held_by, frozenset({role.key}), proven=False)
            expected = frozenset() if role.sensitive else permissions(demanding(), (replace(seat, proven=True),))
            assert permissions(demanding(), (seat,)) == expected, role.key
            found = {key for key in shipped().permissions if allowed(demanding(), (replace(seat),), key)}
            assert found == expected, role.key
            assert permissions(shipped(), (seat,)) == permissions(shipped(), (replace(seat, proven=True),))
    both = Seat("staff", frozenset({"owner", "scheduler"}), proven=False)
    assert decide(demanding(), (both,), "schedule.read").role == "scheduler"
    assert reason(both, "agents.connect", policy=demanding()) == "SECOND_FACTOR_MISSING"


def test_a_role_gives_nothing_to_whom_it_is_not_for_or_when_the_policy_lost_it() -> None:
    seat = replace(ACME, roles=frozenset({"owner", "operator", "gone"}))
    assert reason(seat, "claims.read") == "ROLE_LACKS_PERMISSION"
    assert permissions(shipped(), (seat,)) == frozenset()


def test_a_recommended_agreement_does_not_hold_anything_back() -> None:
    desk = Seat("agent", frozenset({"scheduler"}), agent_kind="front_office_worker")
    assert reason(desk, "schedule.write") == "ALLOWED"
    assert not shipped().agreement_needed("front_office_worker", ["scheduler"])
    assert shipped().agreement_needed("billing_company", [])


def test_of_several_seats_one_that_allows_is_enough_wherever_it_stands() -> None:
    idle = replace(ACME, active=False)
    assert decide(shipped(), (idle, OWNER), "claims.read").seat is OWNER
    assert decide(shipped(), (OWNER, idle), "claims.read").seat is OWNER


def test_a_denial_is_that_of_the_seat_that_got_furthest() -> None:
    idle, unassigned = replace(ACME, active=False), replace(ACME, assigned=False)
    for seats in ((idle, unassigned), (unassigned, idle)):
        decision = decide(shipped(), seats, "claims.read")
        assert (decision.reason, decision.seat) == (Reason.MEMBER_NOT_ASSIGNED, unassigned)


@pytest.mark.parametrize(
    "amount", [500.01, 10**400, float("nan"), float("inf"), "5", True, None, [5], {"n": 5}], ids=lambda a: repr(a)[:12]
)
def test_a_guard_does_not_hold_for_a_value_of_the_wrong_kind(amount: object) -> None:
    manager = Seat("staff", frozenset({"manager"}))
    assert reason(manager, "payments.refund", {"action.amount": amount}) == "GUARD"
    assert reason(manager, "payments.refund") == "GUARD"
    assert reason(manager, "payments.refund", {"action.amount": -3}) == "ALLOWED"


def test_one_role_that_gives_it_plainly_is_enough() -> None:
    both = Seat("staff", frozenset({"manager", "owner"}))
    assert decide(shipped(), (both,), "payments.refund").role == "owner"


def test_permissions_are_what_decide_allows() -> None:
    for seat in (OWNER, ACME, replace(ACME, cap=frozenset()), replace(ACME, scopes=frozenset({"claims.read", "x"}))):
        allowed = {key for key in shipped().permissions if decide(shipped(), (seat,), key).allowed}
        assert permissions(shipped(), (seat,)) == allowed


def test_equal_seats_share_one_class_and_their_number_is_bounded() -> None:
    policy = load(SHIPPED)
    decide(policy, (ACME,), "claims.read")
    classes = len(policy.classes)
    decide(policy, (replace(ACME, roles=frozenset(["biller"]), scopes=frozenset({"claims.read"})),), "claims.read")
    assert len(policy.classes) == classes
    for number in range(5000):
        permissions(policy, (replace(ACME, roles=frozenset({f"gone_{number}"})),))
    assert len(policy.classes) <= 4096


# ---- for all seats ---------------------------------------------------------------------------------------------

ROLES = st.frozensets(st.sampled_from([*sorted(shipped().roles), "gone"]))
SEATS = st.builds(
    Seat,
    held_by=st.sampled_from(HELD_BY),
    roles=ROLES,
    active=st.booleans(),
    agent_kind=st.sampled_from([*sorted(shipped().agents), "lost", None]),
    agreement_in_force=st.booleans(),
    assigned=st.booleans(),
    cap=st.none() | ROLES,
    scopes=st.none() | st.frozensets(st.sampled_from(sorted(shipped().permissions))),
    proven=st.booleans(),
)
POLICIES = st.sampled_from([shipped(), demanding()])
PERMISSIONS = st.sampled_from(sorted(shipped().permissions))
PROPERTIES = st.dictionaries(st.just("action.amount"), st.integers() | st.floats() | st.text() | st.booleans())


@given(SEATS, ROLES, PERMISSIONS, PROPERTIES)
def test_more_roles_never_take_a_permission_away(
    seat: Seat, roles: frozenset[str], permission: str, properties: dict[str, object]
) -> None:
    richer = replace(seat, roles=seat.roles | roles)
    assert permissions(shipped(), (seat,)) <= permissions(shipped(), (richer,))
    if decide(shipped(), (seat,), permission, properties).allowed:
        assert decide(shipped(), (richer,), permission, properties).allowed


@given(SEATS, PERMISSIONS, PROPERTIES)
def test_no_agent_ever_exceeds_the_ceiling_the_agreement_the_cap_or_the_scopes(
    seat: Seat, permission: str, properties: dict[str, object]
) -> None:
    policy = shipped()
    seat = replace(seat, held_by="agent")
    decision = decide(policy, (seat,), permission, properties)
    if decision.allowed:
        kind = policy.agents[seat.agent_kind or ""]
        assert permission in kind.ceiling
        assert decision.role in seat.roles
        assert decision.role in kind.roles
        assert seat.agreement_in_force or kind.agreement != "required"
        assert seat.active
        assert seat.assigned
        assert seat.cap is None or decision.role in seat.cap
        assert seat.scopes is None or permission in seat.scopes


@given(st.lists(SEATS, max_size=4), PERMISSIONS)
def test_the_order_of_seats_changes_nothing_but_which_equal_seat_is_named(seats: list[Seat], permission: str) -> None:
    forth, back = decide(shipped(), seats, permission), decide(shipped(), seats[::-1], permission)
    assert (forth.allowed, forth.reason) == (back.allowed, back.reason)


@given(POLICIES, SEATS, PERMISSIONS, PROPERTIES)
def test_the_short_way_and_the_long_way_agree(
    policy: Policy, seat: Seat, permission: str, properties: dict[str, object]
) -> None:
    """A plain re-statement of the formula in words of sets, against the classes that decisions are read from."""
    known = [policy.roles[key] for key in seat.roles if key in policy.roles]
    roles = [role for role in known if seat.held_by in role.held_by]
    roles = [role for role in roles if permission in role.permissions and (seat.cap is None or role.key in seat.cap)]
    if policy is demanding() and not seat.proven:
        roles = [role for role in roles if not role.sensitive]
    kind = policy.agents.get(seat.agent_kind or "")
    if seat.held_by == "agent":
        roles = [role for role in roles if kind and role.key in kind.roles and permission in kind.ceiling]
        if kind and kind.agreement == "required" and not seat.agreement_in_force:
            roles = []
    amount = properties.get("action.amount")
    small = isinstance(amount, int | float) and not isinstance(amount, bool) and float("-inf") < amount <= 500
    expected = (
        any(permission not in role.guards or small for role in roles)
        and seat.active
        and seat.assigned
        and (seat.scopes is None or permission in seat.scopes)
    )
    assert decide(policy, (seat,), permission, properties).allowed == expected
