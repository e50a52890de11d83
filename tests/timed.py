"""An engagement in time: renewing it, reviewing it, and coming back later."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.town import Client, House, Town

STANDS = """
id version status expiresAt autoExtend endedAt endReason nextReviewOn blockers { code }
roles { role { key } status expiresAt }
"""
ANSWER = f"""
... on EngagementSuccess {{ engagement {{ {STANDS} }} }} ... on InvalidInput {{ field }}
... on RoleNotGrantable {{ role }} ... on UnknownRole {{ role didYouMean }} ... on StepUpRequired {{ maxAgeSeconds }}
... on StaleVersion {{ current {{ version }} }} ... on EngagementEnded {{ endReason endedAt }}
"""
REVIEW = "id openedAt decidedAt decision dueOn overdue engagement { id } evidence { role { key } lastUsedAt }"


async def look(client: Client, engagement: dict[str, Any]) -> Any:
    return await client.ask(f"query ($id: ID!) {{ engagement(id: $id) {{ {STANDS} }} }}", id=engagement["id"])


async def renew(client: Client, engagement: dict[str, Any], expires_at: str, **typed: Any) -> Any:
    typed = {"expectedVersion": engagement["version"], **typed}
    return await client.do("renewEngagement", ANSWER, engagementId=engagement["id"], expiresAt=expires_at, **typed)


async def reviews(client: Client, house: House, **asked: Any) -> Any:
    """The open ones; the decided ones with `open=False`."""
    document = f"query ($id: ID!, $open: Boolean) {{ practice(id: $id) {{ reviews(open: $open) {{ {REVIEW} }} }} }}"
    return (await client.ask(document, id=house.id, **{"open": True, **asked}))["reviews"]


async def decide(client: Client, review: dict[str, Any], decision: str, *roles: Any, **typed: Any) -> Any:
    named = [{"role": role} if isinstance(role, str) else role for role in roles]
    if named or decision == "REDUCE":
        typed["roles"] = named
    return await client.do("decideReview", ANSWER, reviewId=review["id"], decision=decision, **typed)


async def at(town: Town, instant: str, client: Client) -> Client:
    """The same person, signed in again at that instant: sessions do not last that long."""
    town.clock.now = datetime.fromisoformat(instant).astimezone(UTC)
    return await town.person(client.email)
