"""What an engagement's dates mean at an instant: status, blockers and agreement, to the second and around it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from authz.agreement import AgreementFacts, AgreementState, agreement_state, is_in_force
from authz.life import (
    Facts,
    Grant,
    Party,
    Status,
    changes_at,
    end,
    grant_status,
    life,
    live_roles,
    review_due,
    runs_until,
)
from authz.load import load
from tests.town import POLICIES


def replace(facts: Any, **changed: Any) -> Any:
    return facts._replace(**changed)


POLICY = load(POLICIES)
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TODAY = NOW.date()
TICK = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
STARTED = NOW - 100 * DAY
SIGNED = AgreementFacts(agent_signed_at=STARTED, practice_signed_at=STARTED, effective_on=TODAY - DAY)
BILLER = Grant("biller", STARTED, STARTED)
WAITING = Grant("manager", STARTED)
ACTIVE = Facts(STARTED, NOW + 100 * DAY, "billing_company", (BILLER,), SIGNED)


def test_with_roles_and_an_agreement_it_is_active_and_nothing_is_missing() -> None:
    found = life(ACTIVE, POLICY, NOW)
    assert (found.status, found.live_roles, found.blockers) == (Status.ACTIVE, frozenset({"biller"}), ())
    assert (found.ended_at, found.end_reason, found.agreement_in_force) == (None, None, True)


# Each fact alone, and each with the next stronger one on top: the stronger decides.
LADDER: list[tuple[dict[str, Any], Status]] = [
    ({"agreement": None}, Status.AWAITING_AGREEMENT),
    ({"grants": ()}, Status.AWAITING_ROLES),
    ({"suspended_at": NOW}, Status.SUSPENDED),
    ({"expires_at": NOW}, Status.EXPIRED),
    ({"ended_at": NOW, "end_reason": "left_by_agent"}, Status.ENDED),
]


@pytest.mark.parametrize("weaker", range(len(LADDER)))
@pytest.mark.parametrize("stronger", range(len(LADDER)))
def test_of_two_facts_the_stronger_decides_the_status(weaker: int, stronger: int) -> None:
    both = {**LADDER[weaker][0], **LADDER[stronger][0]}
    assert life(replace(ACTIVE, **both), POLICY, NOW).status is LADDER[max(weaker, stronger)][1]


GRACE = POLICY.engagements.grace_days * DAY


@pytest.mark.parametrize(
    ("left", "status"),
    [
        (SECOND, Status.ACTIVE),
        (TICK, Status.ACTIVE),
        (0 * DAY, Status.EXPIRED),
        (-SECOND, Status.EXPIRED),
        (SECOND - GRACE, Status.EXPIRED),
        (TICK - GRACE, Status.EXPIRED),
        (-GRACE, Status.ENDED),
        (-GRACE - SECOND, Status.ENDED),
    ],
)
def test_it_expires_at_its_instant_and_ends_when_the_grace_is_over(left: timedelta, status: Status) -> None:
    found = life(replace(ACTIVE, expires_at=NOW + left), POLICY, NOW)
    assert found.status is status
    lapsed = (NOW + left + GRACE, "expired") if status is Status.ENDED else (None, None)
    assert (found.ended_at, found.end_reason) == lapsed


@pytest.mark.parametrize(
    ("facts", "ended_at", "reason"),
    [
        (replace(ACTIVE, practice_closed_at=NOW - DAY), NOW - DAY, "practice_closed"),
        (replace(ACTIVE, agent_closed_at=NOW - DAY), NOW - DAY, "agent_closed"),
        (replace(ACTIVE, practice_closed_at=NOW, agent_closed_at=NOW - DAY), NOW, "practice_closed"),
        (
            replace(ACTIVE, ended_at=NOW - 2 * DAY, end_reason="platform", practice_closed_at=NOW),
            NOW - 2 * DAY,
            "platform",
        ),
        (replace(ACTIVE, expires_at=NOW - GRACE, agent_closed_at=NOW), NOW, "agent_closed"),
    ],
)
def test_why_it_ended_is_what_was_written_then_who_closed_then_time(
    facts: Facts, ended_at: datetime, reason: str
) -> None:
    assert end(facts, POLICY, NOW) == (ended_at, reason)
    assert life(facts, POLICY, NOW).blockers == (), "nobody has to do anything about what is over"


@pytest.mark.parametrize("party", ["suspended_at", "agent_suspended_at"])
def test_a_suspension_of_either_side_suspends(party: str) -> None:
    suspended: dict[str, Any] = {party: NOW - DAY}
    found = life(replace(ACTIVE, **suspended), POLICY, NOW)
    assert found.status is Status.SUSPENDED
    assert found.live_roles == {"biller"}, "roles are kept"


@pytest.mark.parametrize(
    ("grant", "status"),
    [
        (BILLER, "active"),
        (WAITING, "pending_confirmation"),
        (replace(BILLER, expires_at=NOW + TICK), "active"),
        (replace(BILLER, expires_at=NOW), "lapsed"),
        (replace(BILLER, expires_at=NOW - SECOND), "lapsed"),
        (replace(WAITING, expires_at=NOW), "lapsed"),
        (replace(WAITING, expires_at=NOW + TICK), "pending_confirmation"),
    ],
)
def test_a_grant_is_active_once_confirmed_and_until_its_end(grant: Grant, status: str) -> None:
    assert grant_status(grant, NOW) == status
    assert live_roles(replace(ACTIVE, grants=(grant,)), POLICY, NOW) == ({grant.role} if status == "active" else set())


def test_a_role_that_the_policy_lost_gives_nothing() -> None:
    facts = replace(ACTIVE, grants=(replace(BILLER, role="gone"),))
    found = life(facts, POLICY, NOW)
    assert (found.status, found.live_roles) == (Status.AWAITING_ROLES, frozenset())
    assert [blocker.code for blocker in found.blockers] == ["no_roles", "unknown_role"]


NOTICE = max(POLICY.engagements.notice_days)


@pytest.mark.parametrize(
    ("agreement", "state"),
    [
        (None, AgreementState.NONE),
        (AgreementFacts(), AgreementState.REQUESTED),
        (AgreementFacts(requested_at=STARTED), AgreementState.REQUESTED),
        (AgreementFacts(practice_signed_at=STARTED, effective_on=TODAY), AgreementState.REQUESTED),
        (AgreementFacts(agent_signed_at=STARTED, effective_on=TODAY), AgreementState.SIGNED_BY_AGENT),
        (replace(SIGNED, effective_on=None), AgreementState.SIGNED_BY_AGENT),
        (replace(SIGNED, effective_on=TODAY + DAY), AgreementState.SIGNED_BY_AGENT),
        (replace(SIGNED, effective_on=TODAY), AgreementState.IN_FORCE),
        (replace(SIGNED, expires_on=TODAY + (NOTICE + 1) * DAY), AgreementState.IN_FORCE),
        (replace(SIGNED, expires_on=TODAY + NOTICE * DAY), AgreementState.EXPIRING),
        (replace(SIGNED, expires_on=TODAY), AgreementState.EXPIRING),
        (replace(SIGNED, expires_on=TODAY - DAY), AgreementState.EXPIRED),
        (replace(SIGNED, terminated_at=NOW), AgreementState.TERMINATED),
        (AgreementFacts(waived_at=NOW), AgreementState.WAIVED),
        (AgreementFacts(waived_at=NOW, terminated_at=NOW), AgreementState.TERMINATED),
        (replace(SIGNED, basis="workforce_training", agent_signed_at=None), AgreementState.IN_FORCE),
        (AgreementFacts(covered_until=TODAY + (NOTICE + 1) * DAY), AgreementState.IN_FORCE),
        (AgreementFacts(covered_until=TODAY + NOTICE * DAY), AgreementState.EXPIRING),
        (AgreementFacts(covered_until=TODAY), AgreementState.EXPIRING),
        (AgreementFacts(covered_until=TODAY - DAY), AgreementState.REQUESTED),
        (AgreementFacts(covered_until=TODAY - DAY, agent_signed_at=NOW), AgreementState.SIGNED_BY_AGENT),
        (replace(SIGNED, effective_on=TODAY + DAY, covered_until=TODAY), AgreementState.EXPIRING),
        (replace(SIGNED, covered_until=TODAY), AgreementState.IN_FORCE),
        (replace(SIGNED, expires_on=TODAY - DAY, covered_until=TODAY - 9 * DAY), AgreementState.EXPIRED),
        (AgreementFacts(covered_until=TODAY, terminated_at=NOW), AgreementState.TERMINATED),
        (AgreementFacts(covered_until=TODAY, waived_at=NOW), AgreementState.WAIVED),
        (AgreementFacts(basis="workforce_training", effective_on=TODAY), AgreementState.REQUESTED),
    ],
)
def test_the_state_of_an_agreement(agreement: AgreementFacts | None, state: AgreementState) -> None:
    assert agreement_state(agreement, POLICY, NOW) is state
    found = life(replace(ACTIVE, agreement=agreement), POLICY, NOW)
    assert found.agreement is state
    assert found.status is (Status.ACTIVE if is_in_force(state) else Status.AWAITING_AGREEMENT)


def test_in_force_are_these_two_states_and_a_waiver_is_none() -> None:
    in_force = {AgreementState.IN_FORCE, AgreementState.EXPIRING}
    assert {state for state in AgreementState if is_in_force(state)} == in_force
    waived = replace(ACTIVE, agreement=AgreementFacts(waived_at=NOW))
    found = life(waived, POLICY, NOW)
    assert (found.status, found.agreement_settled) == (Status.AWAITING_AGREEMENT, True)
    worker = life(replace(waived, agent_kind="front_office_worker"), POLICY, NOW)
    assert (worker.status, worker.blockers) == (Status.ACTIVE, ())


@pytest.mark.parametrize(
    ("now", "in_force"),
    [
        (datetime(2026, 11, 22, 23, 59, 59, 999_999, UTC), False),
        (datetime(2026, 11, 23, 0, 0, tzinfo=UTC), True),
        (datetime(2026, 12, 24, 23, 59, 59, 999_999, UTC), True),
        (datetime(2026, 12, 25, 0, 0, tzinfo=UTC), False),
    ],
)
def test_an_agreement_holds_from_the_first_to_the_last_second_of_its_days_in_utc(now: datetime, in_force: bool) -> None:
    dated = replace(SIGNED, effective_on=date(2026, 11, 23), expires_on=date(2026, 12, 24))
    assert is_in_force(agreement_state(dated, POLICY, now)) is in_force


def test_an_agreement_that_is_only_recommended_holds_nothing_up() -> None:
    worker = replace(ACTIVE, agent_kind="front_office_worker", agreement=None)
    found = life(worker, POLICY, NOW)
    assert (found.status, found.agreement_in_force, found.blockers) == (Status.ACTIVE, False, ())


def test_an_agent_of_a_kind_that_the_policy_lost_waits_for_an_agreement() -> None:
    assert life(replace(ACTIVE, agent_kind="gardener", agreement=None), POLICY, NOW).status is Status.AWAITING_AGREEMENT


# Facts → the blockers: code, who has to act, since when.
BLOCKERS: list[tuple[dict[str, Any], list[tuple[str, Party, datetime]]]] = [
    ({"grants": ()}, [("no_roles", Party.PRACTICE, STARTED)]),
    (
        {"grants": (WAITING,)},
        [("no_roles", Party.PRACTICE, STARTED), ("role_confirmation_pending", Party.PRACTICE, STARTED)],
    ),
    ({"grants": (BILLER, WAITING)}, [("role_confirmation_pending", Party.PRACTICE, STARTED)]),
    ({"suspended_at": NOW - DAY}, [("suspended", Party.PRACTICE, NOW - DAY)]),
    ({"agent_suspended_at": NOW - DAY}, [("agent_suspended", Party.PLATFORM, NOW - DAY)]),
    ({"expires_at": NOW - DAY}, [("expired", Party.PRACTICE, NOW - DAY)]),
    ({"agreement": None}, [("agreement_missing", Party.AGENT, STARTED)]),
    ({"agreement": AgreementFacts(requested_at=NOW - DAY)}, [("agreement_missing", Party.AGENT, NOW - DAY)]),
    ({"agreement": AgreementFacts(practice_signed_at=NOW - DAY)}, [("agreement_missing", Party.AGENT, NOW - DAY)]),
    (
        {"agreement": AgreementFacts(requested_at=STARTED, agent_signed_at=NOW - DAY)},
        [("agreement_missing", Party.PRACTICE, NOW - DAY)],
    ),
    (
        {"agreement": replace(SIGNED, practice_signed_at=NOW - DAY, effective_on=TODAY + DAY)},
        [("agreement_missing", Party.PRACTICE, NOW - DAY)],
    ),
    ({"agreement": replace(SIGNED, terminated_at=NOW)}, [("agreement_missing", Party.AGENT, NOW)]),
    ({"agreement": AgreementFacts(waived_at=NOW)}, [("agreement_missing", Party.AGENT, NOW)]),
    ({"agreement": replace(SIGNED, expires_on=TODAY - DAY)}, [("agreement_expired", Party.PRACTICE, MIDNIGHT)]),
    (
        {"agreement": AgreementFacts(agent_signed_at=STARTED, covered_until=TODAY - DAY)},
        [("agreement_missing", Party.PRACTICE, MIDNIGHT)],
    ),
    (
        {"agreement": AgreementFacts(agent_signed_at=NOW, covered_until=TODAY - DAY)},
        [("agreement_missing", Party.PRACTICE, NOW)],
    ),
    ({"agreement": AgreementFacts(agent_signed_at=NOW, covered_until=TODAY)}, []),
    (
        {"grants": (), "agreement": None, "suspended_at": NOW, "expires_at": NOW},
        [
            ("expired", Party.PRACTICE, NOW),
            ("suspended", Party.PRACTICE, NOW),
            ("no_roles", Party.PRACTICE, STARTED),
            ("agreement_missing", Party.AGENT, STARTED),
        ],
    ),
    ({"ended_at": NOW, "end_reason": "platform", "grants": (), "agreement": None}, []),
]


@pytest.mark.parametrize(("changed", "expected"), BLOCKERS)
def test_every_thing_that_is_missing_is_named_with_who_must_act(
    changed: dict[str, Any], expected: list[tuple[str, Party, datetime]]
) -> None:
    found = life(replace(ACTIVE, **changed), POLICY, NOW).blockers
    assert [(blocker.code, blocker.waiting_for, blocker.since) for blocker in found] == expected
    assert all(blocker.message and not blocker.message.endswith(".") for blocker in found)


def test_an_engagement_is_active_exactly_when_nothing_blocks_it_but_a_waiting_role() -> None:
    for changed, expected in BLOCKERS:
        facts = replace(ACTIVE, **changed)
        blocking = {code for code, *_ in expected} - {"role_confirmation_pending"}
        active = life(facts, POLICY, NOW).status is Status.ACTIVE
        assert active is (not blocking and facts.ended_at is None), changed


def test_who_extends_itself_runs_for_another_term_at_the_end_of_each() -> None:
    facts = replace(ACTIVE, expires_at=NOW, auto_extend=True)
    year = timedelta(days=POLICY.engagements.default_days)
    for at, until in ((-TICK, NOW), (timedelta(0), NOW + year), (year - TICK, NOW + year), (year, NOW + 2 * year)):
        assert runs_until(facts, POLICY, NOW + at) == until
    found = life(facts._replace(reviewed_at=NOW + 5 * year), POLICY, NOW + 5 * year)
    assert (found.status, found.ended_at) == (Status.ACTIVE, None)


@pytest.mark.parametrize(("role", "days"), [("biller", 365), ("manager", 90)])
def test_an_overdue_review_suspends_from_the_first_instant_of_the_day_after(role: str, days: int) -> None:
    reviewed = datetime(2027, 3, 1, 23, 59, tzinfo=UTC)
    over = datetime(2027, 3, 1, tzinfo=UTC) + timedelta(days=days + 30 + 1)
    facts = replace(
        ACTIVE,
        reviewed_at=reviewed,
        expires_at=over + timedelta(days=1),
        grants=(Grant(role, reviewed, confirmed_at=reviewed),),
    )
    assert review_due(facts, POLICY, frozenset({role})) == (reviewed + timedelta(days=days)).date()
    assert life(facts, POLICY, over - TICK).status is Status.ACTIVE
    found = life(facts, POLICY, over)
    assert found.status is Status.SUSPENDED
    (blocker,) = found.blockers
    assert (blocker.code, blocker.waiting_for, blocker.since) == ("review_overdue", Party.PRACTICE, over)
    assert changes_at(facts, POLICY, over - TICK) == over


def test_where_nobody_is_assigned_a_blocker_says_so_and_the_status_stays() -> None:
    since = NOW - timedelta(days=3)
    found = life(replace(ACTIVE, unassigned_since=since), POLICY, NOW)
    assert found.status is Status.ACTIVE
    assert [(each.code, each.waiting_for, each.since) for each in found.blockers] == [
        ("member_not_assigned", Party.AGENT, since)
    ]
    own_member = replace(ACTIVE, unassigned_since=since, agent_kind="front_office_worker")
    assert life(own_member, POLICY, NOW).blockers == ()
