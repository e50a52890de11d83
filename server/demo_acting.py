"""Acting as the demo's people: the proofs that the API would have asked of each of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from authz.actor import Access, Actor, Place
from authz.decide import Seat
from authz.policy import Policy
from models import User
from operations import idempotency

OWNER = Seat("staff", frozenset({"owner"}))
ADMIN = Seat("member", frozenset({"agent_admin"}))
OPERATOR = Seat("platform", frozenset({"operator"}))


@dataclass(frozen=True, slots=True)
class Stage:
    """Under which policy the demo is played, and when."""

    policy: Policy
    now: datetime


def access(
    stage: Stage, user: User, permission: str, place: Place, seat: Seat | None = None, member_id: UUID | None = None
) -> Access:
    """The proof that this person may, given that they sit on this seat at the place."""
    seats = (seat,) if seat else ()
    inside = dict.fromkeys(place.practices, seats) if seat is OWNER else {}
    agents = {place.agent: seats} if place.agent and seat is ADMIN else {}
    members = {place.agent: member_id} if place.agent and member_id else {}
    actor = Actor(
        user.id,
        user.name,
        stage.policy,
        stage.now,
        reauthenticated_at=stage.now,
        own=(Seat("user", frozenset({"account_holder"})), *(seats if seat is OPERATOR else ())),
        practices=inside,
        agents=agents,
        members=members,
    )
    return actor.access(permission, place)


def once(access: Access) -> idempotency.Request:
    return idempotency.Request(access.actor.user_id, access.now)
