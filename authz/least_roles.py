"""The least that does what was named: of all sets of roles that hold what the tasks need, the least privileged one.

Sensitive roles only where there is no way without them; then as little beyond the needs as possible; then as few
roles as possible. A company that schedules and bills is given Scheduler and Biller, and not Manager, which is both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from authz.policy import Policy, Role, Task

MOST_WAYS = 1_000  # a set of rules has some ten; the first is good already, because small roles are tried first


def reach(policy: Policy, role: Role, agent_kind: str | None) -> frozenset[str]:
    """What the role can give an agent of this kind, or of any kind, under a condition or without."""
    kinds = [kind for key, kind in policy.agents.items() if agent_kind in (None, key) and role.key in kind.roles]
    return frozenset[str]().union(*(role.permissions & kind.ceiling for kind in kinds))


def reaches(policy: Policy, agent_kind: str | None) -> dict[str, frozenset[str]]:
    """The same for every role that gives such an agent anything, the least privileged first."""
    found = {key: reach(policy, role, agent_kind) for key, role in policy.roles.items()}
    order = sorted(found, key=lambda key: (policy.roles[key].sensitive, len(found[key]), key))
    return {key: found[key] for key in order if found[key]}


def least_roles(policy: Policy, tasks: Sequence[Task], agent_kind: str | None = None) -> tuple[Role, ...]:
    """By key. What no role can give such an agent is left out; empty where nothing is named."""
    giving = reaches(policy, agent_kind)
    reachable = frozenset[str]().union(*giving.values())
    needs = reachable.intersection(need for task in tasks for need in task.needs)
    recommended = {task.recommend for task in tasks}

    def weight(way: frozenset[str]) -> tuple[int, int, int, int, list[str]]:
        sensitive = sum(policy.roles[key].sensitive for key in way)
        held = len(frozenset[str]().union(*(giving[key] for key in way)))
        return sensitive, held, len(way), len(way - recommended), sorted(way)

    best = min(islice(_ways(needs, giving, frozenset()), MOST_WAYS), key=weight)
    return tuple(policy.roles[key] for key in sorted(best))


def _ways(
    needs: frozenset[str], giving: Mapping[str, frozenset[str]], chosen: frozenset[str]
) -> Iterator[frozenset[str]]:
    """Every way to give what is still needed that has no role too many, and some that have."""
    if not needs:
        yield chosen
        return
    need = min(needs)
    for key, given in giving.items():
        if need in given:
            yield from _ways(needs - given, giving, chosen | {key})
