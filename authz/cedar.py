"""A policy in Cedar's language, for whoever has to put our answers beside those of an independent engine.

    permit   for each role what it gives, to holders whom it is for, as far as the assignment is not narrowed
    forbid   what is inactive, unassigned or outside the scopes; what is above a kind's ceiling or waits for its
             agreement

Roles, ceilings and what waits become groups of actions; a seat becomes the principal; properties become the
context. Cedar's numbers are decimals of four places, so a guard that compares finer numbers cannot be exported.
The tests compare both engines, and so does the benchmark; nothing decides by this.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import product
from typing import Any

from authz.decide import Seat
from authz.policy import Condition, Policy, PropertyValue, Role

ANY_NUMBER = 'greaterThanOrEqual(decimal("-922337203685477.5808"))'
COMPARED = {"lte": "lessThanOrEqual", "gte": "greaterThanOrEqual"}


class NotExportable(ValueError):
    """A number with more than four decimal places."""


def cedar_policies(policy: Policy) -> str:
    """All policies as one text. Raises NotExportable."""
    parts = [
        "forbid (principal, action, resource) unless { principal.active && principal.assigned };",
        "forbid (principal, action, resource) when { principal has scopes }"
        " unless { principal.scopes.contains(action) };",
    ]
    for role in policy.roles.values():
        parts += _permits(policy, role)
    for kind in policy.agents:
        of_kind = f'principal.held_by == "agent" && principal has kind && principal.kind == "{kind}"'
        ceiling, waits = _group("ceiling", kind), _group("waits", kind)
        parts.append(f"forbid (principal, action, resource) when {{ {of_kind} }} unless {{ action in {ceiling} }};")
        parts.append(f"forbid (principal, action in {waits}, resource) when {{ {of_kind} && !principal.agreement }};")
    return "\n".join(parts) + "\n"


def cedar_actions(policy: Policy) -> list[dict[str, Any]]:
    """The permissions and the groups they belong to, as Cedar's JSON entities."""
    groups: dict[str, list[str]] = {key: [] for key in policy.permissions}
    for role in policy.roles.values():
        for permission in role.permissions - role.guards.keys():
            groups[permission].append(f"role {role.key}")
    for kind in policy.agents.values():
        starts = kind.agreement_required_from
        least = policy.sensitivities.index(starts) if starts else len(policy.sensitivities)
        for key, found in policy.permissions.items():
            if key in kind.ceiling:
                groups[key].append(f"ceiling {kind.key}")
            if kind.agreement == "required" or found.rank >= least:
                groups[key].append(f"waits {kind.key}")
    names = sorted({name for above in groups.values() for name in above})
    members = [_entity("Action", key, {}, above) for key, above in groups.items()]
    return [*(_entity("Action", name, {}, []) for name in names), *members]


def cedar_seat(name: str, seat: Seat) -> dict[str, Any]:
    """A seat as a principal. What does not apply is left out, as Cedar has no null."""
    attributes: dict[str, Any] = {
        "held_by": seat.held_by,
        "roles": sorted(seat.roles),
        "active": seat.active,
        "assigned": seat.assigned,
        "agreement": seat.agreement_in_force,
        "proven": seat.proven,
    }
    if seat.agent_kind is not None:
        attributes["kind"] = seat.agent_kind
    if seat.cap is not None:
        attributes["cap"] = sorted(seat.cap)
    if seat.scopes is not None:
        attributes["scopes"] = [{"__entity": {"type": "Action", "id": key}} for key in sorted(seat.scopes)]
    return _entity("Seat", name, attributes, [])


def cedar_context(properties: Mapping[str, object]) -> dict[str, Any]:
    """The properties of a question. Raises NotExportable."""
    return {name: _json(value) for name, value in properties.items()}


def _permits(policy: Policy, role: Role) -> Iterator[str]:
    holders = [f'principal.held_by == "{held_by}"' for held_by in sorted(role.held_by - {"agent"})]
    kinds = [kind.key for kind in policy.agents.values() if role.key in kind.roles and "agent" in role.held_by]
    if kinds:
        holders.append(
            f'(principal.held_by == "agent" && principal has kind && {_list(kinds)}.contains(principal.kind))'
        )
    name = _text(role.key)
    mine = f"principal.roles.contains({name}) && (!(principal has cap) || principal.cap.contains({name}))"
    if not holders:
        return
    if policy.needs_second_factor(role):
        mine += " && principal.proven"
    whose = f"{mine} && ({' || '.join(holders)})"
    yield f"permit (principal, action in {_group('role', role.key)}, resource) when {{ {whose} }};"
    for permission, guards in role.guards.items():
        action = f"action == Action::{_text(permission)}"
        for guard in guards:
            for conditions in product(*guard):
                holds = " && ".join(map(_condition, conditions))
                yield f"permit (principal, {action}, resource) when {{ {whose} }} when {{ {holds} }};"


def _condition(condition: Condition) -> str:
    """Of the wrong type means an error to Cedar, and a policy with an error does not apply: the same as ours.

    That is why each way to satisfy a guard is a policy of its own.
    """
    name = _text(condition.name)
    value = f"context[{name}]"
    typed = {"number": f"{value}.{ANY_NUMBER}", "text": f'{value} like "*"', "boolean": f"({value} || true)"}
    return f"context has {name} && {typed[condition.type]} && {_comparison(condition, value)}"


def _comparison(condition: Condition, value: str) -> str:
    if isinstance(condition.value, tuple):
        contains = f"[{', '.join(map(_literal, condition.value))}].contains({value})"
        return contains if condition.operator == "in" else f"!{contains}"
    if condition.operator == "eq":
        return f"{value} == {_literal(condition.value)}"
    return f"{value}.{COMPARED[condition.operator]}({_literal(condition.value)})"


def _literal(value: PropertyValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value) if isinstance(value, str) else f'decimal("{_decimal(value)}")'


def _json(value: object) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"__extn": {"fn": "decimal", "arg": _decimal(value)}}
    return value


def _decimal(value: int | float) -> str:
    exact = Decimal(repr(value))
    if exact != round(exact, 4):
        raise NotExportable(f"{value} has more than four decimal places")
    return f"{exact:.4f}"


def _entity(kind: str, name: str, attributes: dict[str, Any], parents: list[str]) -> dict[str, Any]:
    above = [{"type": "Action", "id": parent} for parent in parents]
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": above}


def _group(what: str, name: str) -> str:
    return f"Action::{_text(f'{what} {name}')}"


def _list(names: list[str]) -> str:
    return f"[{', '.join(map(_text, names))}]"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
