"""The status of an engagement from the little that it depends on, worked out once for all that are alike in it.

A page shows many engagements of few sorts: this kind of agent, these roles, an agreement in force. When each began,
who granted what and when somebody signed are different in all of them, and change no status. `life` stays the one that
decides. It is asked about the first of a sort, and asked again when time may have changed what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from authz.agreement import AgreementFacts
from authz.life import NEVER, Facts, Grant, changes_at, grant_status, life, next_midnight
from authz.policy import Policy
from authz.standings import FIRST, Key, Standing

SOME_DAY = datetime(2000, 1, 1, tzinfo=UTC)  # of what counts because it happened, whenever that was


class Outline(NamedTuple):
    """Facts of an engagement without its own dates. `held` are its grants, `basis` is None without an agreement."""

    agent_kind: str
    held: tuple[Grant, ...]
    over: bool  # ended, or closed on either side
    suspended: bool  # or its agent is
    basis: str | None = None
    agent_signed: bool = False
    practice_signed: bool = False
    waived: bool = False
    terminated: bool = False
    effective_on: date | None = None
    expires_on: date | None = None
    covered_until: date | None = None

    def facts(self, expires_at: datetime, reviewed_at: datetime | None = None) -> Facts:
        """Such an engagement; what happened at some time happened on SOME_DAY."""
        return Facts(
            started_at=SOME_DAY,
            expires_at=expires_at,
            agent_kind=self.agent_kind,
            grants=self.held,
            agreement=self._agreement(),
            suspended_at=_once(self.suspended),
            ended_at=_once(self.over),
            reviewed_at=reviewed_at,
        )

    def _agreement(self) -> AgreementFacts | None:
        if self.basis is None:
            return None
        return AgreementFacts(
            basis=self.basis,
            agent_signed_at=_once(self.agent_signed),
            practice_signed_at=_once(self.practice_signed),
            effective_on=self.effective_on,
            expires_on=self.expires_on,
            waived_at=_once(self.waived),
            terminated_at=_once(self.terminated),
            covered_until=self.covered_until,
        )


def _once(happened: bool | None) -> datetime | None:
    return SOME_DAY if happened else None


def standing(
    policy: Policy,
    key: Key,
    outline: Callable[..., Outline],
    expires_at: datetime,
    reviewed_at: datetime,
    now: datetime,
) -> Standing:
    """Of an engagement that expires then and was reviewed then. `outline` makes the outline of `key`, where it is not
    known yet."""
    if expires_at <= now:
        return _standing(policy, outline(*key).facts(expires_at, reviewed_at), now)
    found = _known(policy, key, outline, None, now)
    return found if reviewed_at >= found.overdue_before else _known(policy, key, outline, FIRST, now)


def _known(
    policy: Policy, key: Key, outline: Callable[..., Outline], reviewed_at: datetime | None, now: datetime
) -> Standing:
    """Of all whose review is not overdue, or of all whose review is, which are as if it had been long ago."""
    sort = key if reviewed_at is None else (key, reviewed_at)
    known = policy.standings
    found = known.get(sort)
    if found is None or not found.since <= now < found.until:
        found = _standing(policy, outline(*key).facts(NEVER, reviewed_at), now)
        known.keep(sort, found)
    return found


def _standing(policy: Policy, facts: Facts, now: datetime) -> Standing:
    grants = tuple((grant, grant_status(grant, now)) for grant in facts.grants)
    found, tomorrow = life(facts, policy, now), next_midnight(now)
    until = min(changes_at(facts, policy, now), tomorrow)
    return Standing(found.status, grants, now, until, _overdue_before(policy, found.live_roles, tomorrow))


def _overdue_before(policy: Policy, roles: frozenset[str], tomorrow: datetime) -> datetime:
    """Which reviews are too old today: `life.review_overdue`, the other way round."""
    if not roles:
        return FIRST
    return tomorrow - timedelta(days=1 + policy.review_days(roles) + policy.reviews.overdue_days)
