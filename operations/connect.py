"""Connecting an agent: seeing whose token it is, and saying yes to exactly that agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from authz.actor import Access
from errors import (
    AgentConfirmationMismatch,
    AlreadyEngaged,
    NotFound,
    TokenRejected,
    UseStaffAccountInstead,
)
from models.connection import Connection, client
from models.identifier import parse, uuid7
from models.tenancy import SERVICE, acting_for
from models.unit_of_work import unit_of_work
from operations.engagement_change import all_happened, happened
from operations.idempotency import Answer, Request, once
from operations.lapse import close_lapsed, hold_lapsed
from operations.record import About, Event, who
from operations.redeem import Token, verified_token
from operations.renewal import chosen_end
from operations.review import open_review

if TYPE_CHECKING:
    from schema.inputs import ConnectAgentInput, PreviewTokenInput

NEXT_STEP = "choose the roles the agent needs; until then it can do nothing"

_CARD = """
SELECT a.*, (SELECT count(*) FROM engagements e
    WHERE e.agent_id = a.id AND e.ended_at IS NULL AND (e.auto_extend OR e.expires_at > $2)) AS practice_count
FROM agents a WHERE a.id = $1 AND a.verified_at IS NOT NULL AND a.suspended_at IS NULL AND a.closed_at IS NULL
"""
_ACTIVE_AGENT = """
SELECT id, kind, legal_name FROM agents
WHERE id = $1 AND verified_at IS NOT NULL AND suspended_at IS NULL AND closed_at IS NULL FOR SHARE
"""
_PRACTICE = "SELECT id, kind FROM practices WHERE id = $1 AND closed_at IS NULL FOR SHARE"
_CONSUME = """
UPDATE connect_tokens SET state = 'consumed', ended_at = $2
WHERE id = $1 AND state = 'issued' AND expires_at > $2 RETURNING id
"""
_PREVIOUS = """
SELECT id FROM engagements WHERE practice_id = $1 AND agent_id = $2 AND ended_at IS NOT NULL
ORDER BY ended_at DESC LIMIT 1
"""
_START = """
INSERT INTO engagements
    (id, practice_id, agent_id, purpose, external_ref, started_at, started_by_id, expires_at, previous_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (practice_id, agent_id) WHERE ended_at IS NULL DO NOTHING RETURNING id
"""
_STANDING = "SELECT id FROM engagements WHERE practice_id = $1 AND agent_id = $2 AND ended_at IS NULL"
_LINK = "UPDATE connect_tokens SET engagement_id = $2 WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Preview:
    """Whose token it is: the agent's row with `practice_count`, and the advice connecting would refuse with."""

    agent: Mapping[str, Any]
    advice: UseStaffAccountInstead | None


async def preview_token(access: Access, typed: PreviewTokenInput) -> Preview:
    """Show who issued a token, without connecting anybody.

    Refuses, first match wins: RateLimited, CheckDigitMismatch, TokenRejected.
    """
    token = await verified_token(access, typed.letters, typed.code)
    with acting_for(SERVICE):  # how many practices an agent serves is counted past them all; none is named
        agents = await client().execute_query_dict(_CARD, [token["agent_id"], access.now])
    practices = await client().execute_query_dict(_PRACTICE, [access.place.practice])
    if not agents or not practices:
        raise TokenRejected
    return Preview(agents[0], advice(access, practices[0]["kind"], agents[0]["kind"]))


async def connect_agent(access: Access, typed: ConnectAgentInput, request: Request) -> UUID:
    """Turn a token read out over the phone into an engagement that grants nothing yet. Returns its id.

    Refuses, first match wins: IdempotencyConflict, InvalidInput, RateLimited, CheckDigitMismatch, TokenRejected,
    AgentConfirmationMismatch, UseStaffAccountInstead, AlreadyEngaged. The token is used up only by a success.
    """

    async def act() -> Answer:
        expires_at = _expiry(access, typed.expires_at)
        token = await verified_token(access, typed.letters, typed.code)
        if parse(typed.confirm_agent_id) != token["agent_id"]:
            raise AgentConfirmationMismatch
        return await unit_of_work(lambda connection: _connect(connection, access, typed, request, token, expires_at))

    answer = await once(request, act)
    return UUID(answer["engagement"])


def advice(access: Access, practice_kind: str, agent_kind: str) -> UseStaffAccountInstead | None:
    """The policy's redirect for this pair, as the refusal that tells what to do instead."""
    for redirect in access.policy.redirects:
        if (redirect.practice_kind, redirect.agent_kind) == (practice_kind, agent_kind):
            next_step = "add them on the staff page; no agreement is needed, but HIPAA training falls due"
            return UseStaffAccountInstead(next_step, training_required=True, override_with="notMyEmployee")
    return None


async def _connect(
    connection: Connection,
    access: Access,
    typed: ConnectAgentInput,
    request: Request,
    token: Token,
    expires_at: datetime,
) -> Answer:
    agent = await _agent_to_connect(connection, access, token, override=bool(typed.not_my_employee))
    lapsed = await hold_lapsed(connection, access.place.practice, agent["id"], access.policy, access.now)
    if not await connection.execute_query_dict(_CONSUME, [token["id"], access.now]):
        raise TokenRejected
    await _close(connection, access, lapsed)
    engagement_id = await _start(connection, access, agent, typed.purpose.value, token["external_ref"], expires_at)
    await open_review(connection, engagement_id, access.now)
    await connection.execute_query_dict(_LINK, [token["id"], engagement_id])
    await _record_start(connection, access, agent, engagement_id, typed, expires_at)
    answer = {"engagement": str(engagement_id)}
    await request.remember(connection, answer)
    return answer


async def _agent_to_connect(
    connection: Connection, access: Access, token: Token, *, override: bool
) -> Mapping[str, Any]:
    """The agent and the practice as they are now, locked against closing until this commits."""
    agents = await connection.execute_query_dict(_ACTIVE_AGENT, [token["agent_id"]])
    practices = await connection.execute_query_dict(_PRACTICE, [access.place.practice])
    if not practices:
        raise NotFound
    if not agents:
        raise TokenRejected
    refusal = advice(access, practices[0]["kind"], agents[0]["kind"])
    if refusal and not override:
        raise refusal
    return agents[0]


async def _close(connection: Connection, access: Access, lapsed: Sequence[UUID]) -> None:
    """An engagement whose grace is over has ended; writing that down frees the pair for a new one."""
    if lapsed:
        ended = await close_lapsed(connection, lapsed, access.policy, access.now, lambda about: who(access, about))
        await all_happened(connection, ended)


async def _start(
    connection: Connection,
    access: Access,
    agent: Mapping[str, Any],
    purpose: str,
    external_ref: str | None,
    expires_at: datetime,
) -> UUID:
    """Insert the engagement; the partial unique index has the last word on there being only one.

    One that stood in the way may have ended before it could be named: then there is room.
    """
    pair = [access.place.practice, agent["id"]]
    rest = [purpose, external_ref, access.now, access.actor.user_id, expires_at]
    while True:
        previous = await connection.execute_query_dict(_PREVIOUS, pair)
        row = [uuid7(), *pair, *rest, previous[0]["id"] if previous else None]
        if inserted := await connection.execute_query_dict(_START, row):
            return UUID(str(inserted[0]["id"]))
        if standing := await connection.execute_query_dict(_STANDING, pair):
            raise AlreadyEngaged(standing[0]["id"])


async def _record_start(
    connection: Connection,
    access: Access,
    agent: Mapping[str, Any],
    engagement_id: UUID,
    typed: ConnectAgentInput,
    expires_at: datetime,
) -> None:
    about = About(access.place.practice, agent["id"], engagement_id)
    after = {
        "agent": str(agent["id"]),
        "purpose": typed.purpose.value,
        "expires_at": expires_at.isoformat(),
        "not_my_employee": bool(typed.not_my_employee),
        "roles": [],
    }
    summary = f"connected {agent['legal_name']}; no role is turned on yet"
    await happened(connection, Event(who(access, about), "engagement.started", about, summary, after=after))


def _expiry(access: Access, typed: datetime | None) -> datetime:
    """The policy's default, or an end that the caller chose. Raises InvalidInput."""
    if typed is None:
        return access.now + timedelta(days=access.policy.engagements.default_days)
    return chosen_end(access, typed)
