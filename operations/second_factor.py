"""Judging a second factor at sign-in: a code of an app, or a recovery code.

It is asked for only once the password was right, so that nobody learns from outside who has one. Wrong ones have a
budget of their own for each person (NIST SP 800-63B-4 §3.2.2): only who knows the password can spend it.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from errors import SignInFailed
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import recovery, totp
from operations.attempts import Spender, forgive, rate_limited, spend

WRONG = "this second factor is not right; enter the code that the app shows now, or a recovery code"
MISSING = "enter the code of your second factor, too"


async def count(user_id: UUID, typed: str | None, now: datetime) -> None:
    """Count an attempt before it is looked at. Refuses, first match wins: SignInFailed (none given), RateLimited."""
    if not (typed or "").strip():
        raise SignInFailed(MISSING, second_factor_required=True)
    exhausted = await unit_of_work(lambda connection: spend(connection, _spenders(user_id), now))
    if exhausted:
        raise rate_limited(exhausted.until, now)


async def use(connection: Connection, user_id: UUID, typed: str | None, now: datetime) -> str:
    """Use it up and say which kind it was. Raises SignInFailed."""
    if await totp.use_totp(connection, user_id, typed or "", now):
        kind = "totp"
    elif await recovery.use_recovery_code(connection, user_id, typed or "", now):
        kind = "recovery_code"
    else:
        raise SignInFailed(WRONG, second_factor_required=True)
    await forgive(connection, _spenders(user_id))
    return kind


def _spenders(user_id: UUID) -> tuple[Spender, ...]:
    return (Spender("factor_user", str(user_id)),)
