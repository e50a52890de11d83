"""What a new policy gives to and takes from the people it governs, class by class.

Live holders fall into few classes, because a decision looks at nothing but the kind of holder, the roles and
whether an agreement is in force. So two sets are compared once for each class, and everything that is said about a
million engagements follows from a few dozen comparisons and the counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from authz.policy import Guard, Policy, Role
from authz.seat_class import class_of, live_roles, within_ceiling


@dataclass(frozen=True, slots=True)
class Live:
    """Holders that no decision tells apart. `roles`: the keys they were granted, known to a policy or not.

    `used`: how many of these engagements somebody used lately, for whatever permission; None where that is not kept.
    """

    held_by: str
    agent_kind: str | None
    roles: frozenset[str]
    agreement_in_force: bool
    holders: int
    used: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What one class gains and loses. A permission that is held before and after, but under other conditions than
    before, is in `narrowed` (it was held in cases in which it is not any more), in `widened`, or in both."""

    live: Live
    gains: tuple[str, ...]
    loses: tuple[str, ...]
    narrowed: tuple[str, ...]
    widened: tuple[str, ...]

    @property
    def takes(self) -> bool:
        return bool(self.loses or self.narrowed)

    def gives(self, permissions: Iterable[str]) -> bool:
        return not set(permissions).isdisjoint((*self.gains, *self.widened))


def changes(old: Policy | None, new: Policy, live: Iterable[Live]) -> tuple[Change, ...]:
    """The classes that gain or lose something, the largest first."""
    compared = (_compare(old, new, each) for each in live)
    found = [change for change in compared if change.gains or change.loses or change.narrowed or change.widened]
    return tuple(sorted(found, key=lambda change: (-change.live.holders, sorted(change.live.roles))))


def _compare(old: Policy | None, new: Policy, live: Live) -> Change:
    before, after = held(old, live), held(new, live)
    both = before.keys() & after.keys()
    return Change(
        live,
        gains=tuple(sorted(after.keys() - before.keys())),
        loses=tuple(sorted(before.keys() - after.keys())),
        narrowed=tuple(sorted(key for key in both if not _no_narrower(before[key], after[key]))),
        widened=tuple(sorted(key for key in both if not _no_narrower(after[key], before[key]))),
    )


Conditions = frozenset[frozenset[frozenset[object]]]  # one of the guards must hold; none at all: always
ALWAYS: Conditions = frozenset()


def held(policy: Policy | None, live: Live) -> Mapping[str, Conditions]:
    """What a class may do, and under which conditions."""
    if policy is None:
        return {}
    found = class_of(policy, live.held_by, live.agent_kind, live.roles, live.agreement_in_force)
    roles = live_roles(policy, live.held_by, live.roles)
    conditions: dict[str, Conditions] = dict.fromkeys(found.permissions, ALWAYS)
    for key in found.guarded:
        within = (r for r in roles if within_ceiling(policy, live.held_by, live.agent_kind, r.key, key))
        conditions[key] = _conditions([role for role in within if key in role.guards], key)
    return conditions


def _conditions(roles: Iterable[Role], permission: str) -> Conditions:
    guards: list[Guard] = [guard for role in roles for guard in role.guards[permission]]
    return frozenset(frozenset(frozenset(clause) for clause in guard) for guard in guards)


def _no_narrower(before: Conditions, after: Conditions) -> bool:
    """Whatever was allowed stays allowed: surely so without conditions, or with every guard that there was."""
    return after == ALWAYS or (before != ALWAYS and before <= after)
