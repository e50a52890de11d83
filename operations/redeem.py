"""Trying letters and a code: count first, verify second, and one answer for every failure.

Everything that can be wrong with a token ends in the same `TokenRejected` after the same work: one
transaction that counts the attempt, one scrypt. An attempt is counted against the token and against who
tries, in the database, before anything is compared, so that parallel guesses never buy extra attempts; a
success gives its own attempt back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authz.actor import Access
from authz.life import Party
from errors import CheckDigitMismatch, TokenRejected
from models.connection import Connection, client
from models.unit_of_work import unit_of_work
from operations import spelling, stretching
from operations.attempts import Exhausted, Spender, forgive, network, rate_limited, refuse_blocked, spend
from operations.record import About, Who, record

_COUNT = """
UPDATE connect_tokens SET attempts = attempts + 1
WHERE letters = $1 AND state = 'issued' AND attempts < $2 AND expires_at > $3
RETURNING id, agent_id, issued_by_id, salt, code_hash, external_ref
"""
_GIVE_BACK = "UPDATE connect_tokens SET attempts = greatest(attempts - 1, 0) WHERE id = $1"
_REDEEMABLE = """
SELECT 1 FROM agent_members m JOIN agents a ON a.id = m.agent_id
WHERE m.id = $1 AND m.user_id <> $2 AND a.verified_at IS NOT NULL AND a.suspended_at IS NULL AND a.closed_at IS NULL
"""
_EARLIER_SUCCESS = "SELECT 1 FROM engagements WHERE started_by_id = $1 LIMIT 1"

Token = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Counted:
    exhausted: Exhausted | None
    token: Token | None


async def verified_token(access: Access, typed_letters: str, typed_code: str) -> Token:
    """The live token that these letters and this code open. It is not used up by this.

    Refuses, first match wins: RateLimited, CheckDigitMismatch (no attempt is spent), TokenRejected.
    """
    code = spelling.typed_code(typed_code)
    if code is None:
        await refuse_blocked(client(), _spenders(access), access.now)
        raise CheckDigitMismatch
    counted = await unit_of_work(lambda connection: _count(connection, access, spelling.typed_letters(typed_letters)))
    if counted.exhausted:
        raise rate_limited(counted.exhausted.until, access.now)
    token = counted.token or {}
    matches = await stretching.code_matches(code, token.get("salt"), token.get("code_hash"))
    redeemable = await _is_redeemable(access, token)  # asked of every attempt, so that failures cannot be told apart
    if not (matches and redeemable):
        raise TokenRejected
    await unit_of_work(lambda connection: _give_back(connection, access, token))
    return token


async def _count(connection: Connection, access: Access, letters: str) -> _Counted:
    """Count against the caller, then against the token. What this finds is committed, whatever it is."""
    exhausted = await spend(connection, _spenders(access), access.now)
    if exhausted is None:
        exhausted = await _spend_service(connection, access)
    if exhausted:
        await _tell_owner(connection, access, exhausted)
        return _Counted(exhausted, None)
    rows = await connection.execute_query_dict(_COUNT, [letters, access.policy.tokens.attempts, access.now])
    return _Counted(None, rows[0] if rows else None)


async def _spend_service(connection: Connection, access: Access) -> Exhausted | None:
    """The whole service's budget binds only those who never connected anybody."""
    exhausted = await spend(connection, (_SERVICE,), access.now)
    if exhausted and await connection.execute_query_dict(_EARLIER_SUCCESS, [access.actor.user_id]):
        return None
    return exhausted


async def _tell_owner(connection: Connection, access: Access, exhausted: Exhausted) -> None:
    """A practice that pauses shows it in its own record, once for each pause."""
    if not exhausted.begins or exhausted.spender.scope != "code_practice":
        return
    by = Who("Sparekey", None, Party.PLATFORM, access.policy.digest, access.now)
    summary = "paused connecting agents after too many wrong codes"
    after = {"until": exhausted.until.isoformat()}
    await record(
        connection, by, "practice.codes_paused", About(practice_id=access.place.practice), summary, after=after
    )


async def _is_redeemable(access: Access, token: Token) -> bool:
    """Nobody redeems a token they issued themselves, nor one of an agent that is not active."""
    rows = await client().execute_query_dict(_REDEEMABLE, [token.get("issued_by_id"), access.actor.user_id])
    return bool(rows)


async def _give_back(connection: Connection, access: Access, token: Token) -> None:
    """In the order of `_count`, budgets before the token: two attempts at once must not wait for each other."""
    await forgive(connection, (*_spenders(access), _SERVICE))
    await connection.execute_query_dict(_GIVE_BACK, [token["id"]])


_SERVICE = Spender("code_service", "all")


def _spenders(access: Access) -> tuple[Spender, ...]:
    """In one order for everybody, so that two callers never wait for each other.

    The narrowest first: a person who is locked, by parallel guesses too, costs the others nothing.
    """
    return (
        Spender("code_user", str(access.actor.user_id)),
        Spender("code_practice", str(access.place.practice)),
        Spender("code_address", network(access.actor.address)),
    )
