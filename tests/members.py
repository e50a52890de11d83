"""What an agent does about its people, as tests do it, and an engagement in which they can do something."""

from __future__ import annotations

from typing import Any

from models import Agreement
from tests.keys import member_of
from tests.stored import rows
from tests.town import Agency, Client, House, Town

ENGAGED = "... on EngagementSuccess { engagement { id version status blockers { code waitingFor message } } }"
REFUSED = """
... on InvalidInput { field } ... on NotPermitted { permission heldBy { key } } ... on UnknownRole { role didYouMean }
... on EngagementEnded { endReason } ... on StaleVersion { current { version } } ... on RoleNotGrantable { role }
"""
DEPARTED = """
... on MemberSuccess { practicesNotified member { id status } } ... on InvalidInput { field }
... on NotPermitted { permission }
"""
PEOPLE = (
    "query ($id: ID!) { engagement(id: $id) { assignments { assignedAt cap { key } member { id user { name } } } } }"
)
CAN = "query ($id: ID!, $of: ID) { engagement(id: $id) { permissions(memberId: $of) { key } } }"


async def assign(agency: Agency, engagement: dict[str, Any], client: Client | None = None, **typed: Any) -> Any:
    """The admin unless said otherwise; `client` is whose work it is about."""
    typed = {"memberId": await member_of(agency, client), **typed}
    return await agency.admin.do("assignMember", ENGAGED + REFUSED, engagementId=engagement["id"], **typed)


async def unassign(agency: Agency, engagement: dict[str, Any], client: Client | None = None, **typed: Any) -> Any:
    typed = {"memberId": await member_of(agency, client), **typed}
    return await agency.admin.do("unassignMember", ENGAGED + REFUSED, engagementId=engagement["id"], **typed)


async def depart(agency: Agency, client: Client, by: Client | None = None) -> Any:
    return await (by or agency.admin).do("departMember", DEPARTED, memberId=await member_of(agency, client))


async def suspend(client: Client, engagement: dict[str, Any], version: int, **typed: Any) -> Any:
    typed = {"engagementId": engagement["id"], "expectedVersion": version, "reason": "holidays", **typed}
    return await client.do("suspendEngagement", ENGAGED + REFUSED, **typed)


async def resume(client: Client, engagement: dict[str, Any], version: int) -> Any:
    typed = {"engagementId": engagement["id"], "expectedVersion": version}
    return await client.do("resumeEngagement", ENGAGED + REFUSED, **typed)


async def active(town: Town, house: House, agency: Agency, *roles: str) -> dict[str, Any]:
    """An engagement with these roles and, past the API, an agreement in force; nobody is assigned."""
    engagement = await town.engage(house, agency)
    signed: dict[str, Any] = {"agent_signed_at": town.clock.now, "practice_signed_at": town.clock.now}
    signed["effective_on"] = town.clock.now.date()
    await Agreement.create(engagement_id=engagement["id"], basis="baa", **signed)
    done = await house.owner.set_roles(engagement, *roles, acknowledgeWarnings=True)
    assert done["__typename"] == "SetRolesSuccess", done
    return {"id": engagement["id"], "version": done["engagement"]["version"]}


async def works_in(client: Client, engagement: dict[str, Any]) -> list[dict[str, Any]]:
    """Who is assigned, as this person sees it."""
    found: list[dict[str, Any]] = (await client.ask(PEOPLE, id=engagement["id"]))["assignments"]
    return found


async def can(client: Client, engagement: dict[str, Any], member: str | None = None) -> set[str]:
    found = await client.ask(CAN, id=engagement["id"], of=member)
    return {each["key"] for each in found["permissions"]}


async def version(engagement: dict[str, Any]) -> int:
    (row,) = await rows("SELECT version FROM engagements WHERE id = $1", engagement["id"])
    return int(row["version"])
