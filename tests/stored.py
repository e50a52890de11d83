"""What the database says, past the API: for what no client may see, and for what no mutation does yet."""

from __future__ import annotations

import re
from typing import Any

import asyncpg
import orjson

from models.connection import client
from operations.record import GENESIS, event_hash
from server.embedded import APPLICATION


def as_application(url: str) -> str:
    """The address of a database for the role that owns nothing."""
    return re.sub(r"//\w+@", f"//{APPLICATION}@", url, count=1)


async def rows(statement: str, *values: Any) -> list[dict[str, Any]]:
    """The rows that a statement gives, by column."""
    return [dict(row) for row in await client().execute_query_dict(statement, list(values))]


async def as_owner(statement: str) -> None:
    """What the application's role may not do, done by the tables' owner."""
    session = await asyncpg.connect(client().dsn.replace(f"{APPLICATION}@", "postgres@", 1))
    try:
        await session.execute(statement)
    finally:
        await session.close()


async def events(type: str | None = None) -> list[dict[str, Any]]:
    """The audit events of this type, or all of them, chain by chain in their order."""
    wanted = "SELECT * FROM audit_events WHERE $1::text IS NULL OR type = $1 ORDER BY chain_id, sequence"
    found = await rows(wanted, type)
    return [
        event | {side: orjson.loads(event[side] or "null") for side in ("before", "after", "snapshot")}
        for event in found
    ]


async def chains_hold() -> int:
    """Every hash and every chain, worked out anew from what is stored. How many chains there are."""
    ends: dict[Any, tuple[int, str]] = {}
    for event in await events():
        sequence, previous = ends.get(event["chain_id"], (0, GENESIS))
        assert (event["sequence"], event["previous_hash"]) == (sequence + 1, previous)
        assert event["hash"] == event_hash(event)
        ends[event["chain_id"]] = (event["sequence"], event["hash"])
    heads = await rows("SELECT chain_id, sequence, hash FROM audit_heads")
    assert {head["chain_id"]: (head["sequence"], head["hash"]) for head in heads} == ends
    return len(ends)


async def copied(letters: str, to: str) -> str:
    """A second live token that the same code opens, under other letters: issuing takes a slow hash."""
    columns = "agent_id, issued_by_id, salt, code_hash, external_ref, issued_at, expires_at"
    await rows(
        f"INSERT INTO connect_tokens (id, letters, {columns})"
        f" SELECT gen_random_uuid(), $2, {columns} FROM connect_tokens WHERE letters = $1",
        letters,
        to,
    )
    return to
