"""Programs that act for somebody by an API key."""

from __future__ import annotations

from typing import Any

from models import AgentMember
from tests.town import Agency, Client, Town

MADE = "... on ApiKeySuccess { secret apiKey { id clientId prefix label scopes createdAt expiresAt revokedAt } }"
REFUSED = "... on InvalidInput { field } ... on LimitReached { limit } ... on StepUpRequired { maxAgeSeconds }"
KEYS = """query ($id: ID!, $live: Boolean) { agent(id: $id) { apiKeys(live: $live) {
    id prefix clientId lastUsedAt revokedAt member { id user { name } }
} } }"""


async def member_of(agency: Agency, client: Client | None = None) -> str:
    found = await AgentMember.get(agent_id=agency.id, user_id=(client or agency.admin).user_id)
    return str(found.id)


async def create(agency: Agency, *scopes: str, member: Client | None = None, **typed: Any) -> Any:
    """The answer of `createApiKey`, for the admin unless said otherwise."""
    typed = {"label": "Platform", "memberId": await member_of(agency, member), "scopes": list(scopes), **typed}
    return await agency.admin.do("createApiKey", f"{MADE} {REFUSED}", agentId=agency.id, **typed)


async def made(agency: Agency, *scopes: str, member: Client | None = None, **typed: Any) -> dict[str, Any]:
    """A new key: `id`, `secret` and the rest."""
    answer = await create(agency, *scopes, member=member, **typed)
    assert answer["__typename"] == "ApiKeySuccess", answer
    key: dict[str, Any] = answer["apiKey"] | {"secret": answer["secret"]}
    return key


async def rotate(agency: Agency, key: dict[str, Any], **typed: Any) -> Any:
    return await agency.admin.do("rotateApiKey", f"{MADE} {REFUSED}", apiKeyId=key["id"], **typed)


async def revoke(agency: Agency, key: dict[str, Any], **typed: Any) -> Any:
    return await agency.admin.do("revokeApiKey", f"{MADE} {REFUSED}", apiKeyId=key["id"], **typed)


def program(town: Town, secret: str) -> Client:
    """Without a cookie, with this key or access token."""
    client = town.visitor()
    client.http.headers["Authorization"] = f"Bearer {secret}"
    return client


async def status(town: Town, secret: str) -> int:
    """What `{ practices }` answers to whoever shows this."""
    return int((await program(town, secret).send("{ practices { totalCount } }")).status_code)
