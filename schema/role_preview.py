"""The roles screen: which roles are enough for what an agent is for, and what roles would mean before they are set."""

from __future__ import annotations

import strawberry
from strawberry import field

from schema.policy import Permission, Role


@strawberry.type(description="The roles that are enough for the tasks that were named. A proposal: nothing is granted.")
class RoleSuggestion:
    roles: list[Role] = field(
        description="The least privileged roles that together do all that was understood, as few as that takes; "
        "sensitive ones only where nothing else does it. Empty when nothing was understood."
    )
    because: list[str] = field(
        description="Plain sentences to show: which role for which task and why not a bigger one, what was mistyped "
        "(`did you mean`), and what was not understood, with what can be named."
    )


@strawberry.type(
    description="What `setRoles` with exactly these roles would mean, to show before it is done. The lists of "
    "permissions tell what the roles mean: as if the agreement were in force and the owner had confirmed them. A role "
    "that the engagement has keeps its end."
)
class RolePreview:
    will_be_able_to: list[Permission] = field(
        description="What the agent will be able to do, by key, its ceiling counted in: what `Engagement.permissions` "
        "will say once nothing else is missing. What a role gives only under a condition (refunds up to an amount) is "
        "neither here nor in `willNotBeAbleTo`."
    )
    will_not_be_able_to: list[Permission] = field(
        description="What is worth knowing that it will not: what other roles that such an agent can have would give, "
        "and what these roles give to staff but its ceiling takes away. By key."
    )
    gained: list[Permission] = field(
        description="What it will be able to do and cannot with the roles that count at present. Roles that wait for "
        "the owner or have lapsed do not count."
    )
    lost: list[Permission] = field(
        description="What it can do with the roles that count at present and will not be able to any more."
    )
    warnings: list[str] = field(
        description="What `setRoles` would want to have acknowledged (`acknowledgeWarnings`), word for word: sensitive "
        "roles, roles broader than the tasks, a recommended agreement that is not in force. Only about roles that give "
        "more than before."
    )
    needs_step_up: bool = field(
        description="Whether a sensitive role is granted or confirmed: then `setRoles` wants a recent `reauthenticate`."
    )
    needs_confirmation: bool = field(
        description="Whether a sensitive role among them would wait for the owner (`confirmRoles`) because you are not "
        "the owner. Until then it gives nothing."
    )
