"""Any object again by its id: what it is, for whom, and in which order."""

from __future__ import annotations

import pytest

from models import AuditEvent, StaffMember, User
from models.asyncpg_client import AsyncpgClient
from models.identifier import uuid7
from resolvers.schema import schema
from tests.callers import World
from tests.statements import noted
from tests.town import Town

# Kind of id → its type, who may read it, who sees it without being allowed to, and to whom it does not exist.
KINDS = {
    "practice own": ("Practice", "scheduler", "agent admin", "other owner"),
    "agent own": ("Agent", "owner", "scheduler", "rival member"),
    "engagement own": ("Engagement", "agent member", "administrator", "desk worker"),
    "staff own": ("StaffMember", "administrator", "scheduler", "other owner"),
    "member own": ("AgentMember", "agent member", "operator", "owner"),
    "token own": ("ConnectToken", "agent member", "operator", "owner"),
    "api_key own": ("ApiKey", "agent admin", "agent member", "owner"),
    "invitation own": ("Invitation", "manager", "scheduler", "agent member"),
    "event own": ("AuditEvent", "manager", "administrator", "other owner"),
    "review own": ("Review", "manager", "scheduler", "agent member"),
    "user own": ("User", "manager", None, "scheduler"),
}
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"


def test_every_type_with_an_id_of_its_own_is_asked_for() -> None:
    node = schema.graphql_schema.get_type("Node")
    types = {each.name for each in schema.graphql_schema.get_possible_types(node)}  # type: ignore[arg-type]  # it is one
    assert types == {type_ for type_, *_ in KINDS.values()}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_node_is_its_type_to_whoever_may_read_it(world: World, kind: str) -> None:
    type_, allowed, forbidden, hidden = KINDS[kind]
    key = world.ids[kind]
    assert await world.browser(allowed).ask(NODE, id=key) == {"__typename": type_, "id": key}
    if forbidden:
        assert (await world.browser(forbidden).refusal(NODE, id=key))["extensions"]["code"] == "NOT_PERMITTED"
    assert await world.browser(hidden).ask(NODE, id=key) is None
    for caller in filter(None, (forbidden, hidden)):
        assert await world.browser(caller).ask(NODES, ids=[key]) == [None]


async def test_nodes_keep_the_order_asked_for_with_nulls_between(world: World) -> None:
    ids = world.ids
    mine = [ids["practice own"], ids["engagement own"], ids["agent own"], ids["event own"], ids["staff own"]]
    asked = [mine[0], "malformed", mine[1], ids["practice other"], mine[2], str(uuid7()), mine[3], mine[0], mine[4]]
    found = await world.browser("owner").ask(NODES, ids=asked)
    assert [node and node["id"] for node in found] == [key if key in mine else None for key in asked]
    assert await world.browser("owner").ask(NODES, ids=[]) == []


async def test_more_than_a_hundred_ids_are_refused(world: World) -> None:
    owner, key = world.browser("owner"), world.ids["practice own"]
    assert len(await owner.ask(NODES, ids=[key] * 100)) == 100
    refused = (await owner.refusal(NODES, ids=[key] * 101))["extensions"]
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "ids")


async def test_an_id_is_found_in_any_spelling_of_its_letters(world: World) -> None:
    key = world.ids["practice own"]
    assert (await world.browser("owner").ask(NODE, id=key.upper()))["id"] == key


async def test_a_node_gives_what_its_own_field_gives(world: World) -> None:
    owner, ids = world.browser("owner"), world.ids
    for field, type_ in (("practice", "Practice"), ("agent", "Agent"), ("engagement", "Engagement")):
        plain = {
            "Practice": "name kind staff { totalCount }",
            "Agent": "legalName city status engagements { totalCount }",
            "Engagement": "status version roles { role { key } } agent { legalName }",
        }[type_]
        direct = await owner.ask(f"query ($id: ID!) {{ {field}(id: $id) {{ {plain} }} }}", id=ids[f"{field} own"])
        again = f"query ($id: ID!) {{ node(id: $id) {{ ... on {type_} {{ {plain} }} }} }}"
        assert await owner.ask(again, id=ids[f"{field} own"]) == direct


async def test_everybody_finds_themselves(world: World) -> None:
    document = "query ($id: ID!) { node(id: $id) { id ... on User { email } } }"
    for caller in ("stranger", "scheduler", "agent member", "operator"):
        browser = world.browser(caller)
        assert await browser.ask(document, id=browser.user_id) == {"id": browser.user_id, "email": browser.email}


async def test_a_persons_own_record_is_nobodys_to_read(world: World) -> None:
    """It is in no practice and in no agent; an id of it says no more than an unknown one."""
    key = world.ids["person_event stranger"]
    assert await AuditEvent.filter(id=key).exists()
    for caller in ("stranger", "owner", "operator"):
        assert await world.browser(caller).ask(NODE, id=key) is None


async def test_colleagues_are_found_only_as_long_as_there_is_something_in_common(town: Town) -> None:
    elm = await town.practice()
    manager = await town.staff(elm, "manager@elm.example", "manager")
    clerk = await User.get(email=(await town.staff(elm, "clerk@elm.example", "scheduler")).email)
    assert (await manager.ask(NODE, id=str(clerk.id)))["__typename"] == "User"
    await StaffMember.filter(user_id=manager.user_id).update(removed_at=town.clock.now)
    assert await manager.ask(NODE, id=str(clerk.id)) is None


async def test_an_id_that_names_nothing_costs_no_look_at_any_object(world: World, database: AsyncpgClient) -> None:
    owner = world.browser("owner")
    await owner.ask(NODE, id="malformed")  # who asks is remembered from now on
    async with noted(database) as malformed:
        await owner.ask(NODE, id="malformed")
    async with noted(database) as unknown:
        await owner.ask(NODE, id=str(uuid7()))
    assert len(unknown) == len(malformed) + 1, unknown
