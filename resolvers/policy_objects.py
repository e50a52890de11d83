"""The policy's roles and permissions made into the API's objects. They come from no row: nothing is read for them."""

from __future__ import annotations

import strawberry

import schema.policy as api_policy
from authz import policy as rules


def role(found: rules.Role) -> api_policy.Role:
    return api_policy.Role(
        key=strawberry.ID(found.key),
        title=found.title,
        hint=found.hint,
        sensitive=found.sensitive,
        grantable_to_agents="agent" in found.held_by,
    )


def unknown_role(key: str) -> api_policy.Role:
    """A stored grant of a role that the policy no longer has: it gives nothing, and a blocker says so."""
    hint = "The policy no longer has this role."
    return api_policy.Role(key=strawberry.ID(key), title=key, hint=hint, sensitive=False, grantable_to_agents=False)


def permission(found: rules.Permission) -> api_policy.Permission:
    return api_policy.Permission(
        key=strawberry.ID(found.key),
        title=found.title,
        area=found.area,
        sensitivity=found.sensitivity,
        effect=found.effect,
    )
