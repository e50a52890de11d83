"""The seats that a test is about: from what a subject states, at the instant the test looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from authz.agreement import AgreementFacts
from authz.decide import Seat
from authz.draft import Dates, SubjectDraft
from authz.life import Facts, Grant, Status, life
from authz.policy import Policy

DAY = timedelta(days=1)
GIVES_NOTHING = (Status.ENDED, Status.EXPIRED, Status.SUSPENDED)


def seats_of(subject: SubjectDraft, policy: Policy, at: datetime | None = None) -> Iterator[Seat]:
    """One seat; for the tests beside a role that agents hold, one for each kind that may be given it."""
    kinds: list[str | None] = [subject.kind and str(subject.kind)]
    if subject.everywhere and subject.held_by == "agent":
        kinds = [kind.key for kind in policy.agents.values() if subject.roles[0] in kind.roles]
    for kind in kinds:
        seat = Seat(
            subject.held_by,
            frozenset(map(str, subject.roles)),
            subject.active,
            kind,
            subject.agreement_in_force,
            subject.assigned,
            None if subject.cap is None else frozenset(map(str, subject.cap)),
            None if subject.scopes is None else frozenset(map(str, subject.scopes)),
            proven=subject.second_factor,
        )
        yield _then(seat, subject.dates, policy, at) if subject.dates and at else seat


def _then(seat: Seat, dates: Dates, policy: Policy, at: datetime) -> Seat:
    """The seat as the life of its engagement makes it at that instant."""
    start = at - DAY
    signed = AgreementFacts(
        agent_signed_at=start, practice_signed_at=start, effective_on=dates.effective_on, expires_on=dates.expires_on
    )
    stored = Facts(
        started_at=start,
        expires_at=dates.expires_at or at + DAY,
        agent_kind=seat.agent_kind or "",
        grants=tuple(Grant(role, start, start) for role in seat.roles),
        agreement=signed if dates.effective_on else None,
    )
    found = life(stored, policy, at)
    return replace(
        seat,
        active=seat.active and found.status not in GIVES_NOTHING,
        agreement_in_force=found.agreement_in_force if dates.effective_on else seat.agreement_in_force,
    )
