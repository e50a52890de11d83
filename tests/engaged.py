"""An engagement as tests look at it: asking for it, confirming its roles, reading what came back."""

from __future__ import annotations

from typing import Any

from tests.town import ROLES_SET, Client, House

ENGAGEMENT = """
query ($id: ID!) {
  engagement(id: $id) {
    status version roles { role { key } status expiresAt grantedAt grantedBy { email } }
    permissions { key } blockers { code waitingFor }
  }
}
"""


async def confirm(client: Client, engagement: dict[str, Any], version: int, **typed: Any) -> Any:
    typed = {"engagementId": engagement["id"], "expectedVersion": version, **typed}
    return await client.do("confirmRoles", ROLES_SET, **typed)


async def look(client: Client, engagement: dict[str, Any]) -> Any:
    return await client.ask(ENGAGEMENT, id=engagement["id"])


async def permissions_of(client: Client, house: House) -> set[str]:
    asked = "query ($id: ID!) { viewer { permissions(practiceId: $id) } }"
    return set((await client.ask(asked, id=house.id))["permissions"])


def statuses(engagement: dict[str, Any]) -> dict[str, str]:
    return {grant["role"]["key"]: grant["status"] for grant in engagement["roles"]}
