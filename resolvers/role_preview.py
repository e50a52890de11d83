"""The queries of the roles screen: what to suggest, and what roles would mean before they are set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import UNSET, argument

import limits
from authz.actor import Access
from authz.life import changes_at, life
from authz.role_reach import role_reach
from authz.suggest import suggest
from errors import LimitReached
from models.memory import hold_until, note
from operations.facts import Held, facts
from operations.roles import outlook
from resolvers import places, policy_objects
from resolvers.context import Context, context_of
from resolvers.guard import requires
from schema.kinds import AgentKind
from schema.policy import Permission
from schema.role_preview import RolePreview, RoleSuggestion

Said = Annotated[
    list[str],
    argument(
        description="What the agent is for, in the policy's words (`submit claims`) or by the task's key. Capitals and "
        "spaces do not count; what is mistyped or unknown is told in `because`. At most 20."
    ),
]
Kind = Annotated[
    AgentKind | None,
    argument(description="Only roles that an agent of this kind can have. Left out: roles that any agent can have."),
]
EngagementId = Annotated[strawberry.ID, argument(description="The engagement whose roles would be set.")]
Roles = Annotated[
    list[strawberry.ID], argument(description="The keys of all roles that it would have. Empty: it would have none.")
]
Tasks = Annotated[
    list[str] | None, argument(description="What the agent is for, by key or in the policy's words, as in `setRoles`.")
]


@strawberry.type
class RolePreviewQuery:
    @strawberry.field(
        description="The fewest, least privileged roles that do what an agent is needed for, and why. More than 20 "
        "tasks are an error with the code LIMIT_REACHED.",
        extensions=requires("policy.read"),
    )
    async def suggest_roles(self, access: Access, tasks: Said, agent_kind: Kind = UNSET) -> RoleSuggestion:
        most = limits.of("tasks_named")
        if len(tasks) > most:
            raise LimitReached(most, f"name at most {most} tasks")
        found = suggest(access.policy, tasks, agent_kind.value if agent_kind else None)
        return RoleSuggestion(roles=[policy_objects.role(role) for role in found.roles], because=list(found.because))

    @strawberry.field(
        description="What `setRoles` with exactly these roles would mean. Nothing is written. What `setRoles` would "
        "refuse is an error with the same code: INVALID_INPUT for a role that is named twice or words that are no "
        "task, ENGAGEMENT_ENDED, UNKNOWN_ROLE with `didYouMean`, ROLE_NOT_GRANTABLE for a role that such an agent "
        "cannot have, or that you may not grant or take away, and SEPARATION_OF_DUTY. Who sees the engagement but may "
        "not set its roles, for example one of the agent's people, is told what they would mean, too.",
        extensions=requires("engagements.read", places.engagement),
    )
    async def preview_roles(
        self,
        info: strawberry.Info,
        access: Access,
        engagement_id: EngagementId,
        roles: Roles,
        tasks: Tasks = UNSET,
    ) -> RolePreview:
        held = await _held(context_of(info), access, UUID(engagement_id))
        asked = outlook(access, held, roles, [] if tasks in (None, UNSET) else tasks)
        found = role_reach(access.policy, held.row["agent_kind"], roles, held.life.live_roles)
        return RolePreview(
            will_be_able_to=_shown(access, found.will),
            will_not_be_able_to=_shown(access, found.will_not),
            gained=_shown(access, found.gained),
            lost=_shown(access, found.lost),
            warnings=list(asked.warnings),
            needs_step_up=asked.needs_step_up,
            needs_confirmation=asked.needs_confirmation,
        )


async def _held(context: Context, access: Access, engagement_id: UUID) -> Held:
    """The engagement as a change would find it, read without holding it."""
    row = await context.the("engagement", engagement_id)
    note(("agents.id", row["agent_id"]), ("practices.id", row["practice_id"]))
    stored = facts(row)
    hold_until(changes_at(stored, access.policy, access.now))
    return Held(row, stored.grants, life(stored, access.policy, access.now))


def _shown(access: Access, keys: Iterable[str]) -> list[Permission]:
    return [policy_objects.permission(access.policy.permissions[key]) for key in sorted(keys)]
