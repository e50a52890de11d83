"""A small schema behind the real door, for the tests of HTTP itself: no database, no policy, no product."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import strawberry
import uvicorn
from graphql import GraphQLError
from starlette.applications import Starlette

import errors
from resolvers.credential import of_session
from resolvers.execution import ENDED, RequestFacts, Schema
from server.app import create_app
from server.manifest import Entry, id_of
from server.run import configuration
from server.stored import StoredDocuments, compiled
from tests.canary import HOOKS

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
SESSION = "A" * 43
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECRET = "493827165038"
FAULT = ValueError("one exception that several fields meet")


@dataclass
class Context:
    facts: RequestFacts
    actor: str | None
    session_change: Any = None
    policy_digest: str = "0123456789ab"

    @property
    def user_id(self) -> str | None:
        return self.actor


@strawberry.enum
class Kind(Enum):
    ONE = "one"
    OTHER = "other"


@strawberry.type
class Agent:
    name: str = "ACME"

    @strawberry.field
    def practice(self) -> Practice:
        return Practice()

    @strawberry.field
    def tags(self) -> list[Agent]:
        return []


@strawberry.type
class AgentEdge:
    node: Agent


@strawberry.type
class PageInfo:
    has_next_page: bool = False


@strawberry.type
class AgentConnection:
    nodes: list[Agent]
    edges: list[AgentEdge]
    page_info: PageInfo


@strawberry.type
class Practice:
    name: str = "Elm Street"

    @strawberry.field
    def agents(self, first: int | None = None, last: int | None = None) -> AgentConnection:
        return AgentConnection(nodes=[Agent()], edges=[AgentEdge(node=Agent())], page_info=PageInfo())

    @strawberry.field
    def agent(self) -> Agent:
        return Agent()

    @strawberry.field
    def owner_only(self) -> str | None:
        raise errors.NotPermitted("agents.connect", ("owner", "manager"))

    @strawberry.field
    def stale(self) -> str | None:
        raise errors.EngagementEnded(NOW, "REVOKED_BY_PRACTICE")

    @strawberry.field
    def broken(self) -> str | None:
        raise ValueError(f"the value was {SECRET}")

    @strawberry.field
    def broken_too(self) -> str:
        raise GraphQLError(f"a message with {SECRET}")

    @strawberry.field
    def shared(self) -> str | None:
        raise FAULT

    @strawberry.field
    def no_number(self) -> int | None:
        return SECRET + SECRET  # type: ignore[return-value]  # a resolver with a bug


@strawberry.input
class SignInInput:
    email: str
    password: str


@strawberry.type
class Query:
    @strawberry.field
    def practice(self, id: strawberry.ID | None = None) -> Practice:
        return Practice()

    @strawberry.field
    def slow(self, code: str, kind: Kind | None = None, number: int | None = None) -> str:
        return "done"

    @strawberry.field
    def address(self, info: strawberry.Info) -> str:
        facts = info.context.facts
        return f"{facts.address} {facts.now.isoformat()} {facts.request_id}"

    @strawberry.field
    def echo(self, text: str) -> str:
        return text


@strawberry.type
class Mutation:
    @strawberry.mutation
    def sign_in(self, info: strawberry.Info, input: SignInInput) -> str:
        info.context.session_change = SESSION
        return "signed in"

    @strawberry.mutation
    def sign_up(self, input: SignInInput) -> str:
        return "signed up"

    @strawberry.mutation
    def sign_out(self, info: strawberry.Info) -> str:
        info.context.session_change = ENDED
        return "signed out"

    @strawberry.mutation
    def preview_token(self, code: str) -> str:
        return "a card"

    @strawberry.mutation
    def connect_agent(self, code: str) -> str:
        return "connected"


SCHEMA = Schema(Query, Mutation)


async def open_context(facts: RequestFacts) -> Context:
    return Context(facts, "somebody" if facts.credential == of_session(SESSION) else None)


async def all_well() -> Mapping[str, bool]:
    return {"database": True, "policy": True}


def app(**changes: Any) -> Starlette:
    given: dict[str, Any] = {
        "schema": SCHEMA,
        "open_context": open_context,
        "ready": all_well,
        "development": True,
        "clock": lambda: NOW,
    }
    return create_app(**given | changes)


@dataclass
class Caller:
    """Somebody with an HTTP client. Signed in unless said otherwise."""

    client: httpx2.AsyncClient
    cookie: str | None = f"sparekey={SESSION}"
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(
        self, query: str, variables: Any = None, *, accept: str = GRAPHQL, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        return await self.post({"query": query, "variables": variables}, accept=accept, headers=headers)

    async def post(
        self, content: Any, *, accept: str | None = GRAPHQL, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        sent = {"Content-Type": JSON, **self.headers}
        if accept is not None:
            sent["Accept"] = accept
        if self.cookie:
            sent["Cookie"] = self.cookie
        sent |= dict(headers or {})
        if isinstance(content, bytes):
            return await self.client.post("/graphql", content=content, headers=sent)
        return await self.client.post("/graphql", json=content, headers=sent)

    async def get(
        self, parameters: Mapping[str, str] | str, *, accept: str = GRAPHQL, method: str = "GET", **headers: str
    ) -> httpx2.Response:
        """`parameters` as they stand in the address where they are a text; `headers` as `if_none_match=`."""
        text = parameters if isinstance(parameters, str) else urlencode(parameters)
        sent = {"Accept": accept, **self.headers} | ({"Cookie": self.cookie} if self.cookie else {})
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(method, f"/graphql?{text}", headers=sent)


def storing(*texts: str, only: bool = False) -> StoredDocuments:
    entries = [Entry(Path("manifest.json"), id_of(text), text) for text in texts]
    return StoredDocuments(compiled(entries, SCHEMA.graphql_schema), only)


def by_id(text: str, **more: str) -> dict[str, str]:
    """The parameters that ask for a stored document."""
    return {"documentId": id_of(text), **more}


@contextlib.asynccontextmanager
async def door(signed_in: bool = True, **changes: Any) -> AsyncIterator[Caller]:
    transport = httpx2.ASGITransport(app=app(**changes))
    async with httpx2.AsyncClient(transport=transport, base_url="http://sparekey.test", event_hooks=HOOKS) as client:
        production = changes.get("development") is False
        cookie = f"{'__Host-sparekey' if production else 'sparekey'}={SESSION}"
        yield Caller(client, cookie if signed_in else None)


@contextlib.asynccontextmanager
async def served(**changes: Any) -> AsyncIterator[int]:
    """The application behind a real uvicorn. Gives the port."""
    server = uvicorn.Server(configuration(app(**changes), port=0))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


def codes(response: httpx2.Response) -> list[str]:
    return [each["extensions"]["code"] for each in response.json()["errors"]]
