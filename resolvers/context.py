"""What resolvers work with during one operation: the actor, the policy it began with, and loaders of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias, cast
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from authz.actor import Actor
from authz.policy import Policy
from models.connection import client
from operations.facts import COLUMNS, TABLES
from operations.session import Visit
from resolvers import edges
from resolvers.actors import load_actor
from resolvers.execution import RequestFacts, SessionChange
from resolvers.lists import Lists, Row

# One statement each, by id. An engagement comes with everything its life depends on.
QUERIES = {
    "user": "SELECT * FROM users WHERE id = ANY ($1)",
    "session": "SELECT * FROM sessions WHERE id = ANY ($1)",
    "practice": "SELECT * FROM practices WHERE id = ANY ($1)",
    "staff": "SELECT * FROM staff_members WHERE id = ANY ($1)",
    "agent": "SELECT * FROM agents WHERE id = ANY ($1)",
    "member": "SELECT * FROM agent_members WHERE id = ANY ($1)",
    "token": "SELECT * FROM connect_tokens WHERE id = ANY ($1)",
    "engagement": f"SELECT {COLUMNS} FROM {TABLES} WHERE e.id = ANY ($1)",  # noqa: S608  (our own text)
    "receipt": "SELECT * FROM revocation_receipts WHERE id = ANY ($1)",
    "audit_event": "SELECT * FROM audit_events WHERE id = ANY ($1)",
}
_CLIENTS = """
SELECT agent_id, array_agg(DISTINCT practice_id) AS practices FROM engagements
WHERE agent_id = ANY ($1) AND practice_id = ANY ($2) GROUP BY agent_id
"""


@dataclass(frozen=True, slots=True)
class Sessions:
    """How long a session lasts without use, and at all. In seconds."""

    idle_seconds: int
    absolute_seconds: int


@dataclass(frozen=True, slots=True)
class InForce:
    """A set, since when it is in force, and the number of the activation that says so."""

    policy: Policy
    activated_at: datetime
    activation: int


Follow: TypeAlias = Callable[[int], Awaitable[InForce]]  # from the number of the newest activation to its set


@dataclass(slots=True)
class Context:
    """One HTTP request's view. `session_change` is what the door makes of the cookie afterwards.

    `follow` is there until the request has seen which set is in force; from then on it keeps that one.
    """

    request: RequestFacts
    policy: Policy
    policy_activated_at: datetime
    sessions: Sessions
    actor: Actor | None = None
    session_change: str | Literal[SessionChange.ENDED] | None = None
    reference: str | None = None
    follow: Follow | None = None
    mutations: int = 0
    lists: Lists = field(default_factory=Lists)
    rows: dict[str, DataLoader[UUID, Row | None]] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.request.now

    @property
    def user_id(self) -> UUID | None:
        return self.actor.user_id if self.actor else None

    @property
    def policy_digest(self) -> str:
        return self.policy.digest

    @property
    def visit(self) -> Visit:
        return Visit(self.request.address, self.now, self.policy.digest, self.sessions.absolute_seconds)

    async def edge(self, info: strawberry.Info, root: Any, **arguments: Any) -> Any:
        return await edges.follow(self, info, root, arguments)

    async def row(self, kind: str, key: UUID) -> Row | None:
        """One row by id; all that are asked for at the same moment are one statement."""
        if kind not in self.rows:
            self.rows[kind] = DataLoader(load_fn=lambda keys: _load_rows(kind, keys))
        return await self.rows[kind].load(key)

    async def the(self, kind: str, key: UUID) -> Row:
        """One row that a foreign key or an effect just now says is there."""
        found = await self.row(kind, key)
        if found is None:
            raise LookupError(f"no {kind} with this id")
        return found

    async def clients(self, agent_id: UUID) -> frozenset[UUID]:
        """The practices whose staff the caller is and that engaged this agent, now or earlier."""
        if "clients" not in self.rows:
            self.rows["clients"] = DataLoader(load_fn=self._load_clients)
        found = await self.rows["clients"].load(agent_id)
        return frozenset(found["practices"]) if found else frozenset()

    async def sign_in_as(self, reference: str | None) -> None:
        """Become whoever holds this reference; also to see the seats that a change just gave."""
        self.forget()
        self.reference = reference
        self.actor = await self._load_actor() if reference else None

    async def refresh(self) -> None:
        await self.sign_in_as(self.reference)

    def forget(self) -> None:
        """What was loaded before a change is not what is there after it."""
        self.lists = Lists()
        self.rows = {}

    async def _load_actor(self) -> Actor | None:
        if self.reference is None:
            return None
        return await load_actor(
            self.reference,
            self._policy_at,
            self.now,
            address=self.request.address,
            idle_seconds=self.sessions.idle_seconds,
            attended=self.request.attended,
        )

    async def _policy_at(self, activation: int) -> Policy:
        if self.follow is not None:
            found = await self.follow(activation)
            self.policy, self.policy_activated_at, self.follow = found.policy, found.activated_at, None
        return self.policy

    async def _load_clients(self, agents: list[UUID]) -> list[Row | None]:
        if self.actor is None:
            return [None for _ in agents]
        staffed = [practice for practice in self.actor.practices if self.actor.roles_at(practice)]
        rows = await client().execute_query_dict(_CLIENTS, [agents, staffed])
        return _in_order(agents, rows, "agent_id")


async def open_context(
    request: RequestFacts,
    policy: Policy,
    policy_activated_at: datetime,
    sessions: Sessions,
    follow: Follow | None = None,
) -> Context:
    """The context of a request, with whoever its session's reference names. Without `follow` the policy is given."""
    context = Context(request, policy, policy_activated_at, sessions, follow=follow)
    await context.sign_in_as(request.session_reference)
    return context


def context_of(info: strawberry.Info) -> Context:
    return cast(Context, info.context)


async def _load_rows(kind: str, keys: list[UUID]) -> list[Row | None]:
    return _in_order(keys, await client().execute_query_dict(QUERIES[kind], [keys]), "id")


def _in_order(keys: list[UUID], rows: Iterable[Row], column: str) -> list[Row | None]:
    found = {row[column]: row for row in rows}
    return [found.get(key) for key in keys]
