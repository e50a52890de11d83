"""The states of an engagement as a page, worked out by asking the code that decides them.

For every combination of what can be missing, `life` is asked for the status; what lies between two combinations that
differ in one thing is a transition. Nothing of the diagram is drawn by hand: a change of the rules changes the page,
and a test says that it was not written anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from authz.agreement import AgreementFacts
from authz.life import Facts, Grant, Life, Status, life
from authz.policy import Policy

NAME = "states.md"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HEAD = """# The states of an engagement

Written by `sparekey accept` from `authz/life.py`, which decides them; nothing here is stored. Only dates and acts are,
and the status follows from them whenever somebody asks, to the second.
"""


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that can be so or not. `holds` makes it so; `begins` and `ceases` say what brings it about and ends
    it."""

    name: str
    holds: Callable[[Facts, Policy], Facts]
    begins: str
    ceases: str = ""


def _over(facts: Facts, policy: Policy) -> Facts:
    return facts._replace(ended_at=NOW, end_reason="revoked_by_practice")


def _expired(facts: Facts, policy: Policy) -> Facts:
    return facts._replace(expires_at=NOW - DAY)


def _suspended(facts: Facts, policy: Policy) -> Facts:
    return facts._replace(suspended_at=NOW)


def _stopped(facts: Facts, policy: Policy) -> Facts:
    return facts._replace(agent_suspended_at=NOW)


def _overdue(facts: Facts, policy: Policy) -> Facts:
    days = policy.review_days([grant.role for grant in facts.grants]) + policy.reviews.overdue_days + 1
    return facts._replace(reviewed_at=NOW - days * DAY)


def _without_roles(facts: Facts, policy: Policy) -> Facts:
    return facts._replace(grants=())


def _without_agreement(facts: Facts, policy: Policy) -> Facts:
    return facts._replace(agreement=None)


_OVERDUE = Cause("its review is overdue", _overdue, "a review stays undecided", "the review is decided")
_NO_ROLE = Cause("no role counts", _without_roles, "the last role is removed or lapses", "a role counts")
CAUSES = (
    Cause("ended", _over, "revoked, left, or its grace is over"),
    Cause("its time is over", _expired, "it expires", "renewed"),
    Cause("suspended", _suspended, "suspended", "resumed"),
    Cause("its agent is suspended", _stopped, "the platform suspends the agent", "the platform resumes the agent"),
    _OVERDUE,
    _NO_ROLE,
    Cause("its agreement is not in force", _without_agreement, "the agreement ends", "both sides have acted"),
)


def page(policy: Policy) -> str:
    """In Markdown, the diagram in Mermaid."""
    parts = [HEAD, "\n".join(_diagram(policy)), "\n".join(_precedence(policy)), "\n".join(_missing(policy))]
    return "\n".join(parts)


def _diagram(policy: Policy) -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {_name(_life(policy, CAUSES[-2:]).status)}: connected"
    for (start, end), words in _transitions(policy).items():
        yield f"    {_name(start)} --> {_name(end)}: {', or '.join(words)}"
    yield f"    {_name(Status.ENDED)} --> [*]"
    yield "```\n"


def _transitions(policy: Policy) -> dict[tuple[Status, Status], list[str]]:
    """From one status to another, in the order of the statuses: what alone brings that about."""
    found: dict[tuple[Status, Status], list[str]] = {}
    for cause in CAUSES:
        others = [each for each in CAUSES if each is not cause]
        for size in range(len(others) + 1):
            for rest in itertools.combinations(others, size):
                without, with_it = _life(policy, rest).status, _life(policy, (*rest, cause)).status
                _add(found, without, with_it, cause.begins)
                if cause.ceases and not (cause is _NO_ROLE and _OVERDUE in rest):  # who sets roles has reviewed them
                    _add(found, with_it, without, cause.ceases)
    order = list(Status)
    return dict(sorted(found.items(), key=lambda each: (order.index(each[0][0]), order.index(each[0][1]))))


def _add(found: dict[tuple[Status, Status], list[str]], start: Status, end: Status, words: str) -> None:
    if start is not end and words not in found.setdefault((start, end), []):
        found[start, end].append(words)


def _precedence(policy: Policy) -> Iterator[str]:
    """Who wins where two things are so at once is asked, too."""
    yield "Of several things that are missing the first in this list decides the status:\n"
    alone = {cause: _life(policy, (cause,)).status for cause in CAUSES}
    wins = {a: sum(_life(policy, (a, b)).status is alone[a] for b in CAUSES if b is not a) for a in CAUSES}
    for place, cause in enumerate(sorted(CAUSES, key=lambda each: -wins[each]), 1):
        yield f"{place}. {cause.name}: `{_name(alone[cause])}`"
    yield f"{len(CAUSES) + 1}. nothing of all that: `{_name(_life(policy, ()).status)}`\n"


def _missing(policy: Policy) -> Iterator[str]:
    yield "What the blockers say, and who has to act:\n"
    yield "| what is so | blocker | waits for |"
    yield "|---|---|---|"
    for cause in CAUSES:
        for blocker in _life(policy, (cause,)).blockers:
            yield f"| {cause.name} | `{blocker.code.upper()}`: {blocker.message} | {blocker.waiting_for.value} |"


def _life(policy: Policy, causes: tuple[Cause, ...]) -> Life:
    """Of an engagement that has everything but this. Roles go last: what is reviewed depends on them."""
    facts = _whole(policy)
    for cause in causes:
        facts = cause.holds(facts, policy)
    return life(facts, policy, NOW)


def _whole(policy: Policy) -> Facts:
    """Of the first kind that needs an agreement, with its first role."""
    kind = next(each for each in policy.agents.values() if each.agreement == "required")
    began = NOW - DAY
    signed = AgreementFacts(agent_signed_at=began, practice_signed_at=began, effective_on=began.date())
    grants = (Grant(sorted(kind.roles)[0], began, began),)
    return Facts(began, NOW + 100 * DAY, kind.key, grants, signed, reviewed_at=began)


def _name(status: Status) -> str:
    return status.name
