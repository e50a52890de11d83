"""Mutations about API keys, and the fields that lead to them."""

from __future__ import annotations

from uuid import UUID

import strawberry

from authz.actor import Access
from models.connection import Row
from operations import api_key
from resolvers import objects, places
from resolvers.answers import known, repeatable
from resolvers.context import Context, context_of
from resolvers.edges import edge, to_one
from resolvers.guard import requires
from resolvers.lists import Condition, Listing, Selection
from resolvers.paging import Cut
from schema.agent import Agent, AgentMember
from schema.api_key import (
    ApiKey,
    ApiKeyResult,
    ApiKeySuccess,
    CreateApiKeyInput,
    RevokeApiKeyInput,
    RotateApiKeyInput,
)

KEYS = Listing("api_keys", objects.API_KEY_COLUMNS, "api_keys k", "k.id", "k.agent_id")
MOST_KEYS = 100  # the newest ones, which all live ones are among: twice `api_clients_per_agent`


def _member(context: Context, row: Row) -> AgentMember:
    return objects.member(row)


to_one(ApiKey, "member", "member", "member_id", _member)


@edge(Agent, "api_keys")
async def api_keys(context: Context, agent: Agent, live: bool | None) -> list[ApiKey]:
    """Newest first. Live ones are those that are neither revoked nor expired."""
    usable = Condition("k.revoked_at IS NULL AND k.expires_at > %s", (context.now,))
    selection = Selection(KEYS, UUID(agent.id), () if live is False else (usable,))
    newest = await context.lists.page(selection, Cut(MOST_KEYS, backwards=True, after=None, before=None))
    return [objects.api_key(row) for row in reversed(newest.rows)]


@strawberry.type
class ApiKeyMutation:
    @strawberry.mutation(
        description="Make a key by which a program acts for one of the agent's people. It is shown once, in this "
        "answer. Needs a recent password; a key cannot make keys.",
        extensions=requires("api_keys.manage", places.agent),
    )
    async def create_api_key(self, info: strawberry.Info, access: Access, input: CreateApiKeyInput) -> ApiKeyResult:
        made = await api_key.create_api_key(access, input, repeatable(info, access, input))
        return await _answer(info, made.api_key_id, made.text)

    @strawberry.mutation(
        description="Make a second key of the same client, member and scopes. Put it where the old one is, then revoke "
        "the old one: at most two are live. Needs a recent password.",
        extensions=requires("api_keys.manage", places.api_key),
    )
    async def rotate_api_key(self, info: strawberry.Info, access: Access, input: RotateApiKeyInput) -> ApiKeyResult:
        made = await api_key.rotate_api_key(access, known(input.api_key_id), input, repeatable(info, access, input))
        return await _answer(info, made.api_key_id, made.text)

    @strawberry.mutation(
        description="End a key, and every access token that was given for it, at once and for good. One that is "
        "revoked already stays as it is.",
        extensions=requires("api_keys.manage", places.api_key),
    )
    async def revoke_api_key(self, info: strawberry.Info, access: Access, input: RevokeApiKeyInput) -> ApiKeyResult:
        key = await api_key.revoke_api_key(access, known(input.api_key_id), repeatable(info, access, input))
        return await _answer(info, key, None)


async def _answer(info: strawberry.Info, key: UUID, secret: str | None) -> ApiKeySuccess:
    return ApiKeySuccess(api_key=objects.api_key(await context_of(info).the("api_key", key)), secret=secret)
