"""May this person do this, here, now? The one function that says so, and why.

A person stands in a place through seats: a staff membership, an engagement of an agent they work for, their
own agent, their account, the platform. Every seat is asked the same questions in the same order, which is the
order of `Reason` below; the first that fails is the seat's answer.

 1 UNKNOWN_PERMISSION     the policy has no such permission (asked once, before any seat)
 2 NO_ENGAGEMENT          the person has no seat in this place at all
 3 NOT_ACTIVE             the seat, its agent, member, user or practice is not active now
 4 ROLE_LACKS_PERMISSION  no live role of the seat holds the permission; a role that the policy lost, or that
                          this kind of holder may not have, gives nothing
 5 ABOVE_CEILING          a role holds it, but an outsider of this kind never has it: promised away (`never`),
                          too sensitive, or through a role that the kind may not be given
 6 AGREEMENT_MISSING      it waits for an agreement that is not in force
 7 MEMBER_NOT_ASSIGNED    the member is not assigned to the engagement, or only for other roles
 8 OUTSIDE_SCOPE          the API key in use does not carry it
 9 SECOND_FACTOR_MISSING  every role that is left is sensitive, the policy asks holders of such roles for a second
                          factor, and the sign-in had none; API keys are exempt, because they are made behind a
                          proof and bounded by their scopes
10 GUARD                  every role that is left gives it under a condition that does not hold; a property that
                          is missing or of the wrong type does not hold
   ALLOWED                nothing failed

Of several seats one that allows is enough. When none does, the answer is that of the seat that got furthest
down the list, because that is the one thing to change. Roles only add: nothing a role says can turn an
ALLOWED of another role into a denial, and nothing it says lifts questions 3 and 5 to 9.

The answer depends on the arguments and on nothing else: no clock, no database, no memory of earlier calls. What a
seat plainly holds is kept on the seat, because one request asks the same seats many times.

`allowed` is `decide` for who needs no reasons: both look at what a seat plainly holds first, and `allowed` asks
`decide` whatever is left. `answers` are the questions one by one, for `authz/explain.py`.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from authz.policy import Class, Condition, Guard, Policy, Role
from authz.seat_class import agreement_lets_through, class_of, live_roles, within_ceiling

NOTHING: Mapping[str, object] = MappingProxyType({})
NOTHING_HELD = Class(MappingProxyType({}), frozenset(), frozenset())


class Reason(enum.Enum):
    """The number is the place in the fixed order: of two denials the one with the higher number got further."""

    ALLOWED = 0
    UNKNOWN_PERMISSION = 1
    NO_ENGAGEMENT = 2
    NOT_ACTIVE = 3
    ROLE_LACKS_PERMISSION = 4
    ABOVE_CEILING = 5
    AGREEMENT_MISSING = 6
    MEMBER_NOT_ASSIGNED = 7
    OUTSIDE_SCOPE = 8
    SECOND_FACTOR_MISSING = 9
    GUARD = 10


@dataclass(frozen=True, slots=True)
class Seat:
    """One way in which a person stands in a place.

    `roles`: keys of the live grants. `cap`: the roles the assignment is narrowed to, None for all.
    `scopes`: the permissions an API key carries, None when no key is used. `proven`: a second factor was given at
    sign-in, or an API key is used, of which nobody can ask one. `held` is a memory of `_held` and no
    part of the value.
    """

    held_by: str
    roles: frozenset[str]
    active: bool = True
    agent_kind: str | None = None
    agreement_in_force: bool = False
    assigned: bool = True
    cap: frozenset[str] | None = None
    scopes: frozenset[str] | None = None
    proven: bool = True
    held: tuple[Policy | None, Class] = field(default=(None, NOTHING_HELD), init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """One question put to one seat; `roles` are those that can still give the permission after it."""

    question: Reason
    passed: bool
    roles: tuple[Role, ...]


class Decision(NamedTuple):
    """`seat` allowed or got furthest; `role` is the smallest of its roles that allowed, None for a denial."""

    allowed: bool
    reason: Reason
    permission: str
    digest: str
    seat: Seat | None
    role: str | None


def allowed(policy: Policy, seats: Sequence[Seat], permission: str, properties: Mapping[str, object] = NOTHING) -> bool:
    """The same as `decide(…).allowed`, without the reasons: for whoever asks thousands of times."""
    for seat in seats:
        known, held = seat.held
        if known is not policy:
            held = _held(policy, seat)
        if permission in held.permissions:
            return True
        if permission in held.guarded and decide(policy, (seat,), permission, properties).allowed:
            return True
    return False


def decide(
    policy: Policy, seats: Sequence[Seat], permission: str, properties: Mapping[str, object] = NOTHING
) -> Decision:
    """The decision over all seats of a person in one place; `properties` are what guards may look at."""
    if permission not in policy.permissions:
        return Decision(False, Reason.UNKNOWN_PERMISSION, permission, policy.digest, None, None)
    furthest, nearest_seat = Reason.NO_ENGAGEMENT, None
    for seat in seats:
        role = _held(policy, seat).by.get(permission)
        if role is not None:
            return Decision(True, Reason.ALLOWED, permission, policy.digest, seat, role)
        reason, role = _first_failure(policy, seat, permission, properties)
        if reason is Reason.ALLOWED:
            return Decision(True, reason, permission, policy.digest, seat, role)
        if reason.value > furthest.value:
            furthest, nearest_seat = reason, seat
    return Decision(False, furthest, permission, policy.digest, nearest_seat, None)


def permissions(policy: Policy, seats: Sequence[Seat]) -> frozenset[str]:
    """Everything `decide` would allow without properties: what is left to a guard does not count."""
    return frozenset().union(*(_held(policy, seat).permissions for seat in seats))


def _held(policy: Policy, seat: Seat) -> Class:
    """What a seat holds plainly, and what it holds under a guard: the short way, one look-up a seat."""
    known, held = seat.held
    if known is not policy:
        held = _narrowed(policy, seat)
        object.__setattr__(seat, "held", (policy, held))  # a memory: the seat stays the value it is
    return held


def _narrowed(policy: Policy, seat: Seat) -> Class:
    if not (seat.active and seat.assigned):
        return NOTHING_HELD
    roles = seat.roles if seat.cap is None else seat.roles & seat.cap
    if not seat.proven:
        roles = policy.proven(roles)
    held = class_of(policy, seat.held_by, seat.agent_kind, roles, seat.agreement_in_force)
    if seat.scopes is None:
        return held
    by = {permission: role for permission, role in held.by.items() if permission in seat.scopes}
    return Class(by, frozenset(by), held.guarded & seat.scopes)


def answers(
    policy: Policy, seat: Seat, permission: str, properties: Mapping[str, object] = NOTHING
) -> Iterator[Answer]:
    """The long way: what the module's list asks of a seat, one after the other. The first that fails is the reason."""
    kind, roles = seat.agent_kind, live_roles(policy, seat.held_by, seat.roles)
    yield Answer(Reason.NOT_ACTIVE, seat.active, tuple(roles))
    roles = [role for role in roles if permission in role.permissions]
    yield Answer(Reason.ROLE_LACKS_PERMISSION, bool(roles), tuple(roles))
    roles = [role for role in roles if within_ceiling(policy, seat.held_by, kind, role.key, permission)]
    yield Answer(Reason.ABOVE_CEILING, bool(roles), tuple(roles))
    agreed = agreement_lets_through(policy, seat.held_by, kind, seat.agreement_in_force, permission)
    yield Answer(Reason.AGREEMENT_MISSING, agreed, tuple(roles))
    roles = [role for role in roles if seat.cap is None or role.key in seat.cap]
    yield Answer(Reason.MEMBER_NOT_ASSIGNED, seat.assigned and bool(roles), tuple(roles))
    yield Answer(Reason.OUTSIDE_SCOPE, seat.scopes is None or permission in seat.scopes, tuple(roles))
    roles = [role for role in roles if seat.proven or not policy.needs_second_factor(role)]
    yield Answer(Reason.SECOND_FACTOR_MISSING, bool(roles), tuple(roles))
    roles = [role for role in roles if _gives(role, permission, properties)]
    yield Answer(Reason.GUARD, bool(roles), tuple(roles))


def _first_failure(
    policy: Policy, seat: Seat, permission: str, properties: Mapping[str, object]
) -> tuple[Reason, str | None]:
    """The first question that fails; where none does, ALLOWED and the smallest role that is left."""
    role = None
    for answer in answers(policy, seat, permission, properties):
        if not answer.passed:
            return answer.question, None
        role = answer.roles[0].key if answer.roles else None
    return Reason.ALLOWED, role


def _gives(role: Role, permission: str, properties: Mapping[str, object]) -> bool:
    guards = role.guards.get(permission)
    return guards is None or any(_holds(guard, properties) for guard in guards)


def _holds(guard: Guard, properties: Mapping[str, object]) -> bool:
    return all(any(_satisfied(condition, properties) for condition in clause) for clause in guard)


def _satisfied(condition: Condition, properties: Mapping[str, object]) -> bool:
    value = properties.get(condition.name)
    if not _of_type(value, condition.type):
        return False
    expected = condition.value
    if isinstance(expected, tuple):
        return (value in expected) is (condition.operator == "in")
    if condition.operator == "eq":
        return value == expected
    if not isinstance(value, int | float) or not isinstance(expected, int | float):
        return False
    return value <= expected if condition.operator == "lte" else value >= expected


def _of_type(value: object, type_name: str) -> bool:
    """Closed: a boolean is no number, and neither is a not-a-number or an infinity."""
    if type_name == "boolean":
        return isinstance(value, bool)
    if type_name == "number":
        return (isinstance(value, int) and not isinstance(value, bool)) or (
            isinstance(value, float) and math.isfinite(value)
        )
    return type_name == "text" and isinstance(value, str)
