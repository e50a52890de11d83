"""Who works where, what was asked for and what an end cut: a page of many costs the statements of a page of one."""

from __future__ import annotations

from typing import Any

import pytest

from models.asyncpg_client import AsyncpgClient
from tests import crowd
from tests.crowd import Crowd
from tests.statements import noted
from tests.stored import rows
from tests.town import Town

MANY = 12
PRACTICE = """query ($n: Int, $id: ID!) { practice(id: $id) { engagements(first: $n) { nodes { id status
    assignments { assignedAt cap { key } member { id user { name } } }
    requestedRoles { roles { key } reason at by { name } }
    previous { receipt { id engagementId } }
} } } }"""
AGENT = """query ($n: Int, $id: ID!, $of: ID) { agent(id: $id) { engagements(first: $n) { nodes {
    id permissions(memberId: $of) { key } practice { name }
} } } }"""
ASSIGNED = """
INSERT INTO assignments (id, engagement_id, member_id, cap, assigned_at, assigned_by_id)
SELECT gen_random_uuid(), e.id, m.id, CASE WHEN m.admin THEN ARRAY['biller'] END, now(), m.user_id
FROM engagements e JOIN agent_members m ON m.agent_id = e.agent_id WHERE e.ended_at IS NULL
"""
# By somebody whom no assignment names: else how often people are asked for would depend on who comes first.
WISHED = """
UPDATE engagements SET requested_roles = ARRAY['auditor'], request_reason = 'reports', requested_at = now(),
    requested_by_id = started_by_id
"""
RECEIPTS = """
INSERT INTO revocation_receipts (id, engagement_id, at, by, roles_removed, members_cut, api_keys_cut,
    subscriptions_closed, tokens_cancelled, duties, audit_hash)
SELECT gen_random_uuid(), id, ended_at, 'Owner', '{}', 0, 0, 0, 0, '{}', repeat('0', 64)
FROM engagements WHERE ended_at IS NOT NULL
"""


@pytest.fixture
async def people(town: Town) -> Crowd:
    made = await crowd.build(town, MANY)
    for statement in (ASSIGNED, WISHED, RECEIPTS):
        await rows(statement)
    return made


async def asked(people: Crowd, database: AsyncpgClient, document: str, **typed: Any) -> tuple[list[str], Any]:
    """The statements of an answer that nothing is remembered for, and the answer."""
    client = people.owner if document is PRACTICE else people.admin
    await client.ask(document, **typed)  # parsed and validated; only the next one is looked at
    people.town.remembered.changes.anything_may_have()
    async with noted(database) as seen:
        answer = await client.ask(document, **typed)
    return seen, answer["engagements"]["nodes"]


async def test_the_people_in_a_page_of_engagements_cost_what_those_in_one_cost(
    people: Crowd, database: AsyncpgClient
) -> None:
    one, _ = await asked(people, database, PRACTICE, id=people.practice, n=1)
    many, nodes = await asked(people, database, PRACTICE, id=people.practice, n=MANY)
    assert len(many) == len(one), "\n".join(sorted(many))
    assert len(nodes) == MANY
    for node in nodes:
        assert len(node["assignments"]) in ((0,) if node["status"] == "ENDED" else (1, MANY))
        assert (node["requestedRoles"] is None) == (node["status"] == "ENDED")
    assert {role["key"] for node in nodes for each in node["assignments"] for role in each["cap"] or ()} == {"biller"}
    receipts = [node["previous"]["receipt"] for node in nodes if node["previous"]]
    assert len({receipt["id"] for receipt in receipts}) == len(receipts) > 0


async def test_what_one_member_can_do_on_a_page_costs_what_it_costs_in_one_place(
    people: Crowd, database: AsyncpgClient
) -> None:
    (mine,) = await rows(
        "SELECT id::text FROM agent_members WHERE agent_id = $1 AND user_id = $2", people.agent, people.admin.user_id
    )
    one, _ = await asked(people, database, AGENT, id=people.agent, n=1, of=mine["id"])
    many, nodes = await asked(people, database, AGENT, id=people.agent, n=MANY, of=mine["id"])
    assert len(many) == len(one), "\n".join(sorted(many))
    assert len(nodes) == MANY
    without, _ = await asked(people, database, AGENT, id=people.agent, n=MANY)
    assert len(without) == len(many) - 1


async def test_an_assignment_that_changes_is_not_answered_from_memory(people: Crowd) -> None:
    document = (
        "query ($id: ID!) { practice(id: $id) { engagements(first: 2) { nodes { assignments { cap { key } } } } } }"
    )
    before = await people.owner.ask(document, id=people.practice)
    assert await people.owner.ask(document, id=people.practice) == before
    await rows("UPDATE assignments SET cap = ARRAY['auditor']")
    after = await people.owner.ask(document, id=people.practice)
    caps = [each["cap"] for node in after["engagements"]["nodes"] for each in node["assignments"]]
    assert caps
    assert all(cap == [{"key": "auditor"}] for cap in caps)
