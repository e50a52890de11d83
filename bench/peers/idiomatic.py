"""The page as a good team writes it from the documentation of strawberry and Tortoise.

Every relation is a DataLoader of the request, so that a page is five queries whatever its size; parsed and validated
documents are cached; the schema's types hold rows and resolve the rest. Status comes from the same `authz.life`. It
asks nobody who they are, and so does less than Sparekey.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, ValidationCache
from tortoise import timezone
from tortoise.contrib.starlette import RegisterTortoise

import models
from authz.agreement import AgreementFacts
from authz.life import Facts, Grant, grant_status, life
from authz.load import load

POLICY = load(Path(__file__).resolve().parent.parent.parent / "policies")
T = TypeVar("T")


async def load_engagements(practices: list[UUID]) -> list[list[models.Engagement]]:
    """All of a practice's: the page is cut from them, as a loader serves every practice at once."""
    found = await models.Engagement.filter(practice_id__in=practices).order_by("id")
    return _grouped(practices, found, lambda row: row.practice_id)  # type: ignore[attr-defined]  # Tortoise's


async def load_grants(engagements: list[UUID]) -> list[list[models.RoleGrant]]:
    found = await models.RoleGrant.filter(engagement_id__in=engagements, removed_at=None).order_by("role")
    return _grouped(engagements, found, lambda row: row.engagement_id)  # type: ignore[attr-defined]  # Tortoise's


async def load_agreements(engagements: list[UUID]) -> list[list[models.Agreement]]:
    found = await models.Agreement.filter(engagement_id__in=engagements, superseded_at=None).order_by("-id")
    return _grouped(engagements, found, lambda row: row.engagement_id)  # type: ignore[attr-defined]  # Tortoise's


async def load_agents(ids: list[UUID]) -> list[models.Agent]:
    found = await models.Agent.in_bulk(ids, "id")
    return [found[key] for key in ids]


async def load_practices(ids: list[UUID]) -> list[models.Practice | None]:
    found = await models.Practice.in_bulk(ids, "id")
    return [found.get(key) for key in ids]


def _grouped(keys: Sequence[UUID], rows: Sequence[T], key: Callable[[T], UUID]) -> list[list[T]]:
    groups: defaultdict[UUID, list[T]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return [groups[each] for each in keys]


@dataclass
class Loaders:
    """One request's."""

    practices: DataLoader[UUID, models.Practice | None]
    engagements: DataLoader[UUID, list[models.Engagement]]
    agents: DataLoader[UUID, models.Agent]
    grants: DataLoader[UUID, list[models.RoleGrant]]
    agreements: DataLoader[UUID, list[models.Agreement]]


def loaders() -> Loaders:
    return Loaders(
        DataLoader(load_practices),
        DataLoader(load_engagements),
        DataLoader(load_agents),
        DataLoader(load_grants),
        DataLoader(load_agreements),
    )


@strawberry.type
class Role:
    key: strawberry.ID
    title: str


@strawberry.type
class RoleGrant:
    status: str
    role: Role

    @classmethod
    def of(cls, row: models.RoleGrant, now: datetime) -> RoleGrant:
        role = Role(key=strawberry.ID(row.role), title=POLICY.roles[row.role].title)
        return cls(status=grant_status(_grant(row), now), role=role)


@strawberry.type
class Agent:
    id: strawberry.ID
    legal_name: str
    kind: str

    @classmethod
    def of(cls, row: models.Agent) -> Agent:
        return cls(id=strawberry.ID(str(row.id)), legal_name=row.legal_name, kind=row.kind)


@strawberry.type
class Engagement:
    row: strawberry.Private[models.Engagement]
    id: strawberry.ID

    @strawberry.field
    async def status(self, info: strawberry.Info) -> str:
        each: Loaders = info.context["loaders"]
        agent = await each.agents.load(self.row.agent_id)  # type: ignore[attr-defined]  # Tortoise's
        practice = await each.practices.load(self.row.practice_id)  # type: ignore[attr-defined]  # Tortoise's
        grants = await each.grants.load(self.row.id)
        agreements = await each.agreements.load(self.row.id)
        facts = _facts(self.row, agent, practice, grants, agreements)
        return life(facts, POLICY, info.context["now"]).status.value

    @strawberry.field
    async def agent(self, info: strawberry.Info) -> Agent:
        return Agent.of(await info.context["loaders"].agents.load(self.row.agent_id))  # type: ignore[attr-defined]  # Tortoise's

    @strawberry.field
    async def roles(self, info: strawberry.Info) -> list[RoleGrant]:
        now = info.context["now"]
        return [RoleGrant.of(row, now) for row in await info.context["loaders"].grants.load(self.row.id)]


@strawberry.type
class Engagements:
    nodes: list[Engagement]


@strawberry.type
class Practice:
    id: strawberry.ID
    name: str
    kind: str

    @strawberry.field
    async def engagements(self, info: strawberry.Info, first: int = 20) -> Engagements:
        rows = await info.context["loaders"].engagements.load(UUID(self.id))
        return Engagements(nodes=[Engagement(row=row, id=strawberry.ID(str(row.id))) for row in rows[:first]])


@strawberry.type
class Query:
    @strawberry.field
    async def practice(self, info: strawberry.Info, id: strawberry.ID) -> Practice | None:
        row = await info.context["loaders"].practices.load(UUID(id))
        return Practice(id=id, name=row.name, kind=row.kind) if row else None


def _facts(
    row: models.Engagement,
    agent: models.Agent,
    practice: models.Practice | None,
    grants: Sequence[models.RoleGrant],
    agreements: Sequence[models.Agreement],
) -> Facts:
    return Facts(
        started_at=row.started_at,
        expires_at=row.expires_at,
        agent_kind=agent.kind,
        grants=tuple(map(_grant, grants)),
        agreement=_agreement(agreements[0]) if agreements else None,
        suspended_at=row.suspended_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        agent_suspended_at=agent.suspended_at,
        agent_closed_at=agent.closed_at,
        practice_closed_at=practice.closed_at if practice else None,
    )


def _grant(row: models.RoleGrant) -> Grant:
    return Grant(row.role, row.granted_at, row.confirmed_at, row.expires_at)


def _agreement(row: models.Agreement) -> AgreementFacts:
    return AgreementFacts(
        basis=row.basis,
        requested_at=row.requested_at,
        agent_signed_at=row.agent_signed_at,
        practice_signed_at=row.practice_signed_at,
        effective_on=row.effective_on,
        expires_on=row.expires_on,
        waived_at=row.waived_at,
        terminated_at=row.terminated_at,
    )


class Application(GraphQL[Any, Any]):
    async def get_context(self, request: Any, response: Any) -> dict[str, Any]:
        return {"request": request, "response": response, "now": timezone.now(), "loaders": loaders()}


@asynccontextmanager
async def database(app: Starlette) -> AsyncIterator[None]:
    """Tortoise's own client, with as many connections as Sparekey has."""
    async with RegisterTortoise(app, config=_config(os.environ["DATABASE_URL"])):
        yield


def _config(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    credentials = {"user": parts.username, "database": parts.path[1:], **given, "minsize": 2, "maxsize": 16}
    return {
        "connections": {"default": {"engine": "tortoise.backends.asyncpg", "credentials": credentials}},
        "apps": {"models": {"models": ["models"], "default_connection": "default"}},
        "use_tz": True,
        "timezone": "UTC",
    }


async def ready(request: Request) -> Response:
    return Response()


if __name__ == "__main__":
    schema = strawberry.Schema(query=Query, extensions=[ParserCache, ValidationCache])
    graphql = Application(schema, graphql_ide=None)
    app = Starlette(routes=[Route("/graphql", graphql, methods=["POST"]), Route("/", ready)], lifespan=database)
    uvicorn.run(
        app, port=int(os.environ["PORT"]), log_level="warning", access_log=False, loop="uvloop", http="httptools"
    )
