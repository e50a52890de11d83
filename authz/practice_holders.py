"""Where a change leaves nobody in a practice who can do something: what to ask, for as few permissions as may be.

Who holds what in a practice is in the database; which roles and classes give a permission is in the policy. This is
the second half, merged so that permissions with the same holders cost one question.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from authz.class_changes import Change, Live, held
from authz.policy import Policy


@dataclass(frozen=True, slots=True)
class Holding:
    """Permissions that exactly the same staff roles and the same classes of agents hold, before and after."""

    permissions: tuple[str, ...]
    staff_before: frozenset[str]
    staff_after: frozenset[str]
    agents_before: tuple[Live, ...]
    agents_after: tuple[Live, ...]


def lost_in_practices(
    old: Policy | None, new: Policy, live: Sequence[Live], changed: Sequence[Change]
) -> tuple[Holding, ...]:
    """For every permission that somebody in a practice loses: who holds it there before and after.

    A permission under a condition counts as held.
    """
    lost = {key for change in changed if change.live.held_by in ("staff", "agent") for key in change.loses}
    agents = [(each, held(old, each), held(new, each)) for each in live if each.held_by == "agent"]
    found = [
        Holding(
            (key,),
            _staff_roles(old, key),
            _staff_roles(new, key),
            tuple(each for each, before, _ in agents if key in before),
            tuple(each for each, _, after in agents if key in after),
        )
        for key in sorted(lost)
    ]
    return tuple(_merged(found))


def _merged(found: Sequence[Holding]) -> Iterable[Holding]:
    def who(holding: Holding) -> str:
        agents = [[_name(each) for each in side] for side in (holding.agents_before, holding.agents_after)]
        return repr((sorted(holding.staff_before), sorted(holding.staff_after), agents))

    for _, alike in groupby(sorted(found, key=who), key=who):
        first, *others = alike
        permissions = (*first.permissions, *(key for other in others for key in other.permissions))
        yield Holding(permissions, first.staff_before, first.staff_after, first.agents_before, first.agents_after)


def _name(live: Live) -> tuple[object, ...]:
    return (live.agent_kind, sorted(live.roles), live.agreement_in_force)


def _staff_roles(policy: Policy | None, permission: str) -> frozenset[str]:
    return frozenset(role.key for role in policy.roles_holding(permission, "staff")) if policy else frozenset()
