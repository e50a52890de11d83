"""Tests as the files state them: who is asked about, and what must be allowed or denied."""

from __future__ import annotations

from authz.decide import Reason
from authz.diagnostic import Word
from authz.draft import SubjectDraft, TestDraft
from authz.policy import HELD_BY, PropertyValue
from authz.shape import KEY, NUMBER, PERMISSION, PROPERTY, Cursor
from authz.yaml_subset import Node, Text

REASONS = tuple(reason.name for reason in Reason if reason is not Reason.ALLOWED)
AGREEMENTS = ("in_force", "none")


def read_tests(cursor: Cursor) -> tuple[list[tuple[Word, SubjectDraft, bool]], list[TestDraft]]:
    """A file of tests: its subjects, each with whether it is complete, and its tests."""
    below = cursor.below("subjects", "subjects")
    subjects = []
    for name, node in below.each("a subject", KEY) if below else ():
        found = cursor.as_cursor(node, f"subject {name}")
        if found:
            subjects.append((name, _subject(found), not found.broken))
    return subjects, [test for test in (_test(cursor, node, None) for node in cursor.items("tests", True)) if test]


def read_role_tests(cursor: Cursor, role: Word, held_by: str) -> list[TestDraft]:
    """The tests beside a role: about whoever holds it, as the first of its `held_by` unless the test says which."""
    holder = SubjectDraft(held_by, (role,), agreement_in_force=True, everywhere=True)
    return [test for test in (_test(cursor, node, holder) for node in cursor.items("tests")) if test]


def _subject(cursor: Cursor) -> SubjectDraft:
    kind = cursor.word("kind", KEY, required=False)
    held_by = cursor.choice("held_by", HELD_BY, required=kind is None)
    agreement = cursor.choice("agreement", AGREEMENTS, required=False)
    if kind is not None and held_by is not None and held_by != "agent":
        cursor.problem("P125", held_by.spot, "only an agent has a kind")
    if kind is None and held_by == "agent":
        cursor.problem("P123", cursor.fields.spot, f"{cursor.what} is an agent and has no kind")
    subject = SubjectDraft(
        "agent" if kind is not None else str(held_by or "agent"),
        cursor.words("roles", KEY, required=True),
        kind,
        agreement == "in_force",
        cursor.flag("active", True),
        cursor.flag("assigned", True),
        cursor.words("cap", KEY) if cursor.has("cap") else None,
        cursor.words("scopes", PERMISSION) if cursor.has("scopes") else None,
    )
    cursor.finish()
    return subject


def _test(parent: Cursor, node: Node, holder: SubjectDraft | None) -> TestDraft | None:
    cursor = parent.as_cursor(node, "a test")
    if cursor is None:
        return None
    name = cursor.word("name")
    subject = cursor.word("subject", KEY) if holder is None else _holder(cursor, holder)
    because = cursor.choice("because", REASONS, required=False)
    allow, deny = cursor.words("allow", PERMISSION), cursor.words("deny", PERMISSION)
    exactly = cursor.words("exactly", PERMISSION) if cursor.has("exactly") else None
    properties = _properties(cursor)
    if not allow and not deny and exactly is None and not cursor.broken:
        cursor.asked.update(("allow", "deny", "exactly"))
        cursor.problem("P163", cursor.fields.spot, "a test has allow, deny or exactly")
    cursor.asked.add("exactly")
    cursor.finish()
    if cursor.broken or name is None or subject is None:
        return None
    spot = cursor.key_spot("exactly")
    return TestDraft(name, subject, allow, deny, exactly, spot, because and str(because), properties)


def _holder(cursor: Cursor, holder: SubjectDraft) -> SubjectDraft:
    held_by = cursor.choice("held_by", HELD_BY, required=False)
    return SubjectDraft(str(held_by or holder.held_by), holder.roles, agreement_in_force=True, everywhere=True)


def _properties(cursor: Cursor) -> dict[str, PropertyValue]:
    below = cursor.below("with", "with")
    values: dict[str, PropertyValue] = {}
    for name, node in below.each("a property", PROPERTY) if below else ():
        if isinstance(node, Text):
            values[str(name)] = property_value(node)
        else:
            cursor.problem("P124", node.spot, f"{name} is a number, a text, true or false")
    return values


def property_value(node: Text) -> PropertyValue:
    """Here a plain number is a number, and plain true and false are what they look like; everything else is text."""
    if node.plain and node.text in ("true", "false"):
        return node.text == "true"
    if node.plain and NUMBER.fullmatch(node.text):
        return float(node.text) if "." in node.text else int(node.text)
    return node.text
