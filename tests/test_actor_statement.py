"""Who is asking: what finding that out looks at, whatever the planner believes of young tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson

from models.connection import client
from models.tenancy import SERVICE
from resolvers.actors import _STATEMENTS
from resolvers.credential import Kind
from tests.stored import as_owner
from tests.town import Agency, Client, House, Town

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


async def worked_out(who: Client) -> int:
    """For how many engagements the statement looked up what was granted."""
    named = hashlib.sha256((who.reference or "").encode()).digest()
    session = await asyncpg.connect(client().dsn, server_settings={"plan_cache_mode": "force_generic_plan"})
    try:
        await session.execute(SERVICE.settings())
        explained = f"EXPLAIN (ANALYZE, FORMAT JSON) {_STATEMENTS[Kind.SESSION]}"
        (plan,) = orjson.loads(await session.fetchval(explained, named, LONG_AGO, LONG_AGO))
    finally:
        await session.close()
    return sum(node["Actual Loops"] for node in _nodes(plan["Plan"]) if node.get("Relation Name") == "role_grants")


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


async def test_other_peoples_engagements_are_not_worked_out_while_the_tables_are_taken_for_tiny(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    await as_owner("ANALYZE agent_members, engagements, agents, practices, users, sessions")
    assert await worked_out(acme.admin) == 1
    assert await worked_out(elm_street.owner) == 0
