"""The kinds of file that a set is made of: each one's keys, and what they become."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from authz.assertion_document import read_tests
from authz.diagnostic import Report, Spot, Word, shown
from authz.draft import (
    KindDraft,
    PermissionDraft,
    PromiseDraft,
    RedirectDraft,
    SeparationDraft,
    SetDraft,
    TaskDraft,
)
from authz.policy import EFFECTS, HELD_BY, AgreementRequirement, Enforced
from authz.role_document import read_role
from authz.settings_document import read_settings
from authz.shape import KEY, PERMISSION, PROPERTY, Cursor
from authz.source import Source
from authz.yaml_subset import Fields, Node, parse

FORMAT = "sparekey/v1"
AGREEMENTS: dict[str, AgreementRequirement] = {
    "required": "required",
    "recommended": "recommended",
    "not_needed": "not_needed",
}
ENFORCED: dict[str, Enforced] = {"at_load": "at_load", "at_grant": "at_grant"}
PRACTICE_KINDS = ("independent_therapist", "shared_office_member", "true_group")
PROPERTY_TYPES = ("number", "text", "boolean")
# Where each kind usually lies: only asked when a file cannot say it itself.
USUAL = {
    "permissions": "permissions",
    "roles": "role",
    "tests": "tests",
    "policy.yaml": "policy",
    "agents.yaml": "agents",
    "never.yaml": "promises",
    "hints.yaml": "hints",
}
KIND_LINE = re.compile(r"^kind:[ ]*([a-z]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """One file that is being read into the draft."""

    cursor: Cursor
    source: Source
    draft: SetDraft
    report: Report

    def declare(self, what: str, name: Word) -> bool:
        """Every name is declared once in the whole set."""
        first = self.draft.declared.setdefault((what, name), name.spot)
        if first is not name.spot:
            where = f"{first.file.name}:{first.line}"
            self.cursor.problem("P136", name.spot, f"{what} {shown(name)} is declared twice, first at {where}")
        return first is name.spot


def read_document(source: Source, draft: SetDraft, report: Report) -> None:
    """Reads one file into the draft; one that cannot be read is noted as lost."""
    root = None if source.text is None else parse(source.file, source.text, report)
    if root is None:
        _lose(source, draft)
    elif not isinstance(root, Fields):
        report.add("P124", root.spot, "a policy file is a map of keys")
        _lose(source, draft)
    else:
        _read(Page(Cursor(root, report, "the file"), source, draft, report))


def _read(page: Page) -> None:
    cursor = page.cursor
    form, kind = cursor.word("format"), cursor.word("kind")
    if form is not None and form != FORMAT:
        cursor.problem("P120", form.spot, f"this version reads {FORMAT}")
    if kind is not None and kind not in KINDS:
        near = page.report.did_you_mean(kind, KINDS)
        cursor.problem("P121", kind.spot, f"{shown(kind)} is none of {', '.join(KINDS)}", near)
    if cursor.broken or kind is None:
        cursor.report_absent()
        _lose(page.source, page.draft)
        return
    page.draft.files[page.source.file.name] = str(kind)
    cursor.what = f"a {kind} file"
    KINDS[kind](page)
    cursor.finish()


def _lose(source: Source, draft: SetDraft) -> None:
    """A lost file still says what it would have declared, so that its names are not reported as unknown."""
    found = KIND_LINE.search(source.text or "\n".join(source.file.lines))
    path = PurePosixPath(source.file.name)
    kind = found[1] if found and found[1] in KINDS else USUAL.get(path.parent.name, USUAL.get(path.name, "any"))
    draft.lost.add(kind)
    draft.files[source.file.name] = kind
    if kind in ("role", "any"):
        draft.broken.add(source.stem)


def _policy(page: Page) -> None:
    page.draft.policies.append((page.cursor.key_spot("kind"), read_settings(page.cursor)))


def _permissions(page: Page) -> None:
    entries = page.cursor.below("permissions", "permissions", required=True)
    for key, node in entries.each("a permission", PERMISSION) if entries else ():
        cursor = entries.as_cursor(node, f"permission {key}") if entries else None
        if cursor and page.declare("permission", key):
            page.draft.permissions[key] = _permission(key, page.source.stem, cursor)


def _permission(key: Word, area: str, cursor: Cursor) -> PermissionDraft:
    permission = PermissionDraft(
        key,
        str(cursor.word("title") or key),
        area,
        cursor.word("sensitivity") or Word.at("", key.spot),
        str(cursor.choice("effect", EFFECTS) or "admin"),
        cursor.words("needs", PERMISSION),
        _properties(cursor),
        cursor.flag("wildcard", True),
    )
    cursor.finish()
    return permission


def _properties(cursor: Cursor) -> dict[str, str]:
    below = cursor.below("properties", "properties")
    types = {}
    for name, node in below.each("a property", PROPERTY) if below else ():
        type_name = cursor.as_word(node, str(name))
        if type_name is not None and cursor.as_choice(type_name, PROPERTY_TYPES):
            types[str(name)] = str(type_name)
    return types


def _agents(page: Page) -> None:
    entries = page.cursor.below("agents", "agents", required=True)
    for key, node in entries.each("a kind of agent", KEY) if entries else ():
        cursor = entries.as_cursor(node, f"agent kind {key}") if entries else None
        if cursor and page.declare("agent kind", key):
            page.draft.kinds[key] = _kind(key, cursor)
    for item in page.cursor.items("redirects"):
        below = page.cursor.as_cursor(item, "a redirect")
        if below:
            _redirect(below, page.draft)


def _kind(key: Word, cursor: Cursor) -> KindDraft:
    kind = KindDraft(
        key,
        str(cursor.word("title") or key),
        AGREEMENTS.get(cursor.choice("agreement", AGREEMENTS) or "", "required"),
        cursor.word("agreement_required_from", required=False),
        cursor.word("sensitivity_max") or Word.at("", key.spot),
        cursor.words("roles", KEY, required=True),
    )
    cursor.finish()
    return kind


def _redirect(cursor: Cursor, draft: SetDraft) -> None:
    practice_kind = cursor.choice("practice_kind", PRACTICE_KINDS)
    agent_kind = cursor.word("agent_kind", KEY)
    to, override = cursor.choice("to", ("staff_account",)), cursor.choice("override", ("not_my_employee",))
    cursor.finish()
    if practice_kind and agent_kind and to and override:
        draft.redirects.append(RedirectDraft(str(practice_kind), agent_kind, str(to), str(override)))


def _promises(page: Page) -> None:
    cursor = page.cursor
    for below in _maps(cursor, "never", "a promise"):
        held_by, because = below.choice("held_by", HELD_BY), below.word("because")
        permissions = below.words("permissions", PERMISSION, required=True)
        below.finish()
        if held_by and because:
            page.draft.promises.append(PromiseDraft(str(held_by), permissions, str(because)))
    for below in _maps(cursor, "separation_of_duty", "a separation"):
        key, because = below.word("id", KEY), below.word("because")
        permissions = below.words("permissions", PERMISSION, required=True)
        at_most = below.needed_whole("at_most", 1, max(1, len(permissions) - 1))
        enforced = ENFORCED.get(below.choice("enforced", ENFORCED, required=False) or "", "at_load")
        below.finish()
        if key and because and page.declare("separation", key):
            page.draft.separations[key] = SeparationDraft(key, permissions, at_most, str(because), enforced)
    page.draft.no_escalation |= cursor.flag("no_escalation")


def _hints(page: Page) -> None:
    entries = page.cursor.below("tasks", "tasks", required=True)
    for key, node in entries.each("a task", KEY) if entries else ():
        cursor = entries.as_cursor(node, f"task {key}") if entries else None
        if cursor is None or not page.declare("task", key):
            continue
        says, needs = cursor.words("says", required=True), cursor.words("needs", PERMISSION, required=True)
        recommend = cursor.word("recommend", KEY)
        cursor.finish()
        if recommend:
            page.draft.tasks[key] = TaskDraft(key, tuple(map(str, says)), needs, recommend)


def _role(page: Page) -> None:
    spot = Spot(page.source.file, 1, 1)
    stem = Word.at(page.source.stem, spot)
    if not KEY.fullmatch(stem):
        page.cursor.problem("P126", spot, f"{shown(stem)} is not well formed: the file's name is the role's key")
        page.draft.lost.add("role")
    if not page.declare("role", stem):
        page.cursor.asked.update(page.cursor.fields.entries)
        return
    role, tests = read_role(stem, page.cursor)
    page.draft.roles[role.key] = role
    page.draft.tests += tests
    page.cursor.finish()
    if page.cursor.broken:
        page.draft.broken.add(role.key)


def _tests(page: Page) -> None:
    subjects, tests = read_tests(page.cursor)
    for name, subject, complete in subjects:
        if page.declare("subject", name):
            page.draft.subjects[name] = subject
        if not complete:
            page.draft.doubtful.add(str(name))
    page.draft.tests += tests


def _maps(cursor: Cursor, key: str, what: str) -> list[Cursor]:
    below: list[Node] = cursor.items(key)
    return [found for found in (cursor.as_cursor(node, what) for node in below) if found]


KINDS: dict[str, Callable[[Page], None]] = {
    "policy": _policy,
    "permissions": _permissions,
    "role": _role,
    "agents": _agents,
    "promises": _promises,
    "hints": _hints,
    "tests": _tests,
}
