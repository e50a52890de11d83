"""When HIPAA training falls due: when somebody joins, then again the policy's months after it was last completed.

The law asks for training of each new person "within a reasonable period of time" after they join and again whenever
the policies change (45 CFR 164.530(b)(2)); how often besides is the practice's own choice, `training.months`.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

from authz.policy import Policy


def due_on(joined_on: date, completed_on: date | None, policy: Policy) -> date:
    return joined_on if completed_on is None else months_later(completed_on, policy.training.months)


def months_later(day: date, months: int) -> date:
    """The same day of the month, or its last day where that month is shorter: a year after 29 February is the 28th."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def is_overdue(due: date, today: date) -> bool:
    """The due day itself is still in time."""
    return due < today


def is_due_soon(due: date, today: date, policy: Policy) -> bool:
    """Within the days in which the policy gives the first notice of any end."""
    return today <= due <= today + notice(policy)


def notice(policy: Policy) -> timedelta:
    return timedelta(days=max(policy.engagements.notice_days))
