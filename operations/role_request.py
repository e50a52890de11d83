"""An agent asks a practice for other roles. It is a wish: nothing is granted until the practice sets roles itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from authz.actor import Access
from authz.policy import Role
from errors import EngagementEnded, InvalidInput
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import engagement_change, wording
from operations.facts import Held, hold
from operations.granting import known_roles, refuse_for_kind
from operations.idempotency import Answer, Request, once

if TYPE_CHECKING:
    from schema.people import RequestRolesInput

ANSWERED: Mapping[str, Any] = {
    "requested_roles": None,
    "request_reason": None,
    "requested_at": None,
    "requested_by_id": None,
}


async def request_roles(access: Access, engagement_id: UUID, typed: RequestRolesInput, request: Request) -> UUID:
    """Record which roles the agent wishes to have here, in place of an earlier wish. The same again changes nothing.

    Refuses, first match wins: IdempotencyConflict, InvalidInput, UnknownRole, NotFound, EngagementEnded,
    RoleNotGrantable (a role that no agent of this kind can have).
    """

    async def work(connection: Connection) -> Answer:
        reason = wording.text("reason", typed.reason, 500)
        if not typed.roles:
            raise InvalidInput("roles", "name at least one role; to have none, leave the practice")
        roles = known_roles(access.policy, typed.roles)
        held = await hold(connection, access, engagement_id)
        _refuse(access, held, roles)
        wish = {"roles": sorted(role.key for role in roles), "reason": reason}
        if wish != _standing(held):
            await _record(connection, access, held, wish)
        answer = {"engagement": str(engagement_id)}
        await request.remember(connection, answer)
        return answer

    await once(request, lambda: unit_of_work(work))
    return engagement_id


def _refuse(access: Access, held: Held, roles: Sequence[Role]) -> None:
    if held.life.ended_at:
        raise EngagementEnded(held.life.ended_at, held.life.end_reason or "expired")
    refuse_for_kind(access.policy, held.row["agent_kind"], roles)


def _standing(held: Held) -> dict[str, Any]:
    return {"roles": held.row["requested_roles"], "reason": held.row["request_reason"]}


async def _record(connection: Connection, access: Access, held: Held, wish: Mapping[str, Any]) -> None:
    columns = {
        "requested_roles": wish["roles"],
        "request_reason": wish["reason"],
        "requested_at": access.now,
        "requested_by_id": access.actor.user_id,
    }
    titles = ", ".join(access.policy.roles[key].title for key in wish["roles"])
    before = _standing(held) if held.row["requested_roles"] else None
    summary = f"{held.row['agent_legal_name']} asks for roles: {titles}"
    await engagement_change.change(
        connection, access, held, "engagement.roles_requested", summary, before=before, after=wish, columns=columns
    )
