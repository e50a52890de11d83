"""The life of an engagement: what its stored dates mean at an instant.

The only place that decides status, blockers and live roles; of the agreement `authz/agreement.py` does. Reads and
decisions both call it, so that what a screen shows and what a door does cannot differ. Nothing here waits or stores.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from authz.agreement import (
    AgreementFacts,
    AgreementState,
    agreement_state,
    depends_on_the_day,
    is_in_force,
    missing,
)
from authz.policy import Policy

NEVER = datetime.max.replace(tzinfo=UTC)


class Status(enum.Enum):
    """First that applies, in this order of precedence: ENDED, EXPIRED, SUSPENDED, AWAITING_ROLES,
    AWAITING_AGREEMENT, ACTIVE. Values are spelt as in SQL and YAML."""

    AWAITING_ROLES = "awaiting_roles"
    AWAITING_AGREEMENT = "awaiting_agreement"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    ENDED = "ended"


class Party(enum.Enum):
    PRACTICE = "practice"
    AGENT = "agent"
    PLATFORM = "platform"


# Tuples, because a page makes hundreds of them and a frozen dataclass takes three times as long.
class Grant(NamedTuple):
    """`id` and `granted_by` identify it and its giver for others; what it gives depends on neither. As text: who shows
    neither need not make identifiers of them."""

    role: str
    granted_at: datetime
    confirmed_at: datetime | None = None
    expires_at: datetime | None = None
    id: str = ""
    granted_by: str = ""


class Facts(NamedTuple):
    """What is stored about an engagement and its agent. Times are aware UTC."""

    started_at: datetime
    expires_at: datetime
    agent_kind: str
    grants: tuple[Grant, ...] = ()
    agreement: AgreementFacts | None = None
    suspended_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
    agent_suspended_at: datetime | None = None
    agent_closed_at: datetime | None = None
    practice_closed_at: datetime | None = None
    auto_extend: bool = False
    reviewed_at: datetime | None = None  # the last time that the practice decided about the roles; None: never due
    unassigned_since: datetime | None = None  # None: somebody is assigned
    suspended_by_platform: bool = False  # who has to lift it


class Blocker(NamedTuple):
    """One thing that is missing, who must act, and since when."""

    code: str
    message: str
    waiting_for: Party
    since: datetime


class Life(NamedTuple):
    """Everything that is derived about an engagement at one instant."""

    status: Status
    live_roles: frozenset[str]
    agreement: AgreementState
    agreement_in_force: bool
    ended_at: datetime | None
    end_reason: str | None
    blockers: tuple[Blocker, ...] = ()

    @property
    def agreement_settled(self) -> bool:
        """In force, or knowingly gone without, where it is only recommended."""
        return self.agreement_in_force or self.agreement is AgreementState.WAIVED


def life(facts: Facts, policy: Policy, now: datetime) -> Life:
    """Derive all of it. `now` is an aware UTC datetime."""
    roles = live_roles(facts, policy, now)
    agreement = agreement_state(facts.agreement, policy, now)
    in_force = is_in_force(agreement)
    ended_at, end_reason = end(facts, policy, now)
    status = _status(facts, policy, now, ended=ended_at is not None, roles=roles, in_force=in_force)
    unhindered = status is Status.ACTIVE and len(roles) == len(facts.grants) and not _nobody_assigned(facts)
    blockers = () if ended_at or unhindered else tuple(_blockers(facts, policy, now, roles, agreement))
    return Life(status, roles, agreement, in_force, ended_at, end_reason, blockers)


def _status(
    facts: Facts, policy: Policy, now: datetime, *, ended: bool, roles: frozenset[str], in_force: bool
) -> Status:
    if ended:
        return Status.ENDED
    if runs_until(facts, policy, now) <= now:
        return Status.EXPIRED
    if facts.suspended_at or facts.agent_suspended_at or review_overdue(facts, policy, roles, now):
        return Status.SUSPENDED
    if not roles:
        return Status.AWAITING_ROLES
    if not in_force and policy.agreement_needed(facts.agent_kind, roles):
        return Status.AWAITING_AGREEMENT
    return Status.ACTIVE


def end(facts: Facts, policy: Policy, now: datetime) -> tuple[datetime | None, str | None]:
    """When and why it ended. After its grace an expired engagement has ended without anybody acting."""
    if facts.ended_at:
        return facts.ended_at, facts.end_reason
    if facts.practice_closed_at:
        return facts.practice_closed_at, "practice_closed"
    if facts.agent_closed_at:
        return facts.agent_closed_at, "agent_closed"
    if runs_until(facts, policy, now) > now:
        return None, None
    lapses_at = facts.expires_at + timedelta(days=policy.engagements.grace_days)
    return (lapses_at, "expired") if lapses_at <= now else (None, None)


def runs_until(facts: Facts, policy: Policy, now: datetime) -> datetime:
    """Its end as it looks at `now`: who extends itself begins another default term at the end of each, without anybody
    acting."""
    return extended(facts.expires_at, policy, now) if facts.auto_extend else facts.expires_at


def extended(expires_at: datetime, policy: Policy, now: datetime) -> datetime:
    """The end of the term that it is in."""
    if expires_at > now:
        return expires_at
    term = timedelta(days=policy.engagements.default_days)
    return expires_at + term * ((now - expires_at) // term + 1)


def review_due(facts: Facts, policy: Policy, roles: frozenset[str]) -> date | None:
    """The day (UTC) by which the practice has to say again that it wants these live roles; None without any."""
    if facts.reviewed_at is None or not roles:
        return None
    return facts.reviewed_at.date() + timedelta(days=policy.review_days(roles))


def usual_review_due(facts: Facts, policy: Policy) -> date:
    """The day by which a review would be asked for if there were roles that nothing special is asked of."""
    return (facts.reviewed_at or facts.started_at).date() + timedelta(days=policy.reviews.default_days)


def review_overdue(facts: Facts, policy: Policy, roles: frozenset[str], now: datetime) -> bool:
    due = review_due(facts, policy, roles)
    return due is not None and due + timedelta(days=policy.reviews.overdue_days) < now.date()


def changes_at(facts: Facts, policy: Policy, now: datetime) -> datetime:
    """The first instant after `now` at which time alone may make another life of these facts: an end, or a midnight
    (UTC) where an agreement has a first or a last day, or a review falls due. Nothing between the two differs."""
    expires = runs_until(facts, policy, now)
    ends = [expires if expires > now else expires + timedelta(days=policy.engagements.grace_days)]
    ends += [grant.expires_at for grant in facts.grants if grant.expires_at]
    if facts.reviewed_at or depends_on_the_day(facts.agreement, now.date()):
        ends.append(next_midnight(now))
    return min([end for end in ends if end > now], default=NEVER)


def next_midnight(now: datetime) -> datetime:
    return datetime.combine(now.date() + timedelta(days=1), time(), UTC)


def grant_status(grant: Grant, now: datetime) -> str:
    """pending_confirmation, active or lapsed. A grant with an end gives nothing from that instant on."""
    if grant.expires_at and grant.expires_at <= now:
        return "lapsed"
    return "active" if grant.confirmed_at else "pending_confirmation"


def live_roles(facts: Facts, policy: Policy, now: datetime) -> frozenset[str]:
    """The roles that give something now: confirmed, not lapsed, and known to the policy."""
    known = policy.roles
    return frozenset([g.role for g in facts.grants if g.role in known and grant_status(g, now) == "active"])


def _blockers(
    facts: Facts, policy: Policy, now: datetime, roles: frozenset[str], agreement: AgreementState
) -> Iterator[Blocker]:
    if runs_until(facts, policy, now) <= now:
        yield Blocker("expired", "the engagement has expired; renew it", Party.PRACTICE, facts.expires_at)
    if facts.suspended_at:
        yield _suspended(facts, facts.suspended_at)
    if facts.agent_suspended_at:
        message = "the platform has suspended the agent"
        yield Blocker("agent_suspended", message, Party.PLATFORM, facts.agent_suspended_at)
    if review_overdue(facts, policy, roles, now):
        message = "the review of this access is overdue; decide it"
        yield Blocker("review_overdue", message, Party.PRACTICE, overdue_since(facts, policy, roles))
    yield from _role_blockers(facts, policy, now, roles)
    yield from _agreement_blockers(facts, policy, roles, agreement)
    if facts.unassigned_since and _nobody_assigned(facts):
        message = "nobody of the agent is assigned to this practice; assign somebody"
        yield Blocker("member_not_assigned", message, Party.AGENT, facts.unassigned_since)


def _suspended(facts: Facts, since: datetime) -> Blocker:
    if facts.suspended_by_platform:
        return Blocker("suspended", "the platform has suspended the engagement", Party.PLATFORM, since)
    return Blocker("suspended", "the engagement is suspended; resume it", Party.PRACTICE, since)


def overdue_since(facts: Facts, policy: Policy, roles: frozenset[str]) -> datetime:
    """The first instant of the day after the last one on which the review could still be decided."""
    due = review_due(facts, policy, roles)
    if due is None:
        raise ValueError("without a due day nothing is overdue")
    return datetime.combine(due + timedelta(days=policy.reviews.overdue_days + 1), time(), UTC)


def _nobody_assigned(facts: Facts) -> bool:
    """A front-office worker is its own member."""
    return facts.unassigned_since is not None and facts.agent_kind != "front_office_worker"


def _role_blockers(facts: Facts, policy: Policy, now: datetime, roles: frozenset[str]) -> Iterator[Blocker]:
    if not roles:
        yield Blocker("no_roles", "no role is turned on; set the agent's roles", Party.PRACTICE, facts.started_at)
    for grant in facts.grants:
        if grant.role not in policy.roles:
            message = f"the policy no longer has the role {grant.role}; set the agent's roles again"
            yield Blocker("unknown_role", message, Party.PRACTICE, grant.granted_at)
        elif grant_status(grant, now) == "pending_confirmation":
            title = policy.roles[grant.role].title
            message = f"the role {title} waits for the owner's confirmation"
            yield Blocker("role_confirmation_pending", message, Party.PRACTICE, grant.granted_at)


def _agreement_blockers(
    facts: Facts, policy: Policy, roles: frozenset[str], agreement: AgreementState
) -> Iterator[Blocker]:
    """An agreement that is required for this kind of agent is asked for before the first role is set, too."""
    if is_in_force(agreement) or not policy.agreement_needed(facts.agent_kind, roles):
        return
    found = missing(facts.agreement, agreement, facts.started_at)
    code = "agreement_expired" if found.expired else "agreement_missing"
    party = Party.AGENT if found.waits_for_agent else Party.PRACTICE
    yield Blocker(code, found.message, party, found.since)
