"""What resolvers work with during one operation: the actor, the policy it began with, and loaders of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from authz.actor import Access, Actor
from authz.life import next_midnight
from authz.policy import Policy
from errors import NotFound
from models.connection import Row, read
from models.memory import hold_until, note, spoil
from models.tenancy import NOBODY, SERVICE, Acting, act_for, acting_for
from operations.last_use import used_by
from operations.passkey_answer import RelyingParty
from operations.session import Visit
from resolvers import edges, objects
from resolvers.actors import SEEN_EVERY, load_actor
from resolvers.credential import Credential, Kind
from resolvers.execution import RequestFacts, SessionChange
from resolvers.executor import Ahead
from resolvers.inforce import InForce
from resolvers.lists import Lists
from resolvers.remembered import Known, Remembered, acting_of
from resolvers.rows import in_order, load_rows, note_rows
from schema.engagement import Engagement
from schema.person import StaffMember
from schema.policy import Role

_CLIENTS = """
SELECT agent_id, array_agg(DISTINCT practice_id) AS practices FROM engagements
WHERE agent_id = ANY ($1) AND practice_id = ANY ($2) GROUP BY agent_id
"""


@dataclass(frozen=True, slots=True)
class Sessions:
    """How long a session lasts without use, and at all. In seconds."""

    idle_seconds: int
    absolute_seconds: int


Stored: TypeAlias = Callable[[str], Awaitable[Policy | None]]  # from a source digest to that set, if it is known
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
    credential: Credential | None = None
    follow: Follow | None = None
    remembered: Remembered | None = None
    mutations: int = 0
    lists: Lists = field(default_factory=Lists)
    rows: dict[str, DataLoader[UUID, Row | None]] = field(default_factory=dict)
    relying_party: RelyingParty | None = None  # whom passkeys are for; None where nobody has said
    stored_policy: Stored | None = None  # sets that were in force earlier
    ahead: Ahead | None = None  # what this operation will ask for below its root fields
    roles: dict[str, Role] = field(default_factory=dict)  # by key, as far as this operation has shown them
    denied: set[tuple[UUID, str]] = field(default_factory=set)  # by practice and permission; noted once a request
    met: dict[tuple[str, UUID], Row] = field(default_factory=dict)  # rows by kind and id that this operation has seen

    @property
    def now(self) -> datetime:
        """What is made of it is not remembered, because nobody says until when it would be the same. Who does takes
        `request.now` and holds the result until then."""
        spoil()
        return self.request.now

    @property
    def user_id(self) -> UUID | None:
        return self.actor.user_id if self.actor else None

    @property
    def policy_digest(self) -> str:
        return self.policy.digest

    @property
    def visit(self) -> Visit:
        asked = self.request
        return Visit(asked.address, asked.browser, self.now, self.policy.digest, self.sessions.absolute_seconds)

    async def edge(self, info: strawberry.Info, root: Any, **arguments: Any) -> Any:
        return await edges.follow(self, info, root, arguments)

    async def row(self, kind: str, key: UUID) -> Row | None:
        """One row by id; all that are asked for at the same moment are one statement."""
        note_rows(kind, (key,))
        if (kind, key) in self.met:
            return self.met[kind, key]
        return await self._loader(kind).load(key)

    async def the(self, kind: str, key: UUID) -> Row:
        """One row that a foreign key or an effect just now says is there. Raises NotFound: it may have been taken from
        the caller's sight since."""
        found = await self.row(kind, key)
        if found is None:
            raise NotFound
        return found

    async def all_the(self, kind: str, keys: Iterable[UUID]) -> Mapping[UUID, Row]:
        """The rows of these ids, each of which is there. Raises NotFound as `the` does."""
        wanted = dict.fromkeys(keys)
        note_rows(kind, wanted)
        missing = [key for key in wanted if (kind, key) not in self.met]
        for key, found in zip(missing, await self._loader(kind).load_many(missing) if missing else (), strict=True):
            if found is None:
                raise NotFound
            self.met[kind, key] = found
        return {key: self.met[kind, key] for key in wanted}

    def engagement(self, row: Row) -> Engagement:
        """An engagement from its row, which has brought those of its agent and its practice.

        Its own changes are noted by whoever found it: by its id, or by the list that it is on.
        """
        note(("agents.id", row["agent_id"]), ("practices.id", row["practice_id"]))
        return objects.engagement(row, self.policy, self.request.now)

    def staff_member(self, row: Row) -> StaffMember:
        """Whether training is due changes with the day."""
        hold_until(next_midnight(self.request.now))
        return objects.staff_member(row, self.policy, self.request.now)

    def _loader(self, kind: str) -> DataLoader[UUID, Row | None]:
        if kind not in self.rows:
            self.rows[kind] = DataLoader(load_fn=lambda keys: load_rows(kind, keys))
        return self.rows[kind]

    async def clients(self, agent_id: UUID) -> frozenset[UUID]:
        """The practices whose staff the caller is and that engaged this agent, now or earlier."""
        if not self._staffed():
            return frozenset()
        if "clients" not in self.rows:
            self.rows["clients"] = DataLoader(load_fn=self._load_clients)
        found = await self.rows["clients"].load(agent_id)
        return frozenset(found["practices"]) if found else frozenset()

    async def begin(self) -> None:
        """Become whoever the request's credential names, from memory where that is known to be true."""
        act_for(NOBODY)
        self.credential = self.request.credential
        if self.credential is None:
            return
        if self.remembered is None or not await self._confirmed(self.remembered):
            await self._become_whoever_is_there()
            return
        if not self.recall():
            self._recognise(await self._recorded(self.remembered, self._name(self.credential)))

    def recall(self) -> bool:
        """Whether somebody could be found in memory, for a request that is confirmed already, without any wait."""
        credential, remembered = self.request.credential, self.remembered
        if credential is None or remembered is None or not self.request.confirmed:
            return False
        self.credential = credential
        return self._recognise(remembered.actors.get(self._name(credential), self.request.now))

    def _recognise(self, known: Known | None) -> bool:
        if known is not None:
            self._use(known.in_force)
            self._become(known.actor.at(self.request.now, self.request.address), known.acting)
            self._note_use(known)
        return known is not None

    def _become(self, actor: Actor | None, acting: Acting) -> None:
        """From here on the database, too, is asked for this person."""
        self.actor = actor
        act_for(acting)

    async def _become_whoever_is_there(self) -> None:
        actor, _ = await self._load_actor()
        self._become(actor, acting_of(actor))

    def _note_use(self, known: Known) -> None:
        """Whatever is answered now may be answered again from memory until the next use has to be written down."""
        if self.remembered is None or not self.request.attended:
            return
        used = used_by(known.actor.session_id, known.actor.api_key_id)
        if used is None:
            return
        if self.request.now - known.seen >= SEEN_EVERY:
            self.remembered.uses.note(*used, self.request.now)
            known.seen = self.request.now
        hold_until(known.seen + SEEN_EVERY)

    def note_role_use(self, access: Access) -> None:
        """What an agent is let through for by one of its roles. An answer from memory is not noted, hence its end."""
        if self.remembered is None or not access.actor.engaged:
            return
        used = access.actor.role_used(access.permission, access.place)
        if used is not None:
            hold_until(self.remembered.role_uses.note(*used, self.request.now))

    def _name(self, credential: Credential) -> tuple[Kind, bytes, bool]:
        """Only the attended one keeps the session alive."""
        return credential.kind, credential.name, self.request.attended

    async def _confirmed(self, remembered: Remembered) -> bool:
        if self.request.confirmed is None:
            self.request = replace(self.request, confirmed=await remembered.confirm())
        return bool(self.request.confirmed)

    async def _recorded(self, remembered: Remembered, name: tuple[Kind, bytes, bool]) -> Known | None:
        with remembered.changes.recorded() as made:
            actor, seen = await self._load_actor()
        if actor is None:
            return None
        known = Known(actor, acting_of(actor), InForce(self.policy, self.policy_activated_at, 0), seen)
        seats = 1 + sum(map(len, (actor.practices, actor.agents)))
        remembered.actors.keep(name, known, made, self.request.now, seats)
        return known

    def _use(self, in_force: InForce) -> None:
        self.policy, self.policy_activated_at, self.follow = in_force.policy, in_force.activated_at, None

    async def sign_in_as(self, credential: Credential | None) -> None:
        """Become whoever shows this; also to see the seats that a change just gave."""
        self.forget()
        self.credential = credential
        await self._become_whoever_is_there()

    async def refresh(self) -> None:
        await self.sign_in_as(self.credential)

    def forget(self) -> None:
        """What was loaded before a change is not what is there after it."""
        self.lists = Lists()
        self.rows = {}
        self.met = {}

    async def _load_actor(self) -> tuple[Actor | None, datetime]:
        """Nobody is known before this, so the service asks. It asks by the credential alone."""
        if self.credential is None:
            return None, self.request.now
        with acting_for(SERVICE):
            found = await load_actor(
                self.credential,
                self._policy_at,
                self.request.now,
                address=self.request.address,
                idle_seconds=self.sessions.idle_seconds,
                attended=self.request.attended,
                uses=self.remembered.uses if self.remembered else None,
            )
        return found or (None, self.request.now)

    async def _policy_at(self, activation: int) -> Policy:
        if self.follow is not None:
            self._use(await self.follow(activation))
        return self.policy

    async def _load_clients(self, agents: list[UUID]) -> list[Row | None]:
        return in_order(agents, await read(_CLIENTS, agents, self._staffed()), "agent_id")

    def _staffed(self) -> list[UUID]:
        """The practices in which the caller has a role on the staff."""
        return [practice for practice in self.actor.practices if self.actor.roles_at(practice)] if self.actor else []


async def open_context(
    request: RequestFacts,
    policy: Policy,
    policy_activated_at: datetime,
    sessions: Sessions,
    follow: Follow | None = None,
    remembered: Remembered | None = None,
    relying_party: RelyingParty | None = None,
) -> Context:
    """The context of a request, with whoever its credential names. Without `follow` the policy is given."""
    context = Context(request, policy, policy_activated_at, sessions, follow=follow, remembered=remembered)
    context.relying_party = relying_party
    await context.begin()
    return context


def context_of(info: strawberry.Info) -> Context:
    context: Context = info.context
    return context
