"""Issuing and cancelling the token that a member reads out on the phone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import limits
from authz.actor import Access
from errors import AgentNotActive, InvalidInput, LimitReached, NotFound
from models import AgentMember, ConnectToken
from models.connection import Connection
from models.identifier import uuid7
from models.unit_of_work import unit_of_work
from operations import pepper, spelling, stretching, wording
from operations.idempotency import Answer, Request, once
from operations.record import About, record, who

if TYPE_CHECKING:
    from schema.inputs import IssueTokenInput

_ACTIVE_AGENT = """
SELECT id FROM agents
WHERE id = $1 AND verified_at IS NOT NULL AND suspended_at IS NULL AND closed_at IS NULL FOR SHARE
"""
_LIVE = """
SELECT count(*) AS live FROM connect_tokens
WHERE issued_by_id = $1 AND state = 'issued' AND expires_at > $2 AND attempts < $3
"""
_RELEASE = """
UPDATE connect_tokens SET state = 'released', ended_at = $2
WHERE letters = $1 AND state = 'issued' AND (expires_at <= $2 OR attempts >= $3)
"""
_REISSUE = """
UPDATE connect_tokens SET state = 'cancelled', ended_at = $3
WHERE issued_by_id = $1 AND external_ref = $2 AND state = 'issued' RETURNING id
"""
_INSERT = """
INSERT INTO connect_tokens
    (id, agent_id, issued_by_id, letters, salt, code_hash, label, external_ref, issued_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (letters) WHERE state = 'issued' DO NOTHING RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token and its code, which is shown once and stored nowhere."""

    token_id: UUID
    code: str

    def __repr__(self) -> str:
        return f"Issued({self.token_id})"


async def issue_token(access: Access, typed: IssueTokenInput, request: Request) -> Issued:
    """Issue a token for one practice to redeem. Lives 10 minutes unless the caller says 1 to 60.

    Issuing again for the same `externalRef` cancels that client's earlier token. Refuses, first match wins:
    IdempotencyConflict, InvalidInput, AgentNotActive, LimitReached.
    """

    async def act() -> Answer:
        label = wording.optional("label", typed.label, 200)
        external_ref = wording.optional("externalRef", typed.external_ref, 100)
        expires_at = access.now + timedelta(minutes=_minutes(access, typed.ttl_minutes))
        seed, salt = secrets.token_bytes(32), secrets.token_bytes(16)
        code_hash = await stretching.hash_code(_code(seed, request), salt)
        row = [salt, code_hash, label, external_ref, access.now, expires_at]
        return await unit_of_work(lambda connection: _issue(connection, access, request, seed, row))

    answer = await once(request, act)
    return Issued(UUID(answer["token"]), _code(bytes.fromhex(answer["seed"]), request))


async def cancel_token(access: Access, token_id: UUID, request: Request) -> UUID:
    """Take a token back. One that is used, expired, locked or cancelled already stays as it is.

    Refuses, first match wins: IdempotencyConflict, NotFound.
    """

    async def work(connection: Connection) -> Answer:
        token = await ConnectToken.filter(id=token_id).using_db(connection).select_for_update().first()
        if token is None:
            raise NotFound
        if _is_live(access, token):
            await _cancel(connection, access, token)
        answer = {"token": str(token_id)}
        await request.remember(connection, answer)
        return answer

    await once(request, lambda: unit_of_work(work))
    return token_id


def _is_live(access: Access, token: ConnectToken) -> bool:
    return token.state == "issued" and token.expires_at > access.now and token.attempts < access.policy.tokens.attempts


def _minutes(access: Access, typed: int | None) -> int:
    if typed is None:
        return access.policy.tokens.ttl_minutes
    if not 1 <= typed <= 60:
        raise InvalidInput("ttlMinutes", "choose 1 to 60 minutes")
    return typed


def _code(seed: bytes, request: Request) -> str:
    """A code from a random seed under the pepper, so that a repeated request can be shown the same code.

    The seed is kept only beside an idempotency key; without the pepper and the key itself it says nothing.
    """
    drawn = int.from_bytes(pepper.keyed("connect code digits", seed, (request.key or "").encode()), "big")
    digits = f"{drawn % 10 ** (spelling.DIGITS - 1):0{spelling.DIGITS - 1}d}"
    return digits + spelling.check_digit(digits)


async def _issue(connection: Connection, access: Access, request: Request, seed: bytes, row: list[Any]) -> Answer:
    """Write the token; `row` are its columns from the salt on."""
    member_id = await _locked_member(connection, access)
    external_ref = row[3]
    cancelled = await connection.execute_query_dict(_REISSUE, [member_id, external_ref, access.now])
    await _refuse_too_many(connection, access, member_id)
    token_id = await _insert(connection, access, [access.place.agent, member_id, *row])
    await _record_issue(connection, access, token_id, len(cancelled))
    answer = {"token": str(token_id), "seed": seed.hex()}
    await request.remember(connection, answer)
    return answer


async def _locked_member(connection: Connection, access: Access) -> UUID:
    """The caller's membership; its lock makes the count of live tokens hold. Raises AgentNotActive, and NotFound for
    somebody who departed meanwhile. The agent's lock is shared with all but who suspends it."""
    rows = await connection.execute_query_dict(_ACTIVE_AGENT, [access.place.agent])
    if not rows:
        raise AgentNotActive
    member_id = access.actor.members[rows[0]["id"]]
    member = await AgentMember.filter(id=member_id).using_db(connection).select_for_update().get()
    if member.departed_at or member.suspended_at:
        raise NotFound
    return member_id


async def _refuse_too_many(connection: Connection, access: Access, member_id: UUID) -> None:
    most = limits.of("live_tokens_per_member")
    (row,) = await connection.execute_query_dict(_LIVE, [member_id, access.now, access.policy.tokens.attempts])
    if row["live"] >= most:
        raise LimitReached(most, "you have as many live tokens as you may; cancel one or let it expire")


async def _insert(connection: Connection, access: Access, row: list[Any]) -> UUID:
    """Draw letters until they are free; letters of a token that is over are released first."""
    agent_id, member_id, *rest = row
    while True:
        letters = spelling.new_letters()
        over = [letters, access.now, access.policy.tokens.attempts]
        await connection.execute_query_dict(_RELEASE, over)
        values = [uuid7(), agent_id, member_id, letters, *rest]
        if inserted := await connection.execute_query_dict(_INSERT, values):
            return UUID(str(inserted[0]["id"]))


async def _record_issue(connection: Connection, access: Access, token_id: UUID, cancelled: int) -> None:
    about = About(agent_id=access.place.agent)
    after = {"token": str(token_id), "earlier_tokens_cancelled": cancelled}
    await record(connection, who(access, about), "token.issued", about, "issued a connect token", after=after)


async def _cancel(connection: Connection, access: Access, token: ConnectToken) -> None:
    token.state, token.ended_at = "cancelled", access.now
    await token.save(using_db=connection, update_fields=["state", "ended_at"])
    about = About(agent_id=access.place.agent)
    after = {"token": str(token.id)}
    await record(connection, who(access, about), "token.cancelled", about, "cancelled a connect token", after=after)
