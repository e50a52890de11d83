"""From the files of a set to a policy or to everything that is wrong with them.

The order is that of dependence: files, keys, names, roles, proofs, tests. Each step works with what the ones
before could make sense of and leaves alone what depends on something already reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from authz.build import build_permissions, build_policy
from authz.diagnostic import Diagnostic, Report, printable
from authz.documents import read_document
from authz.draft import SetDraft
from authz.expand import Expansion, expand
from authz.lock import compare_lock
from authz.names import names_of, resolve
from authz.policy import Policy
from authz.prove import prove
from authz.run_tests import check_hints, run_tests
from authz.source import Folder, read

JUDGEMENTS = ("P15", "P16", "P17")  # codes of what is said about a policy that could be read completely
JUDGED_ALONE = ("role", "tests", "hints")


class PolicyRejected(Exception):
    """The set does not activate. `diagnostics`: all that is wrong with it, sorted by place."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        count = len(self.diagnostics)
        problems = "1 problem" if count == 1 else f"{count} problems"
        return "\n\n".join([*map(str, self.diagnostics), f"{problems}; nothing was activated"])


@dataclass(frozen=True, slots=True)
class Examined:
    """A set and what a look at it found. `policy` is there when nothing is wrong, `expansion` when names resolve.

    `said` is what the set says, right or wrong: also there when all that is wrong are proofs, hints and tests.
    """

    folder: Path
    files: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    policy: Policy | None
    expansion: Expansion | None
    said: Policy | None = None

    def compiled(self) -> tuple[Policy, Expansion]:
        """Both, or PolicyRejected."""
        if self.policy is None or self.expansion is None:
            raise PolicyRejected(self.diagnostics)
        return self.policy, self.expansion


def check(folder: Path) -> Policy:
    """Reads, checks, proves and tests a set; raises PolicyRejected with every problem there is."""
    policy, _ = examine(folder).compiled()
    return policy


def examine(folder: Path, locked: bool = False) -> Examined:
    """The same without raising. `locked`: what wildcards reach is also compared with the committed lock."""
    report = Report()
    found = read(folder, report)
    policy, expansion = _compile(found, folder, report)
    if locked and expansion is not None:
        compare_lock(folder, expansion, report)
    names = tuple(printable(source.file.name) for source in found.sources)
    said = policy if all(problem.code.startswith(JUDGEMENTS) for problem in report.found) else None
    return Examined(folder, names, report.sorted(), None if report.found else policy, expansion, said)


def _compile(found: Folder, folder: Path, report: Report) -> tuple[Policy | None, Expansion | None]:
    if not found.sources:
        return None, None
    draft = SetDraft(lost=set() if found.whole else {"any"})
    for source in found.sources:
        read_document(source, draft, report)
    names = names_of(draft, report)
    resolve(draft, names, folder.as_posix())
    permissions = build_permissions(draft, tuple(names.sensitivities or ()))
    ground = _is_sound(draft, report)
    expansion = expand(draft, names, permissions, report)
    prove(expansion)
    settings = next((policy for _, policy in draft.policies if policy is not None), None)
    if settings is None:
        return None, expansion
    policy = build_policy(settings, expansion, found.digest)
    if ground:
        check_hints(draft, policy, report)
        run_tests(draft, policy, report)
    return policy, expansion


def _is_sound(draft: SetDraft, report: Report) -> bool:
    """Can the tests of the set be judged? Not on half a catalogue; what is wrong in a role concerns that role."""
    return all(draft.files.get(found.file) in JUDGED_ALONE for found in report.found)
