"""What mutations share: which request is repeated, and the objects they answer with."""

from __future__ import annotations

import dataclasses
import enum
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from authz.actor import Access
from models.identifier import parse
from operations import wording
from operations.idempotency import Request, request
from resolvers import objects
from resolvers.context import Context, context_of
from schema.agent import Agent, AgentMember, ConnectToken
from schema.engagement import Engagement
from schema.engagement_result import EngagementSuccess
from schema.person import StaffMember
from schema.practice import Practice


def repeatable(info: strawberry.Info, access: Access, typed: Any) -> Request:
    """The call as its idempotency key identifies it. Raises InvalidInput for a malformed key."""
    content = plain(dataclasses.asdict(typed))
    key = wording.idempotency_key(content.pop("idempotency_key", None))
    return request(access.actor.user_id, access.now, info.field_name, key, content)


def plain(value: Any) -> Any:
    """An input as JSON values, in one spelling."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return value.name
    return value.isoformat() if isinstance(value, datetime) else value


def known(typed: str) -> UUID:
    """An id that the guard has found."""
    found = parse(typed)
    if found is None:
        raise LookupError("the guard let a malformed id through")
    return found


async def engagement(context: Context, key: UUID) -> Engagement:
    return context.engagement(await context.the("engagement", key))


async def practice(context: Context, key: UUID) -> Practice:
    return objects.practice(await context.the("practice", key))


async def staff(context: Context, key: UUID) -> StaffMember:
    return context.staff_member(await context.the("staff", key))


async def agent(context: Context, key: UUID) -> Agent:
    return objects.agent(await context.the("agent", key))


async def member(context: Context, key: UUID) -> AgentMember:
    return objects.member(await context.the("member", key))


async def token(context: Context, key: UUID) -> ConnectToken:
    return objects.token(await context.the("token", key), context.policy.tokens.attempts, context.now)


async def changed(info: strawberry.Info, key: UUID) -> EngagementSuccess:
    """What every change of an engagement answers: the engagement as it is after it."""
    return EngagementSuccess(engagement=await engagement(context_of(info), key))
