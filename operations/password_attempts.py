"""How many wrong passwords an account and an address may see, so that nobody is locked out from outside for ever.

Attempts at an account from anywhere share one budget, which whoever goes on guessing keeps spent. So a network from
which the person signed in lately has a budget of its own there: who guesses from elsewhere, for however long, does not
stand in the way of the practice's own office. (OWASP's device cookies give a known browser the same; a network needs
nothing kept in browsers, and an attacker has to be in it.) Elsewhere a passkey opens, because it is not guessed.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import limits
from models.connection import client
from models.unit_of_work import unit_of_work
from operations.attempts import Spender, network, rate_limited, spend

_KNOWN = """
SELECT EXISTS (SELECT FROM users u JOIN sessions s ON s.user_id = u.id
    WHERE u.email = $1 AND s.address = $2 AND s.started_at > $3) AS known
"""


async def count_password(email: str, address: str, now: datetime) -> tuple[Spender, ...]:
    """Count an attempt before the password is looked at, and say whose it was. Raises RateLimited."""
    spenders = await _spenders(email, network(address), now)
    await _count(spenders, now)
    return spenders


async def count_sign_up(address: str, now: datetime) -> None:
    """Sign-ups that succeed count, too: each tells whether an e-mail is taken. Raises RateLimited."""
    await _count((Spender("sign_up_address", network(address)),), now)


async def _count(spenders: tuple[Spender, ...], now: datetime) -> None:
    exhausted = await unit_of_work(lambda connection: spend(connection, spenders, now))
    if exhausted:
        raise rate_limited(exhausted.until, now)


async def _spenders(email: str, net: str, now: datetime) -> tuple[Spender, ...]:
    """Accounts are named by a hash: the budgets hold no e-mail addresses."""
    since = now - timedelta(seconds=limits.of("known_network_seconds"))
    (row,) = await client().execute_query_dict(_KNOWN, [email, net, since])
    whole = f"{email} {net}" if row["known"] else email
    scope = "password_network" if row["known"] else "password_account"
    account = Spender(scope, hashlib.sha256(whole.encode()).hexdigest())
    return Spender("password_address", net), account
