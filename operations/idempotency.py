"""The same key and the same input get the same answer and no second effect; another input is refused.

A client that lost the answer repeats the request with the same idempotency key. The key is written in the
transaction of the effect, so there is never an effect without its key or a key without its effect. Refusals
have no effect and are not kept. A key is looked up before the input is judged, because what was right at first
(a time in the future, a recent password) may no longer be when the request is repeated. Keys and inputs are
stored as HMACs under the pepper, because an input may hold a code.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID
from weakref import WeakValueDictionary

import orjson
from tortoise.exceptions import IntegrityError

import limits
from errors import IdempotencyConflict, Refusal
from models.connection import Connection, client
from models.identifier import uuid7
from operations import pepper

Answer: TypeAlias = dict[str, str]

_EARLIER = """
SELECT input_hash, answer FROM idempotency_keys WHERE user_id = $1 AND key_hash = $2 AND created_at > $3
"""
_FORGET_OLD = "DELETE FROM idempotency_keys WHERE user_id = $1 AND created_at <= $2"
_REMEMBER = """
INSERT INTO idempotency_keys (id, user_id, key_hash, input_hash, answer, created_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
_turns: WeakValueDictionary[tuple[UUID, bytes], asyncio.Lock] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class Request:
    """One mutation as its caller sent it. Without a `key` every call has its own effect."""

    user_id: UUID
    now: datetime
    key: str | None = None
    key_hash: bytes = b""
    input_hash: bytes = b""

    @property
    def kept_since(self) -> datetime:
        return self.now - timedelta(seconds=limits.of("idempotency_seconds"))

    async def remember(self, connection: Connection, answer: Answer) -> None:
        """Write the key beside the effect. A twin that was faster makes this an IntegrityError."""
        if self.key is None:
            return
        await connection.execute_query_dict(_FORGET_OLD, [self.user_id, self.kept_since])
        row = [uuid7(), self.user_id, self.key_hash, self.input_hash, orjson.dumps(answer).decode(), self.now]
        await connection.execute_query_dict(_REMEMBER, row)

    async def earlier(self) -> Answer | None:
        """The answer this request got before. Raises IdempotencyConflict for the same key with another input."""
        if self.key is None:
            return None
        rows = await client().execute_query_dict(_EARLIER, [self.user_id, self.key_hash, self.kept_since])
        if not rows:
            return None
        if not hmac.compare_digest(rows[0]["input_hash"], self.input_hash):
            raise IdempotencyConflict
        answer: Answer = orjson.loads(rows[0]["answer"])
        return answer


def request(user_id: UUID, now: datetime, field: str, key: str | None, typed: dict[str, Any]) -> Request:
    """Describe a call: the field's name and its input (JSON values) make the input's hash."""
    if key is None:
        return Request(user_id, now)
    content = orjson.dumps([field, typed], option=orjson.OPT_SORT_KEYS)
    return Request(
        user_id, now, key, pepper.keyed("idempotency key", key.encode()), pepper.keyed("idempotent input", content)
    )


async def once(request: Request, act: Callable[[], Awaitable[Answer]]) -> Answer:
    """Act, or give the answer that the same request got before.

    Twins in one process take turns, so that they do not use up a token's attempts between them. When twins race
    in two processes, the slower one meets the faster one's key, or the state it left, as a failure; then the
    faster one's answer is the answer of both.
    """
    async with _turn(request):
        answered = await request.earlier()
        if answered is not None:
            return answered
        try:
            return await act()
        except (Refusal, IntegrityError):
            answered = await request.earlier()
            if answered is None:
                raise
            return answered


def _turn(request: Request) -> AbstractAsyncContextManager[None]:
    """One lock for each key in use; it goes when the last twin has gone."""
    if request.key is None:
        return nullcontext()
    return _turns.setdefault((request.user_id, request.key_hash), asyncio.Lock())
