"""A page of forty costs as many statements as a page of one, however deep it asks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from models.asyncpg_client import AsyncpgClient
from tests import crowd
from tests.crowd import Crowd
from tests.statements import noted
from tests.town import Town

MANY = 40
PERSON = "user { name email }"
ENGAGEMENT = """
    id status version blockers { code message waitingFor since }
    agent { legalName status } practice { name kind }
    roles { status role { key } grantedBy { name } }
    permissions { key } agreement { state requirement } externalRef
    previous { id status endReason agent { legalName } }
"""
# What is asked with `$n` as the size of the page. No two fields of one document lead to the same table at the same
# time: whether those meet in one statement or take two is up to the scheduler, and not to the size of the page.
PAGES = {
    "engagements of a practice": (
        "owner",
        f"""query ($n: Int, $practice: ID!) {{ practice(id: $practice) {{
            engagements(first: $n) {{ nodes {{ {ENGAGEMENT} }} }}
        }} }}""",
    ),
    "engagements by status, counted": (
        "owner",
        """query ($n: Int, $practice: ID!) { practice(id: $practice) {
            engagements(first: $n, status: [AWAITING_AGREEMENT, ACTIVE]) {
                totalCount nodes { id status agent { legalName } }
            }
        } }""",
    ),
    "engagements of an agent": (
        "admin",
        """query ($n: Int, $agent: ID!) { agent(id: $agent) { engagements(first: $n) { totalCount nodes {
            id status practice { name } roles { role { title } grantedBy { name } } previous { id }
        } } } }""",
    ),
    "practices and their engagements": (
        "owner",
        """query ($n: Int) { practices(first: $n) { totalCount nodes { name
            engagements(first: 2) { totalCount nodes { agent { legalName } roles { grantedBy { name } } } }
            staff(first: 2) { totalCount nodes { roles { key } } }
            auditEvents(last: 2) { totalCount nodes { summary } }
        } } }""",
    ),
    "agents and their members": (
        "admin",
        f"""query ($n: Int) {{ agents(first: $n) {{ nodes {{ legalName
            members(first: 2) {{ totalCount nodes {{ admin {PERSON} }} }}
            engagements(first: 2) {{ totalCount nodes {{ practice {{ name }} }} }}
            tokens(live: false) {{ letters issuedBy {{ admin }} }}
        }} }} }}""",
    ),
    "where I am staff": (
        "owner",
        f"""query ($n: Int) {{ viewer {{ session {{ startedAt }} staffOf(first: $n) {{ totalCount nodes {{
            roles {{ key }} practice {{ name staff(first: 2) {{ totalCount nodes {{ {PERSON} }} }} }}
        }} }} }} }}""",
    ),
    "whom I work for": (
        "admin",
        f"""query ($n: Int) {{ viewer {{ memberOf(first: $n) {{ totalCount nodes {{ admin
            agent {{ legalName members(first: 2) {{ nodes {{ {PERSON} }} }} }}
        }} }} }} }}""",
    ),
    "changes of an agent": (
        "admin",
        """query ($n: Int, $agent: ID!) { changes(agentId: $agent, first: $n) {
            more cursor changes { cursor at type engagementId status externalRef }
        } }""",
    ),
    "events of a practice": (
        "owner",
        """query ($n: Int, $practice: ID!) { practice(id: $practice) {
            auditEvents(last: $n) { totalCount nodes { summary } }
        } }""",
    ),
}
NODES = """query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id
    ... on Engagement { status roles { grantedBy { name } } }
    ... on Practice { name staff(first: 1) { nodes { roles { key } } } }
    ... on Agent { legalName engagements(first: 1) { nodes { id } } }
    ... on StaffMember { roles { key } practice { name } }
    ... on AuditEvent { summary }
} }"""


@pytest.fixture
async def people(town: Town) -> Crowd:
    made = await crowd.build(town, MANY)
    await crowd.tokens(made, MANY)
    await crowd.tell(made)
    return made


async def statements(people: Crowd, asker: str, document: str, database: AsyncpgClient, **asked: Any) -> list[str]:
    client = people.owner if asker == "owner" else people.admin
    ids = {"practice": people.practice, "agent": people.agent}
    variables = asked | {name: key for name, key in ids.items() if f"${name}" in document}
    await client.ask(document, **variables)  # parsed and validated; only the next one is looked at
    people.town.remembered.changes.anything_may_have()
    async with noted(database) as seen:
        await client.ask(document, **variables)
    await asyncio.sleep(0)
    return seen


def figures(name: str, one: list[str], many: list[str]) -> str:
    return f"{name}: {len(one)} statements for 1, {len(many)} for {MANY}\n" + "\n".join(sorted(many))


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_of_forty_costs_what_a_page_of_one_costs(
    people: Crowd, database: AsyncpgClient, name: str
) -> None:
    asker, document = PAGES[name]
    one = await statements(people, asker, document, database, n=1)
    many = await statements(people, asker, document, database, n=MANY)
    print(figures(name, one, []))
    assert one, "nothing was counted"
    assert len(many) == len(one), figures(name, one, many)
    assert len(many) <= 16, figures(name, one, many)


@pytest.mark.parametrize("kind", ["engagements", "practices", "agents", "staff", "events", "all"])
async def test_forty_nodes_cost_what_one_of_each_kind_costs(people: Crowd, database: AsyncpgClient, kind: str) -> None:
    ids = {
        "engagements": await crowd.all_engagements(practice_id=people.practice, ended_at=None),
        "practices": people.practices,
        "agents": people.agents,
        "staff": people.staff,
        "events": await crowd.all_events(people.practice),
    }
    chosen = [ids[kind]] if kind != "all" else list(ids.values())
    few = [str(keys[0]) for keys in chosen]
    lots = [str(key) for keys in chosen for key in keys[: MANY // len(chosen)]]
    assert len(lots) == MANY
    one = await statements(people, "owner", NODES, database, ids=few)
    many = await statements(people, "owner", NODES, database, ids=lots)
    print(figures(kind, one, []))
    assert len(many) == len(one), figures(kind, one, many)


async def test_the_counter_sees_reads_writes_and_transactions(people: Crowd, database: AsyncpgClient) -> None:
    async with noted(database) as seen:
        await people.owner.ask("mutation { signOut }")
    said = " ".join(seen)
    for word in ("FROM sessions", "BEGIN", "UPDATE", "INSERT INTO audit_events", "COMMIT"):
        assert word in said, seen
