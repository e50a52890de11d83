"""What roles mean for an engagement, told as a difference: what an agent could do with these roles and not with others.

The agreement is taken to be in force and every role to be confirmed, because this is about the roles.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from authz.least_roles import reach
from authz.policy import Policy
from authz.seat_class import class_of


@dataclass(frozen=True, slots=True)
class RoleReach:
    """Keys of permissions. What is held only under a condition is neither in `will` nor in `will_not`."""

    will: frozenset[str]
    will_not: frozenset[str]
    gained: frozenset[str]
    lost: frozenset[str]


def role_reach(policy: Policy, agent_kind: str, wanted: Collection[str], present: Collection[str]) -> RoleReach:
    """With the roles `wanted`, against those that count at present.

    `will_not` is worth telling: what other roles of this kind of agent would give, and what the ceiling takes from
    these.
    """
    then = class_of(policy, "agent", agent_kind, frozenset(wanted), agreement_in_force=True)
    now = class_of(policy, "agent", agent_kind, frozenset(present), agreement_in_force=True)
    could = [reach(policy, role, agent_kind) for role in policy.roles.values()]
    named = [policy.roles[key].permissions for key in wanted]
    held = then.permissions | then.guarded
    return RoleReach(
        will=then.permissions,
        will_not=frozenset[str]().union(*could, *named) - held,
        gained=then.permissions - now.permissions,
        lost=now.permissions - then.permissions,
    )
