"""Who is asking, where they stand, and the proofs that they may.

An `Actor` is loaded once per request; every question after that is answered in memory. A check hands out a
proof, and the work demands it: `Access` for one place, `Reach` for every place where a permission holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from authz.decide import Decision, Seat, allowed, decide, permissions
from authz.policy import Policy
from errors import NotFound, NotPermitted


@dataclass(frozen=True, slots=True)
class Place:
    """What a question is about: practices, an agent, or (empty) the platform itself.

    `party_only`: only the practice's own staff and the agent's own members see it, so that one outsider never
    learns of another in the same practice.
    """

    practices: frozenset[UUID] = frozenset()
    agent: UUID | None = None
    party_only: bool = False

    @property
    def practice(self) -> UUID:
        """The one practice of a question about a practice or an engagement."""
        (practice,) = self.practices
        return practice


PLATFORM = Place()


@dataclass(frozen=True, slots=True)
class Actor:
    """A person as of one instant, under one policy.

    `own` are seats that hold everywhere (anyone signed in; the platform's operator), `practices` the seats in
    each practice (staff, or through an engagement that has not ended), `agents` the seat in each own agent,
    `members` the membership in each own agent, `engaged` the seats in each practice that an engagement gives, with its
    id. `address` is where the request came from.

    `session_id` is there for a session, `api_key_id` for an API key and its access tokens. `reauthenticated_at` is the
    last proof by password or passkey, or at a trusted issuer that `proves_sign_in`; None for a machine, which has none.
    """

    user_id: UUID
    name: str
    policy: Policy
    now: datetime
    session_id: UUID | None = None
    api_key_id: UUID | None = None
    reauthenticated_at: datetime | None = None
    second_factor: bool = False
    address: str = ""
    own: tuple[Seat, ...] = ()
    practices: Mapping[UUID, tuple[Seat, ...]] = field(default_factory=dict)
    agents: Mapping[UUID, tuple[Seat, ...]] = field(default_factory=dict)
    members: Mapping[UUID, UUID] = field(default_factory=dict)
    engaged: Mapping[UUID, tuple[tuple[Seat, UUID], ...]] = field(default_factory=dict)

    def at(self, now: datetime, address: str) -> Actor:
        """The same person in another request."""
        proof = self.session_id, self.api_key_id, self.reauthenticated_at, self.second_factor
        seats = self.own, self.practices, self.agents, self.members
        return Actor(self.user_id, self.name, self.policy, now, *proof, address, *seats, engaged=self.engaged)

    @property
    def operator(self) -> bool:
        return any(seat.held_by == "platform" for seat in self.own)

    def seats(self, place: Place) -> tuple[Seat, ...]:
        """The seats that count at a place, without those that hold everywhere."""
        seats = [seat for practice in place.practices for seat in self.practices.get(practice, ())]
        if place.party_only:
            seats = [seat for seat in seats if seat.held_by == "staff"]
        if place.agent is not None:
            seats.extend(self.agents.get(place.agent, ()))
        return tuple(seats)

    def decide(self, permission: str, place: Place = PLATFORM) -> Decision:
        return decide(self.policy, self.seats(place) + self.own, permission)

    def access(self, permission: str, place: Place = PLATFORM) -> Access:
        """The proof that this actor holds the permission at this place.

        Refuses, first match wins: NotFound where the actor has no seat at the place (hidden is not
        forbidden, and the platform's operator sees everything), NotPermitted where a seat does not give the permission.
        """
        seats = self.seats(place)
        if not (seats or place == PLATFORM or self.operator):
            raise NotFound
        return self._require(permission, place, seats)

    def require(self, permission: str, place: Place) -> Access:
        """The same proof for a place that the caller is known to see. Raises NotPermitted."""
        return self._require(permission, place, self.seats(place))

    def _require(self, permission: str, place: Place, seats: tuple[Seat, ...]) -> Access:
        if not decide(self.policy, seats + self.own, permission).allowed:
            raise NotPermitted(permission, self._held_by(permission, place))
        return Access(self, permission, place)

    def role_used(self, permission: str, place: Place) -> tuple[UUID, str] | None:
        """The engagement and the role by which this is permitted, where it is an engagement's."""
        given = [pair for practice in place.practices for pair in self.engaged.get(practice, ())]
        if not given or place.party_only:
            return None
        decision = self.decide(permission, place)
        engagement = next((key for seat, key in given if seat is decision.seat), None)
        return None if engagement is None or decision.role is None else (engagement, decision.role)

    def reach(self, permission: str) -> Reach:
        """Every place where this actor holds the permission."""
        if allowed(self.policy, self.own, permission):
            return Reach(self, permission, everywhere=True)
        practices = frozenset(key for key, seats in self.practices.items() if allowed(self.policy, seats, permission))
        agents = frozenset(key for key, seats in self.agents.items() if allowed(self.policy, seats, permission))
        return Reach(self, permission, practices=practices, agents=agents)

    def permissions(self, place: Place) -> frozenset[str]:
        return permissions(self.policy, self.seats(place) + self.own)

    def roles_at(self, practice: UUID) -> frozenset[str]:
        """The staff roles held in a practice: what decides which roles may be granted there. Without the ones that
        wait for a second factor."""
        staff = [seat for seat in self.practices.get(practice, ()) if seat.held_by == "staff"]
        return frozenset().union(*(self._live(seat) for seat in staff))

    def _live(self, seat: Seat) -> frozenset[str]:
        return seat.roles if seat.proven else self.policy.proven(seat.roles)

    @property
    def second_factor_required(self) -> bool:
        """Whether roles of this person give nothing because the sign-in had no second factor."""
        seats = [
            *self.own,
            *(seat for found in (self.practices, self.agents) for each in found.values() for seat in each),
        ]
        return any(self._live(seat) != seat.roles for seat in seats)

    def _held_by(self, permission: str, place: Place) -> tuple[str, ...]:
        """The roles that would give the permission to somebody at this place, the smallest first."""
        kinds = {"platform": True, "staff": bool(place.practices), "member": place.agent is not None}
        holders = {kind for kind, here in kinds.items() if here}
        return tuple(role.key for role in self.policy.roles_holding(permission) if holders.intersection(role.held_by))


@dataclass(frozen=True, slots=True)
class Access:
    """Proof: this actor holds this permission at this place. Only `Actor.access` makes one."""

    actor: Actor
    permission: str
    place: Place

    @property
    def now(self) -> datetime:
        return self.actor.now

    @property
    def policy(self) -> Policy:
        return self.actor.policy


@dataclass(frozen=True, slots=True)
class Reach:
    """Proof: where this actor holds this permission. A list filters by it in SQL, before anything is counted."""

    actor: Actor
    permission: str
    everywhere: bool = False
    practices: frozenset[UUID] = frozenset()
    agents: frozenset[UUID] = frozenset()
