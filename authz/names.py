"""The closed world: every name that is used is declared, and an unknown one is reported where it stands.

Names that a lost file would have declared are given the benefit of the doubt, so that one broken file is one
message and not a hundred.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from authz.diagnostic import Report, SourceFile, Spot, Word
from authz.draft import SetDraft, SubjectDraft, TestDraft

GENERIC = "any"  # a lost file whose kind nobody could tell


@dataclass(frozen=True, slots=True)
class Names:
    """What is declared; None where nobody can tell because the file that says so was lost."""

    draft: SetDraft
    report: Report
    permissions: Collection[str] | None
    roles: Collection[str] | None
    kinds: Collection[str] | None
    sensitivities: Sequence[str] | None
    subjects: Collection[str] | None
    separations: Collection[str] | None

    def permission(self, words: Iterable[Word]) -> bool:
        return self._all(words, "P130", "permission", self.permissions)

    def role(self, words: Iterable[Word]) -> bool:
        return self._all(words, "P131", "role", self.roles)

    def kind(self, word: Word) -> bool:
        return self._all((word,), "P132", "kind of agent", self.kinds)

    def separation(self, words: Iterable[Word]) -> bool:
        return self._all(words, "P139", "separation", self.separations)

    def sensitivity(self, word: Word | None) -> bool:
        return not word or self._all((word,), "P133", "sensitivity", self.sensitivities)

    def _all(self, words: Iterable[Word], code: str, what: str, declared: Collection[str] | None) -> bool:
        known = True
        for word in words if declared is not None else ():
            if word not in (declared or ()):
                known = False
                self.report.unknown(code, word, what, declared or ())
        return known


def names_of(draft: SetDraft, report: Report) -> Names:
    def unless_lost(kind: str, declared: Collection[str]) -> Collection[str] | None:
        return None if draft.lost & {kind, GENERIC} else declared

    policies = [policy for _, policy in draft.policies if policy is not None]
    roles: Collection[str] = draft.roles.keys() | draft.broken
    return Names(
        draft,
        report,
        unless_lost("permissions", draft.permissions),
        None if GENERIC in draft.lost else roles,
        unless_lost("agents", draft.kinds),
        policies[0].sensitivities if policies else None,
        unless_lost("tests", draft.subjects),
        unless_lost("promises", draft.separations),
    )


def resolve(draft: SetDraft, names: Names, folder: str) -> None:
    """Checks every name but those that grants and guards use: `expand` looks those up where it needs them."""
    _one_policy(draft, names.report, folder)
    for permission in draft.permissions.values():
        names.permission(permission.needs)
        names.sensitivity(permission.sensitivity)
    _roles(draft, names)
    _kinds(draft, names)
    for promise in draft.promises:
        names.permission(promise.permissions)
    for separation in draft.separations.values():
        names.permission(separation.permissions)
    for task in draft.tasks.values():
        names.permission(task.needs)
        names.role((task.recommend,))
    draft.doubtful.update(key for key, subject in draft.subjects.items() if not _subject(subject, names))
    draft.tests = [test for test in draft.tests if _test(test, names)]


def _one_policy(draft: SetDraft, report: Report, folder: str) -> None:
    if not draft.policies and not draft.lost & {"policy", GENERIC}:
        spot = Spot(SourceFile(folder, ()), 1, 1)
        report.add("P137", spot, "no file of kind policy in this set", "every set has one policy.yaml")
    for spot, _ in draft.policies[1:]:
        first = draft.policies[0][0].file.name
        report.add("P137", spot, f"a second file of kind policy, the first is {first}")


def _roles(draft: SetDraft, names: Names) -> None:
    for role in draft.roles.values():
        included = names.role(role.includes)
        granted = names.role(role.granted_by)
        sensitive = names.sensitivity(role.sensitivity_max)
        if not (included and granted and sensitive):
            draft.broken.add(role.key)


def _kinds(draft: SetDraft, names: Names) -> None:
    for kind in draft.kinds.values():
        names.sensitivity(kind.sensitivity_max)
        names.sensitivity(kind.agreement_required_from)
        names.role(kind.roles)
        for word in kind.roles:
            role = draft.roles.get(word)
            if role and role.held_by and "agent" not in role.held_by:
                holders = ", ".join(role.held_by)
                names.report.add("P146", word.spot, f"{word} is held by {holders} and never by an agent")
    for redirect in draft.redirects:
        names.kind(redirect.agent_kind)


def _subject(subject: SubjectDraft, names: Names) -> bool:
    known = [names.role(subject.roles), names.role(subject.cap or ()), names.permission(subject.scopes or ())]
    return all(known) and (subject.kind is None or names.kind(subject.kind))


def _test(test: TestDraft, names: Names) -> bool:
    known = [names.permission(words) for words in (test.allow, test.deny, test.exactly or ())]
    known.append(names.separation(test.breaks or ()))
    if isinstance(test.subject, Word) and names.subjects is not None and test.subject not in names.subjects:
        names.report.unknown("P135", test.subject, "subject", names.subjects)
        return False
    return all(known)
