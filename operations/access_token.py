"""Giving out the short-lived stand-in of an API key, and forgetting those that are over."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import limits
from authz.actor import Actor
from authz.life import Party
from models import AccessToken
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import key_text
from operations.record import About, Who, record

_KEY = """
SELECT agent_id, member_id, expires_at FROM api_keys
WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2 FOR KEY SHARE
"""
# Whatever somebody else is removing is left to them.
_FORGET_THE_EXPIRED = """
DELETE FROM access_tokens WHERE id IN
    (SELECT id FROM access_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
"""
_KEEP_THE_NEWEST = """
DELETE FROM access_tokens WHERE id IN
    (SELECT id FROM access_tokens WHERE api_key_id = $1 ORDER BY id DESC OFFSET $2 FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class Issued:
    """The token, which is shown once, and for how many whole seconds it is good."""

    token: str
    seconds: int

    def __repr__(self) -> str:
        return f"Issued({self.seconds})"


async def issue_access_token(actor: Actor, scopes: Sequence[str]) -> Issued | None:
    """A token with these scopes for whoever shows an API key. None where the key has ended meanwhile.

    It lives an hour and never longer than its key; of one key the newest hundred live.
    """

    async def work(connection: Connection) -> Issued | None:
        found = await connection.execute_query_dict(_KEY, [actor.api_key_id, actor.now])
        return await _issue(connection, actor, scopes, found[0]) if found else None

    return await unit_of_work(work)


async def _issue(connection: Connection, actor: Actor, scopes: Sequence[str], key: dict[str, Any]) -> Issued:
    expires_at = _end(actor.now, key["expires_at"])
    most = limits.of("access_tokens_per_key")
    await connection.execute_query_dict(_FORGET_THE_EXPIRED, [actor.now])
    await connection.execute_query_dict(_KEEP_THE_NEWEST, [actor.api_key_id, most - 1])
    token = key_text.new_token()
    made = await AccessToken.create(
        using_db=connection,
        api_key_id=actor.api_key_id,
        token_hash=hashlib.sha256(token.encode()).digest(),
        scopes=list(scopes),
        issued_at=actor.now,
        expires_at=expires_at,
    )
    await _record(connection, actor, key, {"access_token": str(made.id), "scopes": list(scopes)})
    return Issued(token, int((expires_at - actor.now).total_seconds()))


def _end(now: datetime, key_ends: datetime) -> datetime:
    return min(now + timedelta(seconds=limits.of("access_token_seconds")), key_ends)


async def _record(connection: Connection, actor: Actor, key: dict[str, Any], after: dict[str, Any]) -> None:
    digest, member = actor.policy.digest, key["member_id"]
    who = Who(actor.name, actor.user_id, Party.AGENT, digest, actor.now, member, actor.api_key_id)
    about = About(agent_id=key["agent_id"])
    await record(connection, who, "access_token.issued", about, "exchanged an API key", after=after)
