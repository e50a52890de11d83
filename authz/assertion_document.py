"""Tests as the files state them: who is asked about, and what must be allowed or denied.

    {name: …, subject: acme, allow: [claims.submit], deny: [cpt_codes.update]}
    {name: …, subject: acme, exactly: [claims.read, claims.submit]}          this and nothing else
    {name: …, subject: acme_no_baa, exactly: [], because: AGREEMENT_MISSING}  and this is why
    {name: …, subject: manager, allow: [payments.refund], with: {action.amount: 500}}
    {name: …, subject: two_hats, breaks: [grant_and_redact]}                 the separations that its roles break

`at` is the instant at which the days of a subject are looked at. It is a day (from its first second, UTC) or an
instant such as 2026-06-30T09:00Z, and it goes with a subject that has days, and only with one:

    acme: {kind: billing_company, roles: [biller], agreement: {effective_on: 2026-06-01, expires_on: 2026-06-30}}
    desk: {kind: front_office_worker, roles: [scheduler], expires_at: 2026-07-01}

An agreement counts from the first second of `effective_on` to the last of `expires_on`; an engagement ends with
the first second of `expires_at`. What the days mean is decided by `authz/life.py`, as it is for live engagements.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime

from authz.decide import Reason
from authz.diagnostic import Word
from authz.draft import Dates, SubjectDraft, TestDraft
from authz.policy import HELD_BY, PropertyValue
from authz.shape import KEY, NUMBER, PERMISSION, PROPERTY, Cursor
from authz.yaml_subset import Fields, Node, Text

REASONS = tuple(reason.name for reason in Reason if reason is not Reason.ALLOWED)
AGREEMENTS = ("in_force", "none")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?Z)?")


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
    agreement, dates = _agreement(cursor)
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
        dates=dates,
        second_factor=cursor.flag("second_factor", True),
    )
    cursor.finish()
    return subject


def _agreement(cursor: Cursor) -> tuple[str | None, Dates | None]:
    """In force, none, or from one day to another; and until when the engagement lasts."""
    effective_on = expires_on = None
    agreement = None
    if isinstance(cursor.fields.entries.get("agreement", (None, None))[1], Fields):
        below = cursor.below("agreement", "agreement")
        effective_on, expires_on = _day(below, "effective_on", True), _day(below, "expires_on", False)
        if below:
            below.finish()
            cursor.broken |= below.broken
    else:
        agreement = cursor.choice("agreement", AGREEMENTS, required=False)
    expires_at = _instant(cursor, "expires_at")
    dated = effective_on or expires_at
    return agreement, Dates(effective_on, expires_on, expires_at) if dated else None


def _day(cursor: Cursor | None, key: str, required: bool) -> date | None:
    found = _instant(cursor, key, required, DAY) if cursor else None
    return found and found.date()


def _instant(cursor: Cursor, key: str, required: bool = False, pattern: re.Pattern[str] = INSTANT) -> datetime | None:
    """A day is its first second."""
    word = cursor.word(key, required=required)
    if word is None:
        return None
    with suppress(ValueError):
        if pattern.fullmatch(word):
            return datetime.fromisoformat(word).replace(tzinfo=UTC)
    instant = "" if pattern is DAY else ", or an instant such as 2026-06-30T09:00Z"
    cursor.problem("P124", word.spot, f"{key} is a day such as 2026-06-30{instant}")
    return None


def _test(parent: Cursor, node: Node, holder: SubjectDraft | None) -> TestDraft | None:
    cursor = parent.as_cursor(node, "a test")
    if cursor is None:
        return None
    name = cursor.word("name")
    subject = cursor.word("subject", KEY) if holder is None else _holder(cursor, holder)
    because = cursor.choice("because", REASONS, required=False)
    allow, deny = cursor.words("allow", PERMISSION), cursor.words("deny", PERMISSION)
    exactly = cursor.words("exactly", PERMISSION) if cursor.has("exactly") else None
    breaks = cursor.words("breaks", KEY) if cursor.has("breaks") else None
    properties, at = _properties(cursor), _instant(cursor, "at")
    cursor.asked.update(("exactly", "breaks"))
    if not allow and not deny and exactly is None and breaks is None and not cursor.broken:
        cursor.problem("P163", cursor.fields.spot, "a test has allow, deny, exactly or breaks")
    cursor.finish()
    if cursor.broken or name is None or subject is None:
        return None
    spot = cursor.key_spot("exactly")
    return TestDraft(name, subject, allow, deny, exactly, spot, because and str(because), properties, at, breaks)


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
