"""What a policy says, as single facts: the smallest things that two policies can differ in.

Everything that moves the digest is a fact. For agents the facts are what each kind really gets out of each of its
roles, below its ceiling, and whether an agreement has to be in force: that is what changes for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from authz.policy import AgentKind, Condition, Guard, Permission, Policy, Role

SECTIONS = ("role", "agent", "permission", "kind", "promise", "separation", "redirect", "task", "policy")
ALWAYS = "always"
WAITS = "once an agreement is in force"


class Fact(NamedTuple):
    """`fact` is what is said about the subject; `name` is set where it can be said of several things."""

    section: str
    subject: str
    fact: str
    name: str = ""


Said = Iterator[tuple[Fact, str]]


def facts(policy: Policy) -> dict[Fact, str]:
    """Each fact with its value; one that is only there or not has an empty value."""
    return {fact: value for part in (_roles, _agents, _permissions, _promises, _others) for fact, value in part(policy)}


def _roles(policy: Policy) -> Said:
    for role in policy.roles.values():
        for permission in role.permissions:
            yield Fact("role", role.key, "permission", permission), _condition(role, permission)
        yield from _members("role", role.key, "held_by", role.held_by)
        yield from _members("role", role.key, "granted_by", role.granted_by)
        yield from ((Fact("role", role.key, key), "") for key in ("sensitive", "root") if getattr(role, key))
        if role.review_days is not None:
            yield Fact("role", role.key, "review_days"), str(role.review_days)


def _agents(policy: Policy) -> Said:
    for kind in policy.agents.values():
        yield Fact("kind", kind.key, "agreement"), kind.agreement
        yield Fact("kind", kind.key, "sensitivity_max"), kind.sensitivity_max
        if kind.agreement_required_from is not None:
            yield Fact("kind", kind.key, "agreement_required_from"), kind.agreement_required_from
        yield from _members("kind", kind.key, "role", kind.roles)
        for key in kind.roles:
            yield from _reached(policy, kind, policy.roles[key])


def _reached(policy: Policy, kind: AgentKind, role: Role) -> Said:
    waiting = policy.waits_for_agreement(kind)
    for permission in role.permissions & kind.ceiling if "agent" in role.held_by else ():
        condition = _condition(role, permission)
        when = f"{WAITS}, {condition}" if condition != ALWAYS else WAITS
        said = when if permission in waiting else condition
        yield Fact("agent", f"{kind.key} as {role.key}", "permission", permission), said


def _permissions(policy: Policy) -> Said:
    for key, found in policy.permissions.items():
        yield Fact("permission", key, "sensitivity"), found.sensitivity
        yield Fact("permission", key, "effect"), found.effect
        yield from _members("permission", key, "needs", found.needs)
        for name, type_name in found.properties.items():
            yield Fact("permission", key, "property", name), type_name


def _promises(policy: Policy) -> Said:
    for promise in policy.promises:
        yield from _members("promise", f"never for {promise.held_by}", "permission", promise.permissions)
    for rule in policy.separations:
        yield Fact("separation", rule.id, "at_most"), str(rule.at_most)
        yield Fact("separation", rule.id, "enforced"), rule.enforced
        yield from _members("separation", rule.id, "permission", rule.permissions)


def _others(policy: Policy) -> Said:
    for redirect in policy.redirects:
        asked = f"{redirect.practice_kind} and {redirect.agent_kind}"
        yield Fact("redirect", asked, "to", redirect.to), redirect.override
    for task in policy.tasks.values():
        yield Fact("task", task.key, "recommend"), task.recommend
        yield from _members("task", task.key, "needs", task.needs)
    yield Fact("policy", "all", "sensitivities"), " < ".join(policy.sensitivities)
    for name, most in policy.limits.items():
        yield Fact("policy", "limits", name), str(most)
    for part, keys in (
        ("tokens", ("ttl_minutes", "attempts")),
        ("engagements", ("default_days", "max_days", "grace_days")),
        ("reviews", ("default_days", "overdue_days")),
        ("training", ("months",)),
        ("sign_in", ("second_factor",)),
    ):
        for key in keys:
            yield Fact("policy", part, key), str(getattr(getattr(policy, part), key))
    yield Fact("policy", "engagements", "notice_days"), ", ".join(map(str, sorted(policy.engagements.notice_days)))


def _members(section: str, subject: str, fact: str, names: Iterable[str]) -> Said:
    return ((Fact(section, subject, fact, name), "") for name in names)


def _condition(role: Role, permission: str) -> str:
    guards = role.guards.get(permission)
    return " or else ".join(sorted(f"when {_guard(guard)}" for guard in guards)) if guards else ALWAYS


def _guard(guard: Guard) -> str:
    return " and ".join(sorted(" or ".join(sorted(map(_compared, clause))) for clause in guard))


def _compared(condition: Condition) -> str:
    value = condition.value
    shown = f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)
    return f"{condition.name} {condition.operator} {shown}"


def protection(permission: Permission | None) -> str:
    """How much a permission deserves to be looked at."""
    return f"{permission.sensitivity}, {permission.effect}" if permission else ""
