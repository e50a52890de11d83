"""Small mistakes that an author could make, each as a whole policy that differs from the real one in that place.

* a cell: one role gains or loses one permission, or its guard;
* a guard's bound: one number moves by one, one value of a list is lost;
* a ceiling: one kind of agent gains or loses one permission that a role of it holds, or one role;
* an agreement: one kind of agent needs it where it does not, or the other way round;
* a separation: it is gone, or allows one more.

A mistake that changes nothing for anybody is no mutant: a permission above the ceiling of everyone who may hold the
role, a separation that no roles that can be granted together would break.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from authz.coverage import Holder, holders
from authz.policy import AgentKind, Condition, Guard, Policy, PropertyValue, Role, Separation

Properties = Mapping[str, PropertyValue]


@dataclass(frozen=True, slots=True)
class Proof:
    """A test that tells the real policy from the mutant; `roles` in one hand, `properties` for a guard."""

    holder: Holder
    roles: tuple[str, ...]
    verb: str  # allow | deny | breaks
    name: str  # of the permission or the separation
    properties: tuple[tuple[str, PropertyValue], ...] = ()
    because: str | None = None
    agreement: bool = True


@dataclass(frozen=True, slots=True)
class Mutant:
    """`role` and `kind`: only tests about them can notice."""

    what: str
    policy: Policy
    proof: Proof
    role: str | None = None
    kind: str | None = None


def mutants(policy: Policy) -> Iterator[Mutant]:
    for role in policy.roles.values():
        reached = [(holder, _reach(policy, holder, role)) for holder in holders(policy, role.key)]
        for permission in policy.permissions:
            holder = next((holder for holder, reach in reached if permission in reach), None)
            if holder is not None:
                yield from _cells(policy, role, permission, holder)
    for kind in policy.agents.values():
        yield from _ceilings(policy, kind)
        yield from _offers(policy, kind)
        yield from _agreements(policy, kind)
    for rule in policy.separations:
        yield from _separations(policy, rule)


def _reach(policy: Policy, holder: Holder, role: Role) -> frozenset[str]:
    """What the role could give to this holder, if it gave everything."""
    return policy.agents[holder.kind].ceiling if holder.kind else frozenset(policy.permissions)


def _cells(policy: Policy, role: Role, permission: str, holder: Holder) -> Iterator[Mutant]:
    if permission not in role.permissions:
        gained = _with_role(policy, role, role.permissions | {permission}, role.guards)
        proof = Proof(holder, (role.key,), "deny", permission)
        yield Mutant(f"{role.key} gains {permission}", gained, proof, role.key)
        return
    fewer = MappingProxyType({key: guards for key, guards in role.guards.items() if key != permission})
    lost = _with_role(policy, role, role.permissions - {permission}, fewer)
    guards = role.guards.get(permission, ())
    holds = tuple(_holding(guards[0]).items()) if guards else ()
    proof = Proof(holder, (role.key,), "allow", permission, holds)
    yield Mutant(f"{role.key} loses {permission}", lost, proof, role.key)
    if guards:
        plain = _with_role(policy, role, role.permissions, fewer)
        proof = Proof(holder, (role.key,), "deny", permission, because="GUARD")
        yield Mutant(f"{role.key} holds {permission} without its guard", plain, proof, role.key)
        yield from _bounds(policy, role, permission, holder)


def _bounds(policy: Policy, role: Role, permission: str, holder: Holder) -> Iterator[Mutant]:
    guards = role.guards[permission]
    for g, guard in enumerate(guards):
        for c, clause in enumerate(guard):
            for k, condition in enumerate(clause):
                for moved, value, verb in _moved(condition):
                    other = (*clause[:k], moved, *clause[k + 1 :])
                    changed = (*guards[:g], (*guard[:c], other, *guard[c + 1 :]), *guards[g + 1 :])
                    mutant = _with_role(policy, role, role.permissions, {**role.guards, permission: changed})
                    given = {**_holding(guard), condition.name: value}
                    because = "GUARD" if verb == "deny" else None
                    proof = Proof(holder, (role.key,), verb, permission, tuple(given.items()), because)
                    what = f"{role.key}'s guard of {permission} says {_words(moved)} for {_words(condition)}"
                    yield Mutant(what, mutant, proof, role.key)


def _moved(condition: Condition) -> Iterator[tuple[Condition, PropertyValue, str]]:
    """The condition changed a little, a value that tells the two apart, and what the real one says to it."""
    value = condition.value
    if isinstance(value, tuple):
        for one in value:
            rest = tuple(other for other in value if other != one)
            yield replace(condition, value=rest), one, "allow" if condition.operator == "in" else "deny"
    elif condition.operator in ("lte", "gte") and isinstance(value, int | float):
        step = 1 if condition.operator == "lte" else -1
        yield replace(condition, value=value + step), value + step, "deny"
        yield replace(condition, value=value - step), value, "allow"
    else:
        yield replace(condition, operator="not_in", value=(value,)), value, "allow"


def _holding(guard: Guard) -> dict[str, PropertyValue]:
    """Properties for which a guard holds, as far as one condition of each clause can say."""
    return {clause[0].name: _satisfying(clause[0]) for clause in guard}


def _satisfying(condition: Condition) -> PropertyValue:
    value = condition.value
    if not isinstance(value, tuple):
        return value
    if condition.operator == "in":
        return value[0]
    if condition.type == "boolean":
        return True not in value
    if condition.type == "number":
        return 1 + max(number for number in value if isinstance(number, int | float))
    return "".join(map(str, value)) + "x"


def _words(condition: Condition) -> str:
    value = list(condition.value) if isinstance(condition.value, tuple) else condition.value
    return f"{condition.operator} {value}"


def _ceilings(policy: Policy, kind: AgentKind) -> Iterator[Mutant]:
    for permission in policy.permissions:
        holding = [role for role in kind.roles if role in policy.roles and permission in policy.roles[role].permissions]
        if not holding:
            continue
        role = min(holding, key=lambda key: len(policy.roles[key].permissions))
        guards = policy.roles[role].guards.get(permission, ())
        holds = tuple(_holding(guards[0]).items()) if guards else ()
        within = permission in kind.ceiling
        changed = _with_kind(policy, replace(kind, ceiling=kind.ceiling ^ {permission}))
        because = None if within else "ABOVE_CEILING"
        proof = Proof(Holder("agent", kind.key), (role,), "allow" if within else "deny", permission, holds, because)
        side = "loses" if within else "gains"
        yield Mutant(f"the ceiling of {kind.key} {side} {permission}", changed, proof, kind=kind.key)


def _offers(policy: Policy, kind: AgentKind) -> Iterator[Mutant]:
    """A role more or less that the kind may be given, where its ceiling lets something of it through."""
    for role in policy.roles.values():
        plain = sorted((role.permissions & kind.ceiling) - role.guards.keys())
        if "agent" not in role.held_by or not plain:
            continue
        offered = role.key in kind.roles
        roles = tuple(key for key in kind.roles if key != role.key) if offered else (*kind.roles, role.key)
        changed = _with_kind(policy, replace(kind, roles=roles))
        because = None if offered else "ABOVE_CEILING"
        proof = Proof(Holder("agent", kind.key), (role.key,), "allow" if offered else "deny", plain[0], because=because)
        side = "is no longer offered" if offered else "is offered"
        yield Mutant(f"{role.key} {side} to {kind.key}", changed, proof, kind=kind.key)


def _agreements(policy: Policy, kind: AgentKind) -> Iterator[Mutant]:
    waiting = policy.waits_for_agreement(kind)
    variants = [replace(kind, agreement="required"), replace(kind, agreement="recommended")]
    variants += [
        replace(kind, agreement="recommended", agreement_required_from=sensitivity)
        for sensitivity in policy.sensitivities
    ]
    seen = set()
    for variant in variants:
        waits = _with_kind(policy, variant).waits_for_agreement(variant)
        told = [
            (role, permission)
            for role in kind.roles
            for permission in sorted((waits ^ waiting) & policy.roles[role].permissions & kind.ceiling)
            if permission not in policy.roles[role].guards
        ]
        if not told or frozenset(told) in seen:
            continue
        seen.add(frozenset(told))
        role, permission = told[0]
        verb, because = ("deny", "AGREEMENT_MISSING") if permission in waiting else ("allow", None)
        proof = Proof(Holder("agent", kind.key), (role,), verb, permission, (), because, agreement=False)
        words = variant.agreement + (f" from {variant.agreement_required_from}" if waits else "")
        yield Mutant(f"the agreement of {kind.key} is {words}", _with_kind(policy, variant), proof, kind=kind.key)


def _separations(policy: Policy, rule: Separation) -> Iterator[Mutant]:
    roles = _breaking(policy, rule)
    if not roles:
        return
    others = tuple(other for other in policy.separations if other is not rule)
    shared = frozenset.intersection(*(policy.roles[role].held_by for role in roles)) - {"agent"}
    holder = Holder(min(shared), None)
    proof = Proof(holder, roles, "breaks", rule.id)
    yield Mutant(f"the separation {rule.id} is gone", replace(policy, separations=others), proof)
    if rule.at_most + 1 < len(rule.permissions):
        wider = replace(rule, at_most=rule.at_most + 1)
        changed = replace(policy, separations=(*others, wider))
        yield Mutant(f"the separation {rule.id} allows {wider.at_most}", changed, proof)


def _breaking(policy: Policy, rule: Separation) -> tuple[str, ...]:
    """Two or more roles that somebody could be given, apart from the rule; none where nobody could."""
    grantable = [role for role in policy.roles.values() if role.granted_by and not role.root]
    for one in grantable:
        for other in grantable:
            shared = one.held_by & other.held_by - {"agent"}
            held = (one.permissions | other.permissions).intersection(rule.permissions)
            if one.key < other.key and shared and len(held) > rule.at_most:
                return one.key, other.key
    return ()


def _with_role(
    policy: Policy, role: Role, permissions: frozenset[str], guards: Mapping[str, tuple[Guard, ...]]
) -> Policy:
    changed = replace(role, permissions=permissions, guards=guards)
    return replace(policy, roles={**policy.roles, role.key: changed})


def _with_kind(policy: Policy, kind: AgentKind) -> Policy:
    return replace(policy, agents={**policy.agents, kind.key: kind})
