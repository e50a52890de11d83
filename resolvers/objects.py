"""Rows made into the API's objects: plain fields only, whatever needs another query is an edge.

Objects that fill pages (practices, agents, engagements) make each field when it is asked for; the others at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import orjson
import strawberry

from authz import policy as rules
from authz.life import Life, changes_at, life, runs_until
from authz.training import due_on, is_overdue
from models.memory import hold_until
from operations import spelling
from operations.facts import facts
from schema.agent import Agent, AgentMember, ConnectToken
from schema.api_key import ApiKey
from schema.audit import AuditEvent
from schema.engagement import Blocker, Engagement
from schema.kinds import (
    AgentKind,
    AgentStatus,
    BlockerCode,
    EndReason,
    EngagementStatus,
    MemberStatus,
    Party,
    PracticeKind,
    Purpose,
    ReviewDecision,
    TokenStatus,
)
from schema.node import MADE, Node
from schema.person import StaffMember, Training, User
from schema.practice import Practice
from schema.review import Review

Row: TypeAlias = Mapping[str, Any]

# Looked up, which takes a quarter of the time of a call of the enum.
_AGENT_KINDS = {kind.value: kind for kind in AgentKind}
_PRACTICE_KINDS = {kind.value: kind for kind in PracticeKind}
_PURPOSES = {purpose.value: purpose for purpose in Purpose}
ENGAGEMENT_STATUSES = {status.value: status for status in EngagementStatus}


Made = TypeVar("Made", bound=Node)


def _of_row(kind: type[Made], row: Row) -> Made:
    """An object that has nothing but its row yet; each field is made when it is asked for (`schema/node.py`)."""
    found = kind.__new__(kind)
    found.row = row
    return found


def _made(type_: type[Node], /, **fields: Callable[[Any], Any]) -> None:
    """How the plain fields of objects of this class are made."""
    MADE.update({(type_, name): make for name, make in fields.items()})


@dataclass(frozen=True, slots=True)
class Column:
    """A field that is made of one column of the object's row; None makes it what is stored."""

    name: str
    of: Callable[[Any], Any] | None = None

    def __call__(self, found: Node) -> Any:
        stored = found.row[self.name]
        return stored if self.of is None else self.of(stored)


def user(row: Row) -> User:
    return User(id=_id(row["id"]), row=row, name=row["name"], email=row["email"])


def practice(row: Row) -> Practice:
    return _of_row(Practice, row)


_made(
    Practice,
    id=Column("id", str),
    name=Column("name"),
    kind=Column("kind", _PRACTICE_KINDS.__getitem__),
    incorporated=Column("incorporated"),
)


def staff_member(row: Row, policy: rules.Policy, now: datetime) -> StaffMember:
    return StaffMember(
        id=_id(row["id"]), row=row, active=row["removed_at"] is None, training=_training(row, policy, now.date())
    )


def _training(row: Row, policy: rules.Policy, today: date) -> Training:
    completed = row["training_completed_on"]
    due = due_on(row["added_at"].date(), completed, policy)
    return Training(last_completed_on=completed, due_on=due, overdue=is_overdue(due, today))


def agent(row: Row) -> Agent:
    return _of_row(Agent, row)


def _agent_status(row: Row) -> AgentStatus:
    if row["closed_at"]:
        return AgentStatus.CLOSED
    if row["suspended_at"]:
        return AgentStatus.SUSPENDED
    return AgentStatus.ACTIVE if row["verified_at"] else AgentStatus.REGISTERED


_made(
    Agent,
    id=Column("id", str),
    kind=Column("kind", _AGENT_KINDS.__getitem__),
    legal_name=Column("legal_name"),
    city=Column("city"),
    address=Column("address"),
    phone=Column("phone"),
    email=Column("email"),
    status=lambda found: _agent_status(found.row),
    verified_at=Column("verified_at"),
)


def member(row: Row) -> AgentMember:
    return AgentMember(
        id=_id(row["id"]),
        row=row,
        admin=row["admin"],
        status=_member_status(row),
        last_active_at=row["last_active_at"],
    )


def _member_status(row: Row) -> MemberStatus:
    if row["departed_at"]:
        return MemberStatus.DEPARTED
    if row["suspended_at"]:
        return MemberStatus.SUSPENDED
    return MemberStatus.ACTIVE


def token(row: Row, attempts: int, now: datetime) -> ConnectToken:
    """`attempts`: how many the policy allows."""
    status = _token_status(row, attempts, now)
    return ConnectToken(
        id=_id(row["id"]),
        row=row,
        letters=row["letters"],
        spoken=spelling.spoken(row["letters"]),
        status=status,
        label=row["label"],
        external_ref=row["external_ref"],
        issued_at=row["issued_at"],
        expires_at=row["expires_at"],
        attempts_remaining=max(attempts - row["attempts"], 0) if status is TokenStatus.ISSUED else 0,
    )


def _token_status(row: Row, attempts: int, now: datetime) -> TokenStatus:
    ended = {"consumed": TokenStatus.CONSUMED, "cancelled": TokenStatus.CANCELLED}
    if row["state"] in ended:
        return ended[row["state"]]
    if row["attempts"] >= attempts:
        return TokenStatus.LOCKED
    return TokenStatus.EXPIRED if row["expires_at"] <= now else TokenStatus.ISSUED


# Without the hash of the secret: what is not read cannot be shown.
API_KEY_COLUMNS = """
k.id, k.client_id, k.agent_id, k.member_id, k.label, k.prefix, k.scopes, k.created_at, k.expires_at, k.last_used_at,
k.revoked_at
"""


def api_key(row: Row) -> ApiKey:
    return ApiKey(
        id=_id(row["id"]),
        row=row,
        label=row["label"],
        prefix=row["prefix"],
        client_id=_id(row["client_id"]),
        scopes=[strawberry.ID(scope) for scope in row["scopes"]],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
    )


def engagement(row: Row, policy: rules.Policy, now: datetime) -> Engagement:
    found = _of_row(Engagement, row)
    found.seen = (policy, now)
    return found


def _life(found: Engagement) -> Life:
    """What is made of it is the same until time alone changes it."""
    hold_until(found.until)
    return life(found.facts, *found.seen)


def _runs_until(found: Engagement) -> datetime:
    hold_until(found.until)
    return runs_until(found.facts, *found.seen)


def _blockers(found: Life) -> list[Blocker]:
    return [
        Blocker(
            code=BlockerCode(blocker.code),
            message=blocker.message,
            waiting_for=Party(blocker.waiting_for.value),
            since=blocker.since,
        )
        for blocker in found.blockers
    ]


_made(
    Engagement,
    facts=lambda found: facts(found.row),
    until=lambda found: changes_at(found.facts, *found.seen),
    life=lambda found: _life(found),
    id=Column("id", str),
    purpose=Column("purpose", _PURPOSES.__getitem__),
    status=lambda found: ENGAGEMENT_STATUSES[found.life.status.value],
    blockers=lambda found: _blockers(found.life),
    version=Column("version"),
    started_at=Column("started_at"),
    expires_at=lambda found: _runs_until(found),
    auto_extend=Column("auto_extend"),
    ended_at=lambda found: found.life.ended_at,
    end_reason=lambda found: EndReason(found.life.end_reason) if found.life.end_reason else None,
)


def review(row: Row) -> Review:
    return Review(
        id=_id(row["id"]),
        row=row,
        opened_at=row["opened_at"],
        decided_at=row["decided_at"],
        decision=ReviewDecision(row["decision"]) if row["decision"] else None,
    )


def audit_event(row: Row) -> AuditEvent:
    return AuditEvent(
        id=_id(row["id"]),
        row=row,
        at=row["at"],
        type=row["type"],
        actor=row["actor"],
        party=Party(row["party"]),
        engagement_id=_id(row["engagement_id"]) if row["engagement_id"] else None,
        policy_digest=row["policy_digest"],
        summary=row["summary"],
        before=_json(row["before"]),
        after=_json(row["after"]),
        previous_hash=row["previous_hash"],
        hash=row["hash"],
    )


def _id(value: UUID) -> strawberry.ID:
    return strawberry.ID(str(value))


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) else value
