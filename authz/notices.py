"""What time alone brings about in an engagement, and when: everything that both sides are told without anybody acting.

Nothing is decided here. `life` says what holds at an instant whether or not anybody was told; these are the instants at
which it begins to hold, and a notice is worth telling only while what it says is still so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from authz.agreement import AgreementFacts, both_sides_acted
from authz.life import NEVER, Facts, end, live_roles, overdue_since, review_due, runs_until
from authz.policy import Policy

EXPIRES_SOON = "engagement.expires_soon"
EXTENDED = "engagement.extended"
EXPIRED = "engagement.expired"
ENDED = "engagement.ended"
ROLE_LAPSED = "role.lapsed"
AGREEMENT_EXPIRES_SOON = "agreement.expires_soon"
AGREEMENT_EXPIRED = "agreement.expired"
REVIEW_DUE = "review.due"
REVIEW_OVERDUE = "review.overdue"


class Notice(NamedTuple):
    """True from `due_at` until before `until`. `says` goes into the record."""

    kind: str
    due_at: datetime
    until: datetime
    summary: str
    says: Mapping[str, Any]


class Outlook(NamedTuple):
    """What is to be told now, and when time next brings something about if nobody changes anything."""

    due: tuple[Notice, ...]
    look_at: datetime | None


def outlook(facts: Facts, policy: Policy, now: datetime) -> Outlook:
    found = list(_notices(facts, policy, now))
    due = tuple(notice for notice in found if notice.due_at <= now < notice.until)
    return Outlook(due, min([notice.due_at for notice in found if notice.due_at > now], default=None))


def time_rules(policy: Policy) -> str:
    """Of what in the policy the notices depend on: 16 characters that are others where any of it is another."""
    reviews = sorted((role.key, role.review_days) for role in policy.roles.values())
    return hashlib.sha256(repr((policy.engagements, policy.reviews, reviews)).encode()).hexdigest()[:16]


def _notices(facts: Facts, policy: Policy, now: datetime) -> Iterator[Notice]:
    if facts.ended_at or facts.agent_closed_at or facts.practice_closed_at:
        return
    yield from _of_the_end(facts, policy, now)
    if end(facts, policy, now)[0] is None:
        yield from _of_grants(facts, policy)
        yield from _of_the_agreement(facts.agreement, policy)
        yield from _of_the_review(facts, policy, now)


def _of_the_end(facts: Facts, policy: Policy, now: datetime) -> Iterator[Notice]:
    ends = runs_until(facts, policy, now)
    says = {"expires_at": ends.isoformat(), "auto_extend": facts.auto_extend}
    then = "is extended by itself" if facts.auto_extend else "expires"
    for days, due, until in _ahead_of(ends, policy.engagements.notice_days):
        if due > facts.started_at:
            yield Notice(EXPIRES_SOON, due, until, f"the engagement {then} in {_days(days)}", {"days": days, **says})
    if facts.auto_extend:
        yield from _of_extensions(facts, policy, ends)
        return
    lapses = ends + timedelta(days=policy.engagements.grace_days)
    told = f"the engagement has expired; it can be renewed for {_days(policy.engagements.grace_days)}"
    yield Notice(EXPIRED, ends, lapses, told, {**says, "ends_at": lapses.isoformat()})
    yield Notice(ENDED, lapses, NEVER, "the engagement had expired", {"end_reason": "expired"})


def _of_extensions(facts: Facts, policy: Policy, ends: datetime) -> Iterator[Notice]:
    """The term that runs, if it is not the first one, and the next."""
    term = timedelta(days=policy.engagements.default_days)
    for begins in (ends - term, ends):
        if begins >= facts.expires_at:
            says = {"expires_at": (begins + term).isoformat(), "auto_extend": True}
            yield Notice(EXTENDED, begins, begins + term, "the engagement was extended by itself", says)


def _of_grants(facts: Facts, policy: Policy) -> Iterator[Notice]:
    """One for all that lapse at the same instant."""
    for instant in sorted({grant.expires_at for grant in facts.grants if grant.expires_at}):
        roles = sorted(grant.role for grant in facts.grants if grant.expires_at == instant)
        titles = ", ".join(policy.roles[role].title if role in policy.roles else role for role in roles)
        said = {"roles": roles, "expires_at": instant.isoformat()}
        yield Notice(ROLE_LAPSED, instant, NEVER, f"gives nothing any more, because its time is over: {titles}", said)


def _of_the_agreement(agreement: AgreementFacts | None, policy: Policy) -> Iterator[Notice]:
    if agreement is None or agreement.expires_on is None or not _was_made(agreement):
        return
    over = _midnight(agreement.expires_on + timedelta(days=1))
    says = {"expires_on": agreement.expires_on.isoformat()}
    first = _midnight(agreement.effective_on or date.min)
    for days, due, until in _ahead_of(over - timedelta(days=1), policy.engagements.notice_days, over):
        if due >= first:
            summary = f"the agreement's last day is in {_days(days)}"
            yield Notice(AGREEMENT_EXPIRES_SOON, due, until, summary, {"days": days, **says})
    yield Notice(AGREEMENT_EXPIRED, over, NEVER, "the agreement has expired", says)


def _was_made(agreement: AgreementFacts) -> bool:
    """Both sides acted, and nothing stands in its place."""
    replaced = agreement.waived_at or agreement.terminated_at
    return both_sides_acted(agreement) and agreement.effective_on is not None and not replaced


def _of_the_review(facts: Facts, policy: Policy, now: datetime) -> Iterator[Notice]:
    roles = live_roles(facts, policy, now)
    due_on = review_due(facts, policy, roles)
    if due_on is None or facts.reviewed_at is None:
        return
    late, says = overdue_since(facts, policy, roles), {"due_on": due_on.isoformat()}
    notice = max(_midnight(due_on) - timedelta(days=max(policy.engagements.notice_days)), facts.reviewed_at)
    yield Notice(REVIEW_DUE, notice, late, f"the review of this access is due on {due_on}", says)
    yield Notice(REVIEW_OVERDUE, late, NEVER, "the review of this access is overdue; it gives nothing until then", says)


def _ahead_of(
    end: datetime, notice_days: Sequence[int], last: datetime | None = None
) -> Iterator[tuple[int, datetime, datetime]]:
    """Days ahead, since when they are to be told, and until when: of several that apply only the nearest counts."""
    until = last or end
    for days in sorted(notice_days):
        due = end - timedelta(days=days)
        yield days, due, until
        until = due


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _days(days: int) -> str:
    return f"{days} day" if days == 1 else f"{days} days"
