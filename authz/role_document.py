"""One role as its file states it, with the guards and the tests beside it."""

from __future__ import annotations

from authz.assertion_document import read_role_tests
from authz.diagnostic import Word, shown
from authz.draft import ConditionDraft, GuardDraft, RoleDraft, TestDraft
from authz.policy import HELD_BY
from authz.shape import GRANT, KEY, PERMISSION, PROPERTY, Cursor
from authz.yaml_subset import Items, Node

OPERATORS = ("eq", "in", "not_in", "lte", "gte")


def read_role(key: Word, cursor: Cursor) -> tuple[RoleDraft, list[TestDraft]]:
    """The role and its own tests; `cursor.broken` tells whether everything could be read."""
    held_by = tuple(word for word in cursor.words("held_by", required=True) if cursor.as_choice(word, HELD_BY))
    if not held_by and not cursor.broken:
        cursor.problem("P124", cursor.key_spot("held_by"), "held_by is empty: nobody could hold this role")
    role = RoleDraft(
        str(key),
        key.spot,
        str(cursor.word("title") or key),
        str(cursor.word("hint", required=False) or ""),
        held_by,
        cursor.words("granted_by", KEY),
        cursor.flag("sensitive"),
        cursor.flag("root"),
        cursor.word("sensitivity_max") or Word.at("", key.spot),
        cursor.words("includes", KEY),
        cursor.words("without", GRANT),
        cursor.words("grants", GRANT),
        _guards(cursor),
        cursor.whole("review_days", 1, 3650),
    )
    return role, read_role_tests(cursor, key, str(held_by[0]) if held_by else "staff")


def _guards(cursor: Cursor) -> tuple[GuardDraft, ...]:
    below = cursor.below("guards", "guards")
    guards = []
    for permission, node in below.each("a guarded permission", PERMISSION) if below else ():
        if not isinstance(node, Items):
            cursor.problem("P124", node.spot, f"the guard of {permission} is a list of conditions")
        elif not node.items:
            cursor.problem("P145", node.spot, "a guard has at least one condition")
        else:
            guards.append(GuardDraft(permission, tuple(_clause(cursor, item) for item in node.items)))
    cursor.broken |= below is not None and below.broken
    return tuple(guards)


def _clause(parent: Cursor, node: Node) -> tuple[ConditionDraft, ...]:
    """One condition, or `any` of several."""
    cursor = parent.as_cursor(node, "a condition")
    if cursor is None:
        return ()
    if cursor.has("any"):
        found = [_condition(cursor, item) for item in cursor.items("any")]
        if not found:
            cursor.problem("P145", cursor.key_spot("any"), "any of nothing never holds")
        cursor.finish()
    else:
        found = [_condition(parent, node)]
    parent.broken |= cursor.broken
    return tuple(condition for condition in found if condition)


def _condition(parent: Cursor, node: Node) -> ConditionDraft | None:
    cursor = parent.as_cursor(node, "a condition")
    if cursor is None:
        return None
    name = cursor.word("property", PROPERTY)
    operators = [key for key in cursor.fields.entries if key != "property"]
    for key in operators:
        if key not in OPERATORS:
            near = cursor.report.did_you_mean(key, OPERATORS)
            cursor.problem("P145", cursor.key_spot(key), f"{shown(key)} is none of {', '.join(OPERATORS)}", near)
    if len(operators) != 1 and not cursor.broken:
        cursor.problem("P145", cursor.fields.spot, f"a condition has one of {', '.join(OPERATORS)}")
    parent.broken |= cursor.broken
    if cursor.broken or name is None:
        return None
    return ConditionDraft(name, operators[0], cursor.fields.entries[operators[0]][1])
