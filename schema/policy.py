"""Permissions and roles as the active policy defines them, for screens that explain access."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field

from schema.edges import edge


@strawberry.type(description="One thing that can be allowed, for example `claims.submit`.")
class Permission:
    key: strawberry.ID = field(description="Its name in the policy, in `@requires` and in audit events.")
    title: str = field(description="What it lets somebody do, in plain words: `Submit and correct claims`.")
    area: str = field(description="The part of the practice it belongs to, for grouping: `billing`.")
    sensitivity: str = field(
        description="What it exposes, from least to most: `none`, `contact`, `financial`, `clinical`, `restricted`."
    )
    effect: str = field(description="What it does to data: `read`, `write`, `destructive` or `admin`.")


@strawberry.type(description="A named set of permissions that can be granted to staff, to agents, or to both.")
class Role:
    key: strawberry.ID = field(description="Its name in the policy, which inputs take: `biller`.")
    title: str = field(description="Its name for people: `Biller`.")
    hint: str = field(
        description="One or two sentences on whom it is for and what it leaves out; empty if the policy gives none."
    )
    sensitive: bool = field(
        description="Whether granting it takes a recent `reauthenticate`, and the owner's confirmation unless the "
        "owner grants it."
    )
    grantable_to_agents: bool = field(
        description="Whether an outside agent can hold it at all. The agent's kind narrows this further."
    )
    includes: list[Role] = edge("The roles whose permissions it takes in; empty for most.")
    permissions: list[Permission] = edge(
        "Everything it holds, included roles counted in. An outsider's ceiling takes some of it away: see "
        "`Engagement.permissions`."
    )


@strawberry.type(description="The set of rules in force: who may do what.")
class Policy:
    name: str = field(description="The name of the set.")
    version: str = field(description="Its version, for people: `2026.11.0`.")
    digest: str = field(
        description="What identifies its meaning: 12 hexadecimal digits. Audit events carry it; a reworded title "
        "does not move it."
    )
    activated_at: datetime = field(description="Since when it is in force.")
    permissions: list[Permission] = edge("All permissions there are, by key.")
    roles: list[Role] = edge("All roles there are, by key.")
