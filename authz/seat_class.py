"""What a kind of seat may do, worked out once: every seat of the same class shares one answer.

Live seats fall into few classes of (held_by, kind of agent, roles, agreement), however many people there are,
so a decision is a look-up of the class and one of the permission. The functions beside it are the single
statements of what a ceiling and an agreement take away; `decide` asks them one by one when it must say why.
"""

from __future__ import annotations

from collections.abc import Collection

from authz.policy import Class, Policy, Role

MOST_CLASSES = 4096  # far above the classes that live seats fall into; bounds the memory, not the answers


def class_of(
    policy: Policy, held_by: str, agent_kind: str | None, roles: frozenset[str], agreement_in_force: bool
) -> Class:
    """The interned class of a seat."""
    key = (held_by, agent_kind, roles, agreement_in_force)
    found = policy.classes.get(key)
    if found is None:
        if len(policy.classes) >= MOST_CLASSES:
            policy.classes.clear()
        found = policy.classes[key] = _build(policy, *key)
    return found


def live_roles(policy: Policy, held_by: str, roles: Collection[str]) -> list[Role]:
    """The roles that the set knows and this kind of holder may have, the smallest first."""
    live = [policy.roles[key] for key in roles if key in policy.roles and held_by in policy.roles[key].held_by]
    return sorted(live, key=lambda role: (len(role.permissions), role.key))


def within_ceiling(policy: Policy, held_by: str, agent_kind: str | None, role: str, permission: str) -> bool:
    """May this role give this permission to such a holder at all?"""
    if held_by != "agent":
        return True
    kind = policy.agents.get(agent_kind or "")
    return kind is not None and role in kind.roles and permission in kind.ceiling


def agreement_lets_through(
    policy: Policy, held_by: str, agent_kind: str | None, agreement_in_force: bool, permission: str
) -> bool:
    """Permission by permission, so that a further role never takes away what another gives."""
    if held_by != "agent" or agreement_in_force:
        return True
    kind = policy.agents.get(agent_kind or "")
    return kind is not None and not policy.waits(kind, permission)


def _build(
    policy: Policy, held_by: str, agent_kind: str | None, roles: frozenset[str], agreement_in_force: bool
) -> Class:
    by: dict[str, str] = {}
    guarded: set[str] = set()
    for role in live_roles(policy, held_by, roles):
        for permission in role.permissions:
            if not within_ceiling(policy, held_by, agent_kind, role.key, permission):
                continue
            if not agreement_lets_through(policy, held_by, agent_kind, agreement_in_force, permission):
                continue
            if permission in role.guards:
                guarded.add(permission)
            else:
                by.setdefault(permission, role.key)
    return Class(by, frozenset(by), frozenset(guarded.difference(by)))
