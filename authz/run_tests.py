"""Runs the tests and the hints of a set at every load: a set whose own tests fail does not activate."""

from __future__ import annotations

from collections.abc import Iterable

from authz.decide import Reason, Seat, decide, permissions
from authz.diagnostic import Report, Spot, Word
from authz.draft import SetDraft, SubjectDraft, TaskDraft, TestDraft
from authz.policy import Policy, Role

BY_ROLE_ALONE = {Reason.ROLE_LACKS_PERMISSION, Reason.ABOVE_CEILING}


def run_tests(draft: SetDraft, policy: Policy, report: Report) -> None:
    """Every test whose roles could be read, as every holder that it speaks of."""
    for test in draft.tests:
        subject = draft.subjects.get(test.subject) if isinstance(test.subject, Word) else test.subject
        doubtful = isinstance(test.subject, Word) and test.subject in draft.doubtful
        if subject is None or doubtful or not draft.broken.isdisjoint(subject.roles):
            continue
        for seat in _seats(subject, policy):
            _run(test, seat, policy, report)


def _seats(subject: SubjectDraft, policy: Policy) -> Iterable[Seat]:
    kinds: list[str | None] = [subject.kind and str(subject.kind)]
    if subject.everywhere and subject.held_by == "agent":
        kinds = [kind.key for kind in policy.agents.values() if subject.roles[0] in kind.roles]
    for kind in kinds:
        yield Seat(
            subject.held_by,
            frozenset(map(str, subject.roles)),
            subject.active,
            kind,
            subject.agreement_in_force,
            subject.assigned,
            None if subject.cap is None else frozenset(map(str, subject.cap)),
            None if subject.scopes is None else frozenset(map(str, subject.scopes)),
        )


def _run(test: TestDraft, seat: Seat, policy: Policy, report: Report) -> None:
    who = f"a {seat.agent_kind or seat.held_by} with {', '.join(sorted(seat.roles)) or 'no role'}"
    for word in test.allow:
        decision = decide(policy, (seat,), word, test.properties)
        if not decision.allowed:
            _fail(test, word.spot, f"{who} may not {word} ({decision.reason.name})", report)
    for word in test.deny:
        decision = decide(policy, (seat,), word, test.properties)
        if decision.allowed:
            _fail(test, word.spot, f"{who} may {word}, through the role {decision.role}", report)
        elif test.because and decision.reason.name != test.because:
            _fail(test, word.spot, f"{who} may not {word} because of {decision.reason.name}", report)
    if test.exactly is not None:
        _run_exactly(test, seat, who, policy, report)


def _run_exactly(test: TestDraft, seat: Seat, who: str, policy: Policy, report: Report) -> None:
    held = _held(test, seat, policy)
    expected = test.exactly or ()
    for word in expected:
        if word not in held:
            _fail(test, word.spot, f"{who} may not {word}", report)
    further = sorted(held.difference(expected))
    if further:
        _fail(test, test.exactly_spot, f"{who} also may {', '.join(further)}", report)
    if test.because and not test.deny:
        _run_because(test, seat, who, policy, report)


def _held(test: TestDraft, seat: Seat, policy: Policy) -> frozenset[str]:
    if not test.properties:
        return permissions(policy, (seat,))
    return frozenset(key for key in policy.permissions if decide(policy, (seat,), key, test.properties).allowed)


def _run_because(test: TestDraft, seat: Seat, who: str, policy: Policy, report: Report) -> None:
    """The reason for everything that is missing, apart from what these roles never give to such a holder."""
    decisions = [decide(policy, (seat,), key, test.properties) for key in policy.permissions]
    reasons = {decision.reason for decision in decisions if not decision.allowed}
    expected = Reason[test.because or "ALLOWED"]
    found = reasons if expected in BY_ROLE_ALONE else reasons - BY_ROLE_ALONE
    if expected not in found or (expected not in BY_ROLE_ALONE and len(found) > 1):
        names = ", ".join(sorted(reason.name for reason in found)) or "nothing"
        _fail(test, test.exactly_spot, f"{who} is denied because of {names}, not {expected.name}", report)


def _fail(test: TestDraft, spot: Spot, message: str, report: Report) -> None:
    report.add("P162", spot, f'test "{test.name}" fails: {message}')


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
