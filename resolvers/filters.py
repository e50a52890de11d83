"""Filters that need what is otherwise derived in Python: an engagement's status and when training is due, in SQL.

`authz.life` and `authz.training` are the authorities. This is the same rule as an expression, because a page and its
count must be filtered before they are cut; tests compare the two over generated facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from authz.life import next_midnight
from authz.policy import Policy
from authz.training import notice
from resolvers.lists import Condition

_LIVE = """
FROM role_grants g WHERE g.engagement_id = e.id AND g.removed_at IS NULL AND g.confirmed_at IS NOT NULL
AND (g.expires_at IS NULL OR g.expires_at > %s) AND g.role = ANY (%s)
"""
_IN_FORCE = """
SELECT 1 FROM (
    SELECT * FROM agreements s WHERE s.engagement_id = e.id AND s.superseded_at IS NULL ORDER BY s.id DESC LIMIT 1
) s WHERE s.terminated_at IS NULL AND s.waived_at IS NULL AND (s.covered_until >= %s OR (
    s.practice_signed_at IS NOT NULL AND (s.agent_signed_at IS NOT NULL OR s.basis = 'workforce_training')
    AND s.effective_on <= %s AND (s.expires_on IS NULL OR s.expires_on >= %s)
))
"""
_STATUS = f"""
CASE
WHEN e.ended_at IS NOT NULL OR p.closed_at IS NOT NULL OR a.closed_at IS NOT NULL
    OR (e.expires_at + %s <= %s AND NOT e.auto_extend) THEN 'ended'
WHEN e.expires_at <= %s AND NOT e.auto_extend THEN 'expired'
WHEN e.suspended_at IS NOT NULL OR a.suspended_at IS NOT NULL OR EXISTS (SELECT 1 {_LIVE}
    AND coalesce(e.reviewed_at, e.started_at) < (%s::timestamptz[])[array_position(%s::text[], g.role::text)])
    THEN 'suspended'
WHEN NOT EXISTS (SELECT 1 {_LIVE}) THEN 'awaiting_roles'
WHEN NOT EXISTS ({_IN_FORCE}) AND (
    NOT a.kind = ANY (%s) OR EXISTS (SELECT 1 {_LIVE} AND a.kind || ' ' || g.role = ANY (%s))
) THEN 'awaiting_agreement'
ELSE 'active' END = ANY (%s)
"""


def engagement_status(statuses: Sequence[str], policy: Policy, now: datetime) -> Condition:
    """Only engagements whose status at `now` is one of these."""
    grace = timedelta(days=policy.engagements.grace_days)
    live = (now, tuple(policy.roles))
    needing = tuple(
        f"{kind} {role}" for kind in policy.agents for role in policy.roles if policy.agreement_needed(kind, [role])
    )
    today = now.date()
    overdue = (*live, _overdue_before(policy, now), tuple(policy.roles))
    values = (grace, now, now, *overdue, *live, today, today, today, tuple(policy.agents), *live, needing)
    return Condition(_STATUS, (*values, tuple(sorted(statuses))))


def _overdue_before(policy: Policy, now: datetime) -> tuple[datetime, ...]:
    """By role, in their order: whoever was reviewed before that is overdue with it (`life.review_overdue`)."""
    tomorrow, late = next_midnight(now), 1 + policy.reviews.overdue_days
    return tuple(tomorrow - timedelta(days=late + policy.review_days((role,))) for role in policy.roles)


# PostgreSQL adds months as we do: to the last day of a month that is shorter. `t` is the person of the staff.
_DUE = """
coalesce((t.training_completed_on + make_interval(months => %s))::date, (t.added_at AT TIME ZONE 'UTC')::date)
"""


def training_due(*, overdue: bool, soon: bool, policy: Policy, now: datetime) -> Condition:
    """Only people of the staff whose training is overdue on the day of `now`, or due soon, or one of both."""
    today, months = now.date(), policy.training.months
    first = date.min if overdue else today
    last = today + notice(policy) if soon else today - timedelta(days=1)
    return Condition(f"{_DUE} BETWEEN %s AND %s", (months, first, last))
