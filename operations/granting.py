"""Who may grant which role to whom: the rules that staff roles and an agent's roles share.

Nobody grants a permission they do not hold, nor a role that the policy does not let them grant; root roles
(the practice's owner) are outside the first rule, as in the policy's own proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from authz.actor import Access
from authz.guards import PLAIN, no_wider
from authz.policy import Policy, Role
from errors import InvalidInput, RoleNotGrantable, SeparationOfDuty, UnknownRole
from operations.step_up import require_recent


def known_roles(policy: Policy, keys: Sequence[str], field: str = "roles") -> tuple[Role, ...]:
    """The roles of these keys. Raises InvalidInput for a key named twice, UnknownRole for one there is not."""
    if len(set(keys)) != len(keys):
        raise InvalidInput(field, "name each role once")
    for key in keys:
        if key not in policy.roles:
            raise UnknownRole(key[:80], policy.nearest_role(key))
    return tuple(policy.roles[key] for key in keys)


def refuse_ungrantable(access: Access, roles: Iterable[Role], held_by: str, reachable: frozenset[str]) -> None:
    """Raises RoleNotGrantable. `reachable`: the permissions that such a holder can have at all (its ceiling)."""
    mine = access.actor.roles_at(access.place.practice)
    grantable = access.policy.grantable_by(mine, held_by)
    held = access.actor.permissions(access.place)
    root = any(access.policy.roles[key].root for key in mine if key in access.policy.roles)
    for role in roles:
        if held_by not in role.held_by:
            raise RoleNotGrantable(role.key, f"the role {role.title} is not for {_holder(held_by)}")
        if role.key not in grantable:
            raise RoleNotGrantable(role.key, f"your roles do not let you grant or take away {role.title}")
        beyond = (role.permissions & reachable) - held
        if not root and not all(_held_alike(access, mine, role, key) for key in beyond):
            raise RoleNotGrantable(role.key, f"{role.title} holds permissions that you do not hold yourself")


def _held_alike(access: Access, mine: Iterable[str], role: Role, key: str) -> bool:
    """Held under a guard and passed on under no wider one. What is left to a guard is not among `permissions`."""
    holding = [own for own in map(access.policy.roles.get, mine) if own and key in own.permissions]
    return any(no_wider(role.guards.get(key, PLAIN), own.guards.get(key, PLAIN)) for own in holding)


def refuse_for_kind(policy: Policy, agent_kind: str, roles: Iterable[Role]) -> None:
    """Raises RoleNotGrantable for a role that no agent of this kind can have."""
    kind = policy.agents.get(agent_kind)
    for role in roles:
        if kind is None or role.key not in kind.roles:
            title = kind.title.lower() if kind else "agent of this kind"
            raise RoleNotGrantable(role.key, f"a {title} cannot be given the role {role.title}")


def refuse_together(policy: Policy, roles: Sequence[Role]) -> None:
    """Raises SeparationOfDuty where one holder of all these roles could act against a separation."""
    for rule in policy.separations_broken([role.key for role in roles]):
        raise SeparationOfDuty(tuple(rule.permissions), _clause(rule.because))


def refuse_own_agent(access: Access, agent_id: UUID, changed: Sequence[str]) -> None:
    """Raises RoleNotGrantable where somebody would decide about roles of an agent they belong to."""
    if changed and agent_id in access.actor.agents:
        raise RoleNotGrantable(changed[0], "nobody changes the roles of an agent they belong to")


def step_up(access: Access, roles: Iterable[Role]) -> None:
    """Sensitive roles are granted soon after the password was entered. Raises StepUpRequired."""
    if needs_step_up(roles):
        require_recent(access)


def needs_step_up(roles: Iterable[Role]) -> bool:
    return any(role.sensitive for role in roles)


def _holder(held_by: str) -> str:
    return {"staff": "a practice's own staff", "agent": "outside agents"}[held_by]


def _clause(sentence: str) -> str:
    """A policy author's sentence in the form of a refusal's message."""
    return (sentence[:1].lower() + sentence[1:]).rstrip(".")
