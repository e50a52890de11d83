"""Budgets of wrong attempts, kept in the database so that no restart, worker or new token resets them.

Count first, verify second (NIST SP 800-63B-4 §3.2.2): `spend` counts an attempt against every budget before
anything is verified, inside the caller's transaction; `forgive` takes the count back after a success. If the
counts cannot be read the database error stands, and nothing is verified.

A budget counts within a short and a long window. The attempt after the last allowed one starts a block; while
it lasts every attempt is refused uncounted. A block may double each time, up to its longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, ip_address, ip_network
from math import ceil

from tortoise.backends.base.client import BaseDBAsyncClient

import limits
from errors import RateLimited
from models.connection import Connection

_COUNT = """
INSERT INTO attempt_budgets AS b (id, scope, key, short_since, short_count, long_since, long_count)
VALUES (gen_random_uuid(), $1, $2, $3, 1, $3, 1)
ON CONFLICT (scope, key) DO UPDATE SET
    short_since = CASE WHEN b.short_since <= $4 THEN $3 ELSE b.short_since END,
    short_count = CASE WHEN b.blocked_until > $3 THEN b.short_count
                       WHEN b.short_since <= $4 THEN 1 ELSE b.short_count + 1 END,
    long_since = CASE WHEN b.long_since <= $5 THEN $3 ELSE b.long_since END,
    long_count = CASE WHEN b.blocked_until > $3 THEN b.long_count
                      WHEN b.long_since <= $5 THEN 1 ELSE b.long_count + 1 END,
    blocks = CASE WHEN b.long_since <= $5 AND coalesce(b.blocked_until, $3) <= $3 THEN 0 ELSE b.blocks END
RETURNING short_count, long_count, blocks, blocked_until
"""
_BLOCK = """
UPDATE attempt_budgets SET blocked_until = $3, blocks = blocks + 1, short_count = 0 WHERE scope = $1 AND key = $2
"""
_FORGIVE = "DELETE FROM attempt_budgets WHERE scope = $1 AND key = $2"
_TAKE_BACK = """
UPDATE attempt_budgets SET short_count = greatest(short_count - 1, 0), long_count = greatest(long_count - 1, 0)
WHERE scope = $1 AND key = $2
"""
_BLOCKED = """
SELECT scope, key, blocked_until FROM attempt_budgets
WHERE (scope, key) IN (SELECT * FROM unnest($1::text[], $2::text[])) AND blocked_until > $3
ORDER BY blocked_until DESC LIMIT 1
"""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOST_DOUBLINGS = 16  # far beyond the longest block; keeps the arithmetic small


@dataclass(frozen=True, slots=True)
class Budget:
    """How many attempts within each window, and how long the block lasts that the next attempt starts."""

    short_limit: int
    short_window: timedelta
    block: timedelta
    longest_block: timedelta
    long_limit: int = 2**31 - 1
    long_window: timedelta = DAY
    forgiven_by_success: bool = True


def _seconds(name: str) -> timedelta:
    return timedelta(seconds=limits.of(name))


_PASSWORDS = Budget(
    short_limit=limits.of("wrong_passwords_account_hour"),
    short_window=HOUR,
    block=_seconds("wrong_passwords_account_block"),
    longest_block=_seconds("wrong_passwords_account_block_most"),
)
BUDGETS = {
    "code_user": Budget(
        short_limit=limits.of("wrong_codes_user_hour"),
        short_window=HOUR,
        long_limit=limits.of("wrong_codes_user_day"),
        block=_seconds("wrong_codes_user_block"),
        longest_block=_seconds("wrong_codes_user_block"),
    ),
    "code_practice": Budget(
        short_limit=limits.of("wrong_codes_practice_hour"),
        short_window=HOUR,
        long_limit=limits.of("wrong_codes_practice_day"),
        block=_seconds("wrong_codes_practice_block"),
        longest_block=_seconds("wrong_codes_practice_block"),
    ),
    "code_address": Budget(
        short_limit=limits.of("wrong_codes_address_window"),
        short_window=timedelta(minutes=10),
        block=_seconds("wrong_codes_address_block"),
        longest_block=_seconds("wrong_codes_address_block_most"),
    ),
    "code_service": Budget(
        short_limit=limits.of("wrong_codes_service_hour"),
        short_window=HOUR,
        block=HOUR,
        longest_block=HOUR,
        forgiven_by_success=False,
    ),
    "password_account": _PASSWORDS,
    "password_network": _PASSWORDS,  # of an account, where it is known
    "sign_up_address": Budget(
        short_limit=limits.of("sign_ups_address_hour"),
        short_window=HOUR,
        block=_seconds("sign_ups_address_block"),
        longest_block=_seconds("sign_ups_address_block"),
        forgiven_by_success=False,
    ),
    "password_address": Budget(
        short_limit=limits.of("wrong_passwords_address_window"),
        short_window=timedelta(minutes=10),
        block=_seconds("wrong_passwords_address_block"),
        longest_block=_seconds("wrong_passwords_address_block"),
        forgiven_by_success=False,  # or signing in to an account of one's own would buy guesses at others
    ),
    "factor_user": Budget(
        short_limit=limits.of("wrong_factors_user_hour"),
        short_window=HOUR,
        long_limit=limits.of("wrong_factors_user_day"),
        block=_seconds("wrong_factors_user_block"),
        longest_block=_seconds("wrong_factors_user_block_most"),
    ),
}


@dataclass(frozen=True, slots=True)
class Spender:
    """Whom a budget binds: `scope` names a budget, `key` an id or an address."""

    scope: str
    key: str


@dataclass(frozen=True, slots=True)
class Exhausted:
    """A budget that is used up: since just now where `begins`, until `until`."""

    spender: Spender
    until: datetime
    begins: bool


async def spend(connection: Connection, spenders: Sequence[Spender], now: datetime) -> Exhausted | None:
    """Count one attempt against each budget, in the given order; the first exhausted one ends the counting.

    Who is blocked is counted nowhere: a locked person who goes on trying does not pause the whole practice. The
    answer must be committed, not raised: a block that rolls back is no block.
    """
    if already := await _blocked(connection, spenders, now):
        return already
    for spender in spenders:
        exhausted = await _spend_one(connection, spender, BUDGETS[spender.scope], now)
        if exhausted:
            return exhausted
    return None


async def refuse_blocked(connection: BaseDBAsyncClient, spenders: Sequence[Spender], now: datetime) -> None:
    """Refuse a caller who is blocked, without counting. Raises RateLimited."""
    exhausted = await _blocked(connection, spenders, now)
    if exhausted:
        raise rate_limited(exhausted.until, now)


async def forgive(connection: Connection, spenders: Sequence[Spender]) -> None:
    """After a success: what was counted against these is forgotten, or only taken back where a budget says so."""
    for spender in spenders:
        statement = _FORGIVE if BUDGETS[spender.scope].forgiven_by_success else _TAKE_BACK
        await connection.execute_query_dict(statement, [spender.scope, spender.key])


def network(address: str) -> str:
    """Whom an address stands for: itself, or for IPv6 its /64, which one household or server has to itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))


def rate_limited(until: datetime, now: datetime) -> RateLimited:
    return RateLimited(ceil((until - now).total_seconds()))


async def _blocked(connection: BaseDBAsyncClient, spenders: Sequence[Spender], now: datetime) -> Exhausted | None:
    """The block that lasts longest, of those that these spenders are under."""
    keys = [[spender.scope for spender in spenders], [spender.key for spender in spenders]]
    rows = await connection.execute_query_dict(_BLOCKED, [*keys, now])
    for row in rows:
        return Exhausted(Spender(row["scope"], row["key"]), row["blocked_until"], begins=False)
    return None


async def _spend_one(connection: Connection, spender: Spender, budget: Budget, now: datetime) -> Exhausted | None:
    counts = [spender.scope, spender.key, now, now - budget.short_window, now - budget.long_window]
    (row,) = await connection.execute_query_dict(_COUNT, counts)
    if row["blocked_until"] and row["blocked_until"] > now:
        return Exhausted(spender, row["blocked_until"], begins=False)
    if row["short_count"] <= budget.short_limit and row["long_count"] <= budget.long_limit:
        return None
    until = now + min(budget.block * 2 ** min(row["blocks"], MOST_DOUBLINGS), budget.longest_block)
    await connection.execute_query_dict(_BLOCK, [spender.scope, spender.key, until])
    return Exhausted(spender, until, begins=True)
