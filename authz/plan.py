"""What a change of the policy would do to the people it governs, said before it does it, and whether it may.

The comparison itself is in `class_changes.py`. Here is what follows: promises that live grants break, roles that
turn idle, limits, and the verdict, which is also the command's exit code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from authz.class_changes import Change, Live
from authz.policy import Policy

NOTHING_CHANGES, WITHIN_LIMITS, NEEDS_APPROVAL = 0, 2, 3  # the command's exit codes; 1 is an error


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that live grants break under the new set and did not break before: `never` (these holders have the
    permission now and will lose it) or a separation of duty (their roles together hold too much)."""

    rule: str
    permissions: tuple[str, ...]
    because: str
    holders: int
    enforced_by_losing: bool


@dataclass(frozen=True, slots=True)
class IdleRole:
    """A role on live grants that gives nothing under the new set: it vanishes, or such holders may not have it."""

    role: str
    held_by: str
    agent_kind: str | None
    vanishes: bool
    holders: int


@dataclass(frozen=True, slots=True)
class NobodyLeft:
    """Practices in which somebody has the permission now and nobody would have it: how many, and the first few."""

    permission: str
    practices: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LimitFound:
    name: str
    most: int
    found: int

    @property
    def exceeded(self) -> bool:
        return self.found > self.most

    def __str__(self) -> str:
        return f"{self.name} is {self.found:,}, the limit is {self.most:,}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole comparison; `old` is None where no set was active before."""

    old: Policy | None
    new: Policy
    changes: tuple[Change, ...]
    broken: tuple[Broken, ...]
    idle: tuple[IdleRole, ...]
    nobody_left: tuple[NobodyLeft, ...]
    limits: tuple[LimitFound, ...]
    loosened: tuple[str, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why somebody has to approve it; none when it may be applied as it is."""
        over = [str(limit) for limit in self.limits if limit.exceeded]
        duties = [f"live grants break {b.rule}: {b.because}" for b in self.broken if not b.enforced_by_losing]
        return (*over, *duties, *(f"the limit {name} is raised or removed" for name in self.loosened))

    @property
    def verdict(self) -> int:
        if self.old is not None and self.old.digest == self.new.digest:
            return NOTHING_CHANGES
        return NEEDS_APPROVAL if self.reasons else WITHIN_LIMITS


def broken(old: Policy | None, new: Policy, live: Sequence[Live], changed: Sequence[Change]) -> tuple[Broken, ...]:
    """The promises that live grants would break under the new set."""
    return (*_promised_away(new, changed), *_not_separated(old, new, live))


def _promised_away(new: Policy, changed: Sequence[Change]) -> Iterable[Broken]:
    for promise in new.promises:
        hit = [c for c in changed if c.live.held_by == promise.held_by and promise.permissions.intersection(c.loses)]
        if hit:
            lost = sorted(promise.permissions.intersection(key for change in hit for key in change.loses))
            holders = sum(change.live.holders for change in hit)
            yield Broken(f"never for {promise.held_by}", tuple(lost), promise.because, holders, True)


def _not_separated(old: Policy | None, new: Policy, live: Sequence[Live]) -> Iterable[Broken]:
    holders: dict[str, int] = {}
    for each in live:
        before = {rule.id for rule in old.separations_broken(each.roles)} if old else set()
        for rule in new.separations_broken(each.roles):
            if rule.id not in before:
                holders[rule.id] = holders.get(rule.id, 0) + each.holders
    for rule in new.separations:
        if rule.id in holders:
            yield Broken(rule.id, rule.permissions, rule.because, holders[rule.id], False)


def idle_roles(old: Policy | None, new: Policy, live: Iterable[Live]) -> tuple[IdleRole, ...]:
    """Roles on live grants that gave something before and will give nothing, the most frequent first."""
    counts: dict[tuple[str, str, str | None], int] = {}
    for each in live:
        for role in each.roles:
            if _may_hold(old, each, role) and not _may_hold(new, each, role):
                key = (role, each.held_by, each.agent_kind)
                counts[key] = counts.get(key, 0) + each.holders
    found = [IdleRole(*key, key[0] not in new.roles, holders) for key, holders in counts.items()]
    return tuple(sorted(found, key=lambda idle: (-idle.holders, idle.role, idle.agent_kind or "")))


def _may_hold(policy: Policy | None, live: Live, role: str) -> bool:
    known = policy.roles.get(role) if policy else None
    if policy is None or known is None or live.held_by not in known.held_by:
        return False
    kind = policy.agents.get(live.agent_kind or "")
    return live.held_by != "agent" or (kind is not None and role in kind.roles)


def limits_found(
    old: Policy | None, new: Policy, changed: Sequence[Change], nobody: Sequence[NobodyLeft]
) -> tuple[LimitFound, ...]:
    """Every limit with what it bounds. Both sets' limits hold, so that no change lifts the one that holds it."""
    most = dict(new.limits)
    for name, value in (old.limits if old else {}).items():
        most[name] = min(value, most.get(name, value))
    counted = _counted(new, changed, nobody)
    return tuple(LimitFound(name, most[name], counted[name]) for name in counted if name in most)


def _counted(new: Policy, changed: Sequence[Change], nobody: Sequence[NobodyLeft]) -> dict[str, int]:
    def gaining(*effects: str) -> int:
        keys = [key for key, found in new.permissions.items() if not effects or found.effect in effects]
        return sum(change.live.holders for change in changed if change.gives(keys))

    return {
        "lose": sum(change.live.holders for change in changed if change.takes),
        "gain": gaining(),
        "gain_destructive": gaining("destructive"),
        "gain_admin": gaining("admin"),
        "nobody_left": sum(each.practices for each in nobody),
    }


def loosened(old: Policy | None, new: Policy) -> tuple[str, ...]:
    """The limits of the active set that the new one raises or leaves out: that, too, needs somebody's yes."""
    held = old.limits if old else {}
    return tuple(name for name, most in held.items() if name not in new.limits or new.limits[name] > most)
