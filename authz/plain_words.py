"""Guards, ceilings and grants in words, and how a place in a file is printed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

from authz.diagnostic import Spot
from authz.policy import AgentKind, Condition, Guard, Permission, Policy, Role

COMPARED = {"eq": "is", "in": "is one of", "not_in": "is none of", "lte": "is at most", "gte": "is at least"}
GRANTING = {"staff": "staff.set_roles", "agent": "agents.set_roles"}  # what operations/ asks of whoever grants
Where = Callable[[Spot], str]


def as_given(spot: Spot) -> str:
    """For people at a terminal: the path as they named it."""
    return f"{spot.file.name}:{spot.line}"


def inside(policy: Policy) -> Where:
    """For people who do not have the files: the path inside the set, so that no path of the server is told."""
    words = [word for role in policy.roles.values() for word in role.source.values()]
    words += [word for promise in policy.promises for word in promise.source]
    words += [kind.source for kind in policy.agents.values() if kind.source]
    folders = {os.path.dirname(word.spot.file.name) for word in words}
    root = os.path.commonpath(folders) if folders else ""
    return lambda spot: f"{os.path.relpath(spot.file.name, root) if root else spot.file.name}:{spot.line}"


def granters(policy: Policy, role: Role, held_by: str) -> str:
    """Who can give this role to such a holder: the roles it names that may grant there at all."""
    needed = GRANTING.get(held_by)
    able = [
        name
        for name in sorted(role.granted_by)
        if needed not in policy.permissions or (name in policy.roles and needed in policy.roles[name].permissions)
    ]
    return either(able) or "nobody"


def guard_words(guards: Iterable[Guard]) -> str:
    """`action.amount is at most 500`"""
    return " or ".join(" and ".join(" or ".join(map(_condition, clause)) for clause in guard) for guard in guards)


def ceiling_words(policy: Policy, kind: AgentKind, permission: Permission, where: Where) -> str:
    """Why no agent of this kind ever has it; empty where one could."""
    for promise in policy.promises:
        for word in promise.source:
            if promise.held_by == "agent" and word == permission.key:
                return f"no outsider ever has it ({where(word.spot)}): {promise.because}"
    if permission.key in kind.ceiling:
        return ""
    place = f" ({where(kind.source.spot)})" if kind.source else ""
    return f"it is {permission.sensitivity}, and {kind.sensitivity_max} is the most for {a(kind.title)}{place}"


def _condition(condition: Condition) -> str:
    value = condition.value
    words = either([str(one) for one in value]) if isinstance(value, tuple) else str(value)
    return f"{condition.name} {COMPARED[condition.operator]} {words}"


def either(names: Sequence[str]) -> str:
    """`owner, manager or staff_administrator`"""
    return " or ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def a(title: str) -> str:
    """`a billing company`"""
    return f"{'an' if title[:1].lower() in 'aeiou' else 'a'} {title[:1].lower()}{title[1:]}"
