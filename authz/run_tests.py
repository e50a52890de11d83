"""Runs the tests and the hints of a set at every load: a set whose own tests fail does not activate.

A case is one test as one of the holders it speaks of. `failures` says what is wrong with one; coverage and
mutation ask the same function.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from authz.decide import Reason, Seat, decide, permissions
from authz.diagnostic import Report, Spot
from authz.draft import SetDraft, SubjectDraft, TaskDraft, TestDraft
from authz.policy import Policy, Role
from authz.subject import seats_of

BY_ROLE_ALONE = {Reason.ROLE_LACKS_PERMISSION, Reason.ABOVE_CEILING}


@dataclass(frozen=True, slots=True)
class Case:
    test: TestDraft
    seat: Seat

    @property
    def who(self) -> str:
        return f"a {self.seat.agent_kind or self.seat.held_by} with {', '.join(sorted(self.seat.roles)) or 'no role'}"


Failure = tuple[Spot, str]


def run_tests(draft: SetDraft, policy: Policy, report: Report) -> None:
    """Every test whose roles could be read, as every holder that it speaks of."""
    for test, subject in _readable(draft):
        if not _timely(test, subject):
            lacks = "has no days to look at" if test.at else "has days, and the test does not say at which instant"
            report.add("P164", test.name.spot, f'test "{test.name}": its subject {lacks}')
    for case in cases(draft, policy):
        for spot, message in failures(case, policy):
            report.add("P162", spot, f'test "{case.test.name}" fails: {message}')


def cases(draft: SetDraft, policy: Policy) -> list[Case]:
    timely = [(test, subject) for test, subject in _readable(draft) if _timely(test, subject)]
    return [Case(test, seat) for test, subject in timely for seat in seats_of(subject, policy, test.at)]


def _timely(test: TestDraft, subject: SubjectDraft) -> bool:
    """Only a subject with days is looked at as of an instant, and never as of today: the set would fail tomorrow."""
    return (test.at is None) == (subject.dates is None)


def _readable(draft: SetDraft) -> Iterator[tuple[TestDraft, SubjectDraft]]:
    for test in draft.tests:
        if isinstance(test.subject, SubjectDraft):
            subject = test.subject
        elif test.subject in draft.subjects and test.subject not in draft.doubtful:
            subject = draft.subjects[test.subject]
        else:
            continue
        if draft.broken.isdisjoint(subject.roles):
            yield test, subject


def failures(case: Case, policy: Policy) -> Iterator[Failure]:
    """What the test says and the policy does not do, each at the word that says it."""
    test, seat, who = case.test, case.seat, case.who
    for word in test.allow:
        decision = decide(policy, (seat,), word, test.properties)
        if not decision.allowed:
            yield word.spot, f"{who} may not {word} ({decision.reason.name})"
    for word in test.deny:
        decision = decide(policy, (seat,), word, test.properties)
        if decision.allowed:
            yield word.spot, f"{who} may {word}, through the role {decision.role}"
        elif test.because and decision.reason.name != test.because:
            yield word.spot, f"{who} may not {word} because of {decision.reason.name}"
    if test.exactly is not None:
        yield from _exactly(case, policy)
    if test.breaks is not None:
        yield from _breaks(case, policy)


def _exactly(case: Case, policy: Policy) -> Iterator[Failure]:
    test, held = case.test, _held(case, policy)
    expected = test.exactly or ()
    for word in expected:
        if word not in held:
            yield word.spot, f"{case.who} may not {word}"
    further = sorted(held.difference(expected))
    if further:
        yield test.exactly_spot, f"{case.who} also may {', '.join(further)}"
    if test.because and not test.deny:
        yield from _because(case, policy)


def _held(case: Case, policy: Policy) -> frozenset[str]:
    properties = case.test.properties
    if not properties:
        return permissions(policy, (case.seat,))
    return frozenset(key for key in policy.permissions if decide(policy, (case.seat,), key, properties).allowed)


def _because(case: Case, policy: Policy) -> Iterator[Failure]:
    """The reason for everything that is missing, apart from what these roles never give to such a holder."""
    decisions = [decide(policy, (case.seat,), key, case.test.properties) for key in policy.permissions]
    reasons = {decision.reason for decision in decisions if not decision.allowed}
    expected = Reason[case.test.because or "ALLOWED"]
    found = reasons if expected in BY_ROLE_ALONE else reasons - BY_ROLE_ALONE
    if expected not in found or (expected not in BY_ROLE_ALONE and len(found) > 1):
        names = ", ".join(sorted(reason.name for reason in found)) or "nothing"
        yield case.test.exactly_spot, f"{case.who} is denied because of {names}, not {expected.name}"


def _breaks(case: Case, policy: Policy) -> Iterator[Failure]:
    """Exactly these separations are broken by the roles in one hand, so that granting them together is refused."""
    broken = {rule.id for rule in policy.separations_broken(case.seat.roles)}
    expected = case.test.breaks or ()
    for word in expected:
        if word not in broken:
            yield word.spot, f"{case.who} does not break {word}"
    further = sorted(broken.difference(expected))
    if further:
        yield case.test.name.spot, f"{case.who} also breaks {', '.join(further)}"


def check_hints(draft: SetDraft, policy: Policy, report: Report) -> None:
    """A hint's role does the task, and no role that the same people can hold does it with less."""
    for task in draft.tasks.values():
        role = policy.roles.get(task.recommend)
        if role is None:
            continue
        missing = [need for need in task.needs if need not in role.permissions]
        for need in missing:
            report.add("P160", task.recommend.spot, f"{role.key} does not hold {need}, which {task.key} needs")
        less = [] if missing else _lesser(task, role, policy)
        if less:
            message = f"{role.key} is more than {task.key} needs: {less[0]} is enough"
            report.add("P161", task.recommend.spot, message, f"recommend {less[0]}")


def _lesser(task: TaskDraft, recommended: Role, policy: Policy) -> list[str]:
    """Roles strictly inside the recommended one that do the task for everybody who may hold it."""
    return [
        role.key
        for role in sorted(policy.roles.values(), key=lambda role: (len(role.permissions), role.key))
        if role.permissions < recommended.permissions
        and role.held_by >= recommended.held_by
        and role.permissions.issuperset(task.needs)
    ]
