"""The running service: the policy it follows, the database it opens and closes, the contexts it hands out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from starlette.applications import Starlette

from authz.load import load
from authz.policy import Policy
from models import PolicyActivation
from models.connection import client, connect, disconnect
from models.migrate import is_current, migrate
from models.unit_of_work import settle
from operations import pepper, stretching
from resolvers.context import Context, Sessions, open_context
from resolvers.execution import RequestFacts
from resolvers.schema import schema
from server.app import create_app
from server.demo import load_demo
from server.settings import Settings


@dataclass(slots=True)
class Service:
    """What lives as long as the process. `clock` gives aware UTC times."""

    settings: Settings
    url: str
    clock: Callable[[], datetime]
    policy: Policy
    activated_at: datetime = field(init=False)
    warm_up: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the database, bring it up to date, say which policy is in force, and fill an empty one for a demo."""
        pepper.use(self.settings.pepper)
        await connect(self.url, minsize=self.settings.pool_min, maxsize=self.settings.pool_max)
        await migrate()
        self.activated_at = await activate(self.policy, self.clock())
        if self.settings.development:
            await load_demo(self.policy, self.clock())
        self.warm_up = asyncio.create_task(stretching.warm_up())

    async def stop(self) -> None:
        """Let what was accepted finish, then close the database."""
        await settle()
        await disconnect()

    async def open_context(self, request: RequestFacts) -> Context:
        sessions = Sessions(self.settings.session_idle_seconds, self.settings.session_absolute_seconds)
        return await open_context(request, self.policy, self.activated_at, sessions)

    async def ready(self) -> Mapping[str, bool]:
        await client().execute_query_dict("SELECT 1")
        return {"database": True, "migrations": await is_current(), "policy": bool(self.policy.digest)}


async def activate(policy: Policy, now: datetime) -> datetime:
    """Since when this policy is in force; written down where it is not the one that was."""
    newest = await PolicyActivation.all().order_by("-activated_at").first()
    if newest is not None and newest.digest == policy.digest:
        return newest.activated_at
    activation = await PolicyActivation.create(
        digest=policy.digest,
        source_digest=policy.source_digest,
        name=policy.name,
        version=policy.version,
        activated_at=now,
    )
    return activation.activated_at


def build(settings: Settings, url: str, clock: Callable[[], datetime]) -> Starlette:
    """The application. Raises authz.check.PolicyRejected before anything is opened."""
    service = Service(settings, url, clock, load(settings.policies))
    return create_app(
        schema=schema,
        open_context=service.open_context,
        ready=service.ready,
        development=settings.development,
        graphiql=settings.graphiql,
        origins=settings.origins,
        session_absolute_seconds=settings.session_absolute_seconds,
        clock=clock,
        lifespan=_lifespan(service),
    )


def _lifespan(service: Service) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    return lifespan
