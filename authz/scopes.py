"""What an API key can carry: permissions that a member of such an agent can have at all, in whatever role.

Those of the member in the own agent, and those that an engagement may give to an agent of this kind. Nothing of the
person's account is among them: a program does not read who its member is, end their sessions or open practices.
"""

from __future__ import annotations

import difflib

from authz.policy import Policy

LONGEST = 80
ACCOUNT = "account."


def carriable(policy: Policy, agent_kind: str) -> frozenset[str]:
    """The keys of the permissions; of a kind that the policy lost only those of its own account."""
    kind = policy.agents.get(agent_kind)
    found: set[str] = set()
    for role in policy.roles.values():
        if "member" in role.held_by:
            found |= role.permissions
        if kind is not None and "agent" in role.held_by and role.key in kind.roles:
            found |= role.permissions & kind.ceiling
    return frozenset(key for key in found if not key.startswith(ACCOUNT))


def nearest(carried: frozenset[str], name: str) -> str | None:
    """The one whose key looks most like `name`."""
    if len(name) > LONGEST:
        return None
    return next(iter(difflib.get_close_matches(name.strip().lower(), sorted(carried), n=1)), None)
