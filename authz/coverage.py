"""Which cells of the policy somebody has put a test on.

A cell is (holder, role, permission): what one role gives to one kind of holder. A role that agents hold has one
row for each kind of agent that may be given it, because their ceilings differ. A cell is asserted by a test about
somebody who holds that role alone, when the test would come out differently if the role said the opposite:

* `exactly` asserts every permission, but those that are held under a guard and are not decided by it;
* `allow` asserts its permissions, with properties where there is a guard;
* `deny` asserts its permissions where the role or the ceiling is the reason, or the guard.

A denial for any other reason (no agreement, not assigned) says nothing about the role.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from authz.decide import Reason, Seat, decide
from authz.policy import Policy
from authz.run_tests import Case

BY_THE_ROLE = (Reason.ALLOWED, Reason.ROLE_LACKS_PERMISSION, Reason.ABOVE_CEILING)


class Holder(NamedTuple):
    """`kind` for agents, None for everybody else."""

    held_by: str
    kind: str | None

    @property
    def name(self) -> str:
        return self.kind or self.held_by


class Cell(NamedTuple):
    holder: Holder
    role: str
    permission: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """`missing` in the order of roles, holders and permissions."""

    cells: int
    missing: tuple[Cell, ...]

    @property
    def percent(self) -> float:
        return 100.0 * (self.cells - len(self.missing)) / self.cells if self.cells else 100.0


def coverage(policy: Policy, cases: Iterable[Case], roles: Iterable[str] | None = None) -> Coverage:
    """The coverage of all roles, or of some. `cases` are those of the set's own tests, which have passed."""
    every = [cell for cell in cells(policy) if roles is None or cell.role in set(roles)]
    asserted = {cell for case in cases for cell in _asserted(case, policy)}
    return Coverage(len(every), tuple(cell for cell in every if cell not in asserted))


def cells(policy: Policy) -> Iterator[Cell]:
    for role in sorted(policy.roles):
        for holder in holders(policy, role):
            yield from (Cell(holder, role, permission) for permission in sorted(policy.permissions))


def holders(policy: Policy, role: str) -> Sequence[Holder]:
    """The ways in which a role can be held."""
    held_by = sorted(policy.roles[role].held_by - {"agent"})
    kinds = sorted(kind.key for kind in policy.agents.values() if role in kind.roles)
    return [*(Holder(name, None) for name in held_by), *(Holder("agent", kind) for kind in kinds)]


def role_lines(policy: Policy, found: Coverage) -> Iterator[str]:
    """One line for each role and holder of which cells are missing."""
    rows: dict[tuple[str, str], list[str]] = {}
    for cell in found.missing:
        rows.setdefault((cell.role, cell.holder.name), []).append(cell.permission)
    for (role, holder), permissions in rows.items():
        some = ", ".join(permissions[:4]) + (f" and {len(permissions) - 4} more" if len(permissions) > 4 else "")
        yield f"  {role} held by {holder}: {len(permissions)} of {len(policy.permissions)} not asserted: {some}"


def _asserted(case: Case, policy: Policy) -> Iterator[Cell]:
    if len(case.seat.roles) != 1:
        return
    (role,) = case.seat.roles
    holder = Holder(case.seat.held_by, case.seat.agent_kind)
    test = case.test
    everything = policy.permissions if test.exactly is not None else ()
    for permission in {*map(str, test.allow), *map(str, test.deny), *everything}:
        if _decided_by_the_role(case, policy, permission):
            yield Cell(holder, role, permission)


def _decided_by_the_role(case: Case, policy: Policy, permission: str) -> bool:
    decision = decide(policy, (case.seat,), permission, case.test.properties)
    if decision.reason is Reason.GUARD:
        return case.test.because == Reason.GUARD.name
    return decision.reason in BY_THE_ROLE and not _hidden_by_the_seat(case.seat, policy, permission)


def _hidden_by_the_seat(seat: Seat, policy: Policy, permission: str) -> bool:
    """Would it be denied whatever the role said: by the agreement, the assignment, the scopes, the sign-in?"""
    if not seat.active or not seat.assigned or (seat.cap is not None and not seat.roles <= seat.cap):
        return True
    if seat.scopes is not None and permission not in seat.scopes:
        return True
    if not seat.proven and policy.proven(seat.roles) != seat.roles:
        return True
    kind = policy.agents.get(seat.agent_kind or "") if not seat.agreement_in_force else None
    return kind is not None and policy.waits(kind, permission)
