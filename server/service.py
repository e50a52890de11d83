"""The running service: the policy it follows, the database it opens and closes, the contexts it hands out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette

from models import freshness
from models.connection import connect, disconnect
from models.migrate import is_current
from models.tenancy import SERVICE, acting_for
from models.unit_of_work import settle
from operations import pepper, stretching
from operations import policy as activations
from resolvers.context import Context, Sessions
from resolvers.execution import RequestFacts
from resolvers.remembered import Remembered
from resolvers.schema import schema
from server import stored
from server.app import create_app
from server.demo import load_demo
from server.http_errors import Code, RequestRejected
from server.metrics import Metrics
from server.policy_compiler import SoundSet, sound_set
from server.policy_folder import PolicyFolder
from server.public_url import relying_party
from server.reload import CONFIRM_SECONDS, Follower, Unconfirmed, unreachable
from server.settings import Settings
from server.sweeping import sweep_now_and_then

if TYPE_CHECKING:
    from server.issuers import TrustedIssuers

UNCONFIRMED = "this worker cannot confirm which policy is in force; try again"
SETTLE_SECONDS = 0.5  # requests have been waited for already; see server/run.py
LOGGER = logging.getLogger("sparekey.policy")


class Service:
    """What lives as long as the process. `clock` gives aware UTC times, `first` is the set of the policy folder."""

    def __init__(self, settings: Settings, url: str, clock: Callable[[], datetime], first: SoundSet) -> None:
        self.settings = settings
        self.url = url
        self.clock = clock
        self.first = first
        self.sessions = Sessions(settings.session_idle_seconds, settings.session_absolute_seconds)
        self.metrics = Metrics()
        self.follower = Follower(first.policy, clock(), self.metrics)
        self.folder = PolicyFolder(
            settings.policies, self.follower, clock, self.metrics, activates=settings.development
        )
        self.remembered = Remembered(url)
        self.issuers = _trusted(settings)
        self.relying_party = relying_party(settings.public_url)
        self.warm_up: asyncio.Task[None] | None = None
        self.pruning: asyncio.Task[None] | None = None
        self.sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the database, bring it up to date, agree on the policy in force, and fill an empty one for a demo."""
        pepper.use(self.settings.pepper)
        await connect(self.url, minsize=self.settings.pool_min, maxsize=self.settings.pool_max)
        await self._agree()
        if self.settings.development:
            with acting_for(SERVICE):
                await load_demo(self.follower.in_force.policy, self.clock())
        self.follower.listen()
        self.folder.start()
        if self.issuers is not None:
            self.issuers.start(self.clock())
        self.warm_up = asyncio.create_task(stretching.warm_up())
        self.pruning = asyncio.create_task(freshness.prune_now_and_then())
        self.sweeping = asyncio.create_task(sweep_now_and_then(lambda: self.follower.in_force.policy, self.clock))

    async def _agree(self) -> None:
        """In development the folder's set comes into force. In production the one in force stays, if there is one
        whose files are known; the folder's is what a first start begins with."""
        newest = await activations.newest()
        known = newest is not None and await activations.files_of(newest.source_digest) is not None
        if self.settings.development or not known or (newest and newest.source_digest == self.first.source_digest):
            await self._activate_the_first()
        await self.follower.catch_up()
        in_force = self.follower.in_force
        if in_force.activation == 0:
            raise RuntimeError("the policy in force cannot be loaded; the reason is logged above")
        if in_force.policy.digest != self.first.policy.digest:
            digest = in_force.policy.digest
            LOGGER.warning("in force is the policy %s, not the folder's: see `sparekey policy plan`", digest)

    async def _activate_the_first(self) -> None:
        policy = self.first.policy
        await activations.store(policy, self.first.files, self.clock())
        await activations.activate(policy, "server start", self.clock())

    async def stop(self) -> None:
        """Let what was accepted finish, then close the database."""
        for task in (self.pruning, self.sweeping):
            if task is not None:
                task.cancel()
        if self.issuers is not None:
            await self.issuers.stop()
        await self.remembered.close()
        await self.folder.stop()
        await settle(SETTLE_SECONDS)
        await self.follower.stop()
        await disconnect()

    async def open_context(self, request: RequestFacts) -> Context:
        """Refuses with 503 where this worker cannot confirm in time which set is in force."""
        if self.issuers is not None:
            request = await self.issuers.renewed(request)
        known = self.follower.in_force
        begun = request, known.policy, known.activated_at, self.sessions
        context = Context(*begun, follow=self.follower.at, remembered=self.remembered)
        context.relying_party = self.relying_party
        context.stored_policy = self.follower.stored
        if context.recall():
            return context
        try:
            asked = freshness.TIMEOUT if request.confirmed is False else 0  # the database, once, in vain
            async with asyncio.timeout(CONFIRM_SECONDS - asked):
                await context.begin()
                if self.issuers is not None:
                    await self.issuers.welcome(context)
            return context
        except Exception as fault:
            if isinstance(fault, Unconfirmed) or unreachable(fault):
                raise RequestRejected(503, Code.BUSY, UNCONFIRMED, Retry_After="1") from None
            raise

    async def ready(self) -> Mapping[str, bool]:
        newest = await activations.newest()
        agreed = newest is not None and newest.number <= self.follower.in_force.activation
        return {"database": True, "migrations": await is_current(), "policy": agreed}


def _trusted(settings: Settings) -> TrustedIssuers | None:
    """Imported only where somebody is trusted: its libraries take 50 ms."""
    if not settings.issuers:
        return None
    from server.issuers import TrustedIssuers

    return TrustedIssuers(settings.issuers, https_only=not settings.development)


def build(settings: Settings, url: str, clock: Callable[[], datetime]) -> Starlette:
    """The application. Raises PolicyRejected and ManifestRejected before anything is opened."""
    documents = stored.load(settings.documents, schema.graphql_schema, only=settings.documents_only)
    service = Service(settings, url, clock, sound_set(settings.policies))
    return create_app(
        schema=schema,
        open_context=service.open_context,
        ready=service.ready,
        development=settings.development,
        graphiql=settings.graphiql,
        origins=settings.origins,
        session_absolute_seconds=settings.session_absolute_seconds,
        stored=documents,
        clock=clock,
        metrics=service.metrics,
        remembered=service.remembered,
        issuers=service.issuers,
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
