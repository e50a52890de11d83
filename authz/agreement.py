"""The agreement of an engagement: where it stands at an instant, and who moves it on.

Two sides act, each for itself: the agent signs, the practice records (45 CFR 164.504(e)). Only dates and acts are
stored; what they mean is worked out here, to the day (UTC), and `authz/life.py` asks.
"""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from authz.policy import Policy

TRAINING = "workforce_training"


class AgreementState(enum.Enum):
    NONE = "none"
    REQUESTED = "requested"
    SIGNED_BY_AGENT = "signed_by_agent"
    IN_FORCE = "in_force"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    TERMINATED = "terminated"
    WAIVED = "waived"


_IN_FORCE = (AgreementState.IN_FORCE, AgreementState.EXPIRING)
NO_END = date(9999, 1, 1)  # as the last day of one that has none


class AgreementFacts(NamedTuple):
    """`covered_until`: the last day of the one before it, which counts until this one does. So who renews in time is
    never without."""

    basis: str = "baa"
    requested_at: datetime | None = None
    agent_signed_at: datetime | None = None
    practice_signed_at: datetime | None = None
    effective_on: date | None = None
    expires_on: date | None = None
    document_ref: str | None = None
    document_sha256: str | None = None
    waived_at: datetime | None = None
    terminated_at: datetime | None = None
    covered_until: date | None = None
    training_completed_on: date | None = None
    waive_reason: str | None = None


class Missing(NamedTuple):
    """What keeps a required agreement from being in force, who acts next, and since when they are waited for."""

    expired: bool
    message: str
    waits_for_agent: bool
    since: datetime


def is_in_force(state: AgreementState) -> bool:
    """A waiver is none: it says that nobody waits for what is only recommended, and opens nothing that is required."""
    return state in _IN_FORCE


def agreement_state(agreement: AgreementFacts | None, policy: Policy, now: datetime) -> AgreementState:
    """In force needs both sides' recorded act and a first day that has come."""
    if agreement is None:
        return AgreementState.NONE
    if agreement.terminated_at:
        return AgreementState.TERMINATED
    if agreement.waived_at:
        return AgreementState.WAIVED
    own = _own_state(agreement, policy, now.date())
    if agreement.covered_until is None or is_in_force(own):
        return own
    before = _running_state(agreement.covered_until, policy, now.date())
    return before if is_in_force(before) else own


def _own_state(agreement: AgreementFacts, policy: Policy, today: date) -> AgreementState:
    """Without the one before it."""
    if not both_sides_acted(agreement):
        return AgreementState.SIGNED_BY_AGENT if agreement.agent_signed_at else AgreementState.REQUESTED
    if agreement.effective_on is None or agreement.effective_on > today:
        return AgreementState.SIGNED_BY_AGENT
    return _running_state(agreement.expires_on, policy, today)


def both_sides_acted(agreement: AgreementFacts) -> bool:
    """Training of a practice's own workforce is attested by the practice alone."""
    agent_acted = agreement.agent_signed_at or agreement.basis == TRAINING
    return bool(agent_acted and agreement.practice_signed_at)


def _running_state(expires_on: date | None, policy: Policy, today: date) -> AgreementState:
    if expires_on is None:
        return AgreementState.IN_FORCE
    if expires_on < today:
        return AgreementState.EXPIRED
    notice = timedelta(days=max(policy.engagements.notice_days))
    return AgreementState.EXPIRING if expires_on - today <= notice else AgreementState.IN_FORCE


def in_force_until(agreement: AgreementFacts | None, policy: Policy, now: datetime) -> date | None:
    """Of one that is in force: the last day on which it, or the one that covers it, is. None for any other."""
    if agreement is None or not is_in_force(agreement_state(agreement, policy, now)):
        return None
    if is_in_force(_own_state(agreement, policy, now.date())):
        return agreement.expires_on or NO_END
    return agreement.covered_until


def depends_on_the_day(agreement: AgreementFacts | None, today: date) -> bool:
    """Whether a midnight may change where it stands."""
    if agreement is None:
        return False
    begins = agreement.effective_on is not None and agreement.effective_on > today
    return begins or agreement.expires_on is not None or agreement.covered_until is not None


def missing(agreement: AgreementFacts | None, state: AgreementState, started_at: datetime) -> Missing:
    """Of an agreement that is required and not in force."""
    if agreement is None:
        return Missing(False, _BOTH, True, started_at)
    if agreement.terminated_at:
        return Missing(False, f"the agreement was ended; {_BOTH}", True, agreement.terminated_at)
    if agreement.waived_at:
        return Missing(False, f"the agreement was waived and is required now; {_BOTH}", True, agreement.waived_at)
    if state is AgreementState.EXPIRED and agreement.expires_on:
        again = "record the training again" if agreement.basis == TRAINING else "record a new one"
        over = "the workforce training" if agreement.basis == TRAINING else "the business associate agreement"
        message = f"{over} has expired; {again}"
        return Missing(True, message, False, _day_after(agreement.expires_on, agreement.covered_until))
    found = _unfinished(agreement, started_at)
    if agreement.covered_until is None:
        return found
    return found._replace(since=max(found.since, _day_after(agreement.covered_until)))


_BOTH = "a business associate agreement must be in force first; the agent signs it, the practice records it"


def _unfinished(agreement: AgreementFacts, started_at: datetime) -> Missing:
    """Of one whose first day has not come, or that a side has not acted on."""
    signed, recorded = agreement.agent_signed_at, agreement.practice_signed_at
    if both_sides_acted(agreement) and recorded:
        begins = f"begins on {agreement.effective_on}" if agreement.effective_on else "has no first day"
        message = f"the business associate agreement {begins}; until then nothing is permitted, and nobody has to act"
        return Missing(False, message, False, max(recorded, signed or recorded))
    if signed:
        return Missing(False, "the agent has signed the agreement; record it for the practice", False, signed)
    if recorded:
        return Missing(False, "the practice has recorded the agreement; the agent signs it", True, recorded)
    return Missing(False, _BOTH, True, agreement.requested_at or started_at)


def _day_after(*days: date | None) -> datetime:
    """The first instant after the last of these days."""
    last = max(day for day in days if day is not None)
    return datetime.combine(last + timedelta(days=1), time(), UTC)
