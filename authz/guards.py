"""Guards: from what a role file says to conditions that a decision can evaluate, and how they are inherited.

A role that inherits a permission in several ways has several guards for it, and one of them is enough; a guard
of its own comes on top of all of them. An empty tuple of guards means that the permission is held plainly.
"""

from __future__ import annotations

from collections.abc import Mapping

from authz.diagnostic import Report, Word
from authz.draft import ConditionDraft, GuardDraft
from authz.policy import Condition, Guard, Permission, PropertyValue
from authz.shape import NUMBER
from authz.yaml_subset import Items, Node, Text

Guards = tuple[Guard, ...]
PLAIN: Guards = ()


def either(first: Guards | None, second: Guards) -> Guards:
    """Held in one way or the other: plainly if one of them is plain."""
    if first is None:
        return second
    if first == PLAIN or second == PLAIN:
        return PLAIN
    return tuple(dict.fromkeys(first + second))


def on_top(guard: Guard, inherited: Guards) -> Guards:
    """A role's own guard: whatever way the permission came, this must hold too."""
    return tuple(guard + other for other in inherited) or (guard,)


def no_wider(granted: Guards, own: Guards | None) -> bool:
    """Is what is granted certainly no more than what the granter holds? Guards are compared, not reasoned about."""
    if own is None:
        return False
    return own == PLAIN or (granted != PLAIN and set(granted) <= set(own))


def compile_guard(draft: GuardDraft, permission: Permission, report: Report) -> Guard | None:
    """The guard, or None with the reason in the report."""
    clauses = []
    for clause in draft.clauses:
        conditions = [_condition(condition, permission.properties, report) for condition in clause]
        clauses.append(tuple(condition for condition in conditions if condition))
        if None in conditions:
            return None
    return tuple(clauses)


def _condition(draft: ConditionDraft, properties: Mapping[str, str], report: Report) -> Condition | None:
    type_name = properties.get(draft.name)
    if type_name is None:
        report.unknown("P134", draft.name, "property", properties)
        return None
    if draft.operator in ("lte", "gte") and type_name != "number":
        report.add("P145", draft.name.spot, f"{draft.operator} compares numbers, and {draft.name} is a {type_name}")
        return None
    many = draft.operator in ("in", "not_in")
    nodes = draft.value.items if many and isinstance(draft.value, Items) else [draft.value]
    values = [_value(node, type_name, draft.name, report) for node in nodes]
    if many and not isinstance(draft.value, Items):
        report.add("P145", draft.value.spot, f"{draft.operator} takes a list")
        return None
    if any(value is None for value in values):
        return None
    found = tuple(value for value in values if value is not None)
    return Condition(str(draft.name), type_name, draft.operator, found if many else found[0])


def _value(node: Node, type_name: str, name: Word, report: Report) -> PropertyValue | None:
    if isinstance(node, Text):
        if type_name == "text":
            return node.text
        if type_name == "boolean" and node.plain and node.text in ("true", "false"):
            return node.text == "true"
        if type_name == "number" and node.plain and NUMBER.fullmatch(node.text):
            return float(node.text) if "." in node.text else int(node.text)
    report.add("P145", node.spot, f"{name} is compared with a {type_name}")
    return None
