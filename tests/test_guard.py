"""The guard in front of every field: named once, checked when the schema is built, and asked at every call."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry
from graphql import build_schema
from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField

from authz.actor import Access, Reach
from models import Practice, StaffMember
from resolvers.edges import EDGES as REGISTERED
from resolvers.guard import Guard, Public, UnguardedField, public, requires, shipped_permissions
from resolvers.live import Subscription
from resolvers.query import Query as ShippedQuery
from resolvers.schema import Mutation, schema
from schema.edges import Requires
from server.app import PUBLIC_MUTATIONS
from tests.asks import guarded_edges
from tests.town import Town

EDGES = sorted(guarded_edges())


def root_fields() -> list[StrawberryField]:
    roots = (ShippedQuery, Mutation, Subscription)
    return [field for root in roots for field in get_object_definition(root, strict=True).fields]


def test_every_root_field_has_exactly_one_guard() -> None:
    for field in root_fields():
        assert sum(isinstance(each, Guard | Public) for each in field.extensions) == 1, field.python_name


def test_the_public_fields_are_those_that_the_door_lets_through_before_sign_in() -> None:
    said = {field.python_name for field in root_fields() if any(isinstance(each, Public) for each in field.extensions)}
    assert said == {"sign_up", "sign_in", "begin_passkey_sign_in", "sign_in_with_passkey"}
    assert sorted(PUBLIC_MUTATIONS) == ["beginPasskeySignIn", "signIn", "signInWithPasskey", "signUp"]


def test_every_root_field_prints_the_permission_that_its_guard_asks_for() -> None:
    sdl = build_schema(schema.as_str())
    printed: dict[str, str | None] = {}
    for root in (sdl.query_type, sdl.mutation_type, sdl.subscription_type):
        assert root is not None
        for name, field in root.fields.items():
            assert field.ast_node is not None
            found = [
                each.arguments[0].value for each in field.ast_node.directives or () if each.name.value == "requires"
            ]
            printed[name] = str(getattr(found[0], "value", "")) if found else None
    names = schema.config.name_converter
    guards = {
        names.from_field(field): next((each.permission for each in field.extensions if isinstance(each, Guard)), None)
        for field in root_fields()
    }
    assert printed == guards


def test_every_permission_in_the_sdl_is_one_of_the_policy() -> None:
    guards = {each.permission for field in root_fields() for each in field.extensions if isinstance(each, Guard)}
    below = {permission for _, permission in EDGES}
    assert guards | below <= shipped_permissions()
    assert len(below) >= 5


def test_what_the_sdl_says_of_an_edge_is_what_following_it_asks_for() -> None:
    followed = {
        f"{parent.__name__}.{schema.config.name_converter.apply_naming_config(name)}": edge.permission
        for (parent, name), edge in REGISTERED.items()
        if edge.permission
    }
    assert followed == dict(EDGES)


def test_a_permission_that_the_policy_does_not_have_stops_the_import() -> None:
    with pytest.raises(UnguardedField, match=r"agents\.conect"):
        requires("agents.conect")


def built_with(field: Any) -> strawberry.Schema:
    query = strawberry.type(type("Query", (), {"probe": field, "__annotations__": {}}))
    return strawberry.Schema(query=query)


async def takes_access(self: object, access: Access) -> str:
    return access.permission


async def takes_reach(self: object, reach: Reach) -> str:
    return reach.permission


async def takes_nothing(self: object) -> str:
    return ""


def test_a_field_that_takes_a_proof_without_a_guard_builds_no_schema() -> None:
    for resolver, proof in ((takes_access, "access"), (takes_reach, "reach")):
        with pytest.raises(TypeError, match=f"(?i){proof}"):
            built_with(strawberry.field(resolver=resolver))


def test_a_public_field_that_takes_a_proof_builds_no_schema() -> None:
    with pytest.raises(TypeError, match="is public"):
        built_with(strawberry.field(resolver=takes_access, extensions=public()))


def test_a_guard_whose_proof_nobody_takes_builds_no_schema() -> None:
    with pytest.raises(TypeError, match="neither access nor reach"):
        built_with(strawberry.field(resolver=takes_nothing, extensions=requires("account.read")))


def test_a_guarded_field_hides_its_proof_from_clients() -> None:
    made = built_with(strawberry.field(resolver=takes_access, extensions=requires("account.read")))
    assert 'probe: String! @requires(permission: "account.read")' in made.as_str()


def test_no_field_below_the_roots_is_guarded_in_another_way() -> None:
    """An edge's directive comes from `edge(requires=…)`, never from the extension of root fields."""
    for parent, name in REGISTERED:
        fields = get_object_definition(parent, strict=True).fields
        field = next(each for each in fields if each.python_name == name)
        assert not field.extensions, (parent, name)
        assert sum(isinstance(each, Requires) for each in field.directives) <= 1


# How to come to the edge, who sees its parent without holding the permission, and who holds it.
WAYS = {
    "Practice.staff": ("practice", "staff { totalCount }", "scheduler", "manager"),
    "Practice.engagements": ("practice", "engagements { totalCount }", "scheduler", "manager"),
    "Practice.invitations": ("practice", "invitations { id }", "scheduler", "manager"),
    "Practice.reviews": ("practice", "reviews { id }", "scheduler", "manager"),
    "Practice.auditEvents": ("practice", "auditEvents { totalCount }", "scheduler", "manager"),
    "Practice.auditCheckpoint": ("practice", "auditCheckpoint { sequence }", "scheduler", "manager"),
    "Agent.members": ("agent", "members { totalCount }", "manager", "member"),
    "Agent.invitations": ("agent", "invitations { id }", "manager", "member"),
    "Agent.tokens": ("agent", "tokens { id }", "manager", "member"),
    "Agent.apiKeys": ("agent", "apiKeys { id }", "member", "admin"),
}


@pytest.mark.parametrize(("edge", "permission"), EDGES)
async def test_an_edge_refuses_who_sees_its_parent_but_lacks_its_permission(
    town: Town, edge: str, permission: str
) -> None:
    elm, acme = await town.practice(), await town.agency()
    await town.engage(elm, acme)
    people = {
        "scheduler": await town.staff(elm, "scheduler@elm.example", "scheduler"),
        "manager": await town.staff(elm, "manager@elm.example", "manager"),
        "member": await town.member(acme, "member@acme.example"),
        "admin": acme.admin,
    }
    parent, inner, without, holder = WAYS[edge]
    document = f"query ($id: ID!) {{ {parent}(id: $id) {{ id {inner} }} }}"
    key = elm.id if parent == "practice" else acme.id
    refused = (await people[without].refusal(document, id=key))["extensions"]
    assert (refused["code"], refused["permission"]) == ("NOT_PERMITTED", permission)
    assert refused["heldBy"], "whom to ask"
    assert (await people[holder].ask(document, id=key))["id"] == key


async def test_a_practice_never_learns_of_another_one_through_an_agent_they_share(town: Town) -> None:
    elm, harbour, acme = await town.practice(), await town.practice("Harbour Counselling"), await town.agency()
    mine, theirs = (await town.engage(elm, acme))["id"], (await town.engage(harbour, acme))["id"]
    document = "query ($id: ID!) { agent(id: $id) { engagements { totalCount nodes { id practice { name } } } } }"
    seen = (await elm.owner.ask(document, id=acme.id))["engagements"]
    assert seen == {"totalCount": 1, "nodes": [{"id": mine, "practice": {"name": "Elm Street Therapy"}}]}
    own = (await acme.admin.ask(document, id=acme.id))["engagements"]
    assert [each["id"] for each in own["nodes"]] == [mine, theirs]


async def test_only_the_agents_own_people_read_its_client_number(town: Town) -> None:
    elm, acme = await town.practice(), await town.agency()
    letters, code = await acme.issue(externalRef="client 17")
    typed = {"letters": letters, "code": code, "confirmAgentId": acme.id, "purpose": "CONTRACTED_SERVICE"}
    done = await elm.owner.do(
        "connectAgent", "... on ConnectAgentSuccess { engagement { id } }", practiceId=elm.id, **typed
    )
    document = "query ($id: ID!) { engagement(id: $id) { externalRef } }"
    key = done["engagement"]["id"]
    assert await elm.owner.ask(document, id=key) == {"externalRef": None}
    assert await (await town.operator()).ask(document, id=key) == {"externalRef": None}
    assert await acme.admin.ask(document, id=key) == {"externalRef": "client 17"}


NEW = {"name": "Elm", "kind": "INDEPENDENT_THERAPIST", "incorporated": False}


async def test_a_seat_that_a_mutation_gives_counts_in_its_own_answer(town: Town) -> None:
    person = await town.person("new@nowhere.example")
    made = await person.do("createPractice", "... on PracticeSuccess { practice { staff { totalCount } } }", **NEW)
    assert made["practice"] == {"staff": {"totalCount": 1}}


async def test_a_session_that_a_mutation_ends_is_over_for_the_next_one_of_the_same_document(town: Town) -> None:
    person = await town.person("new@nowhere.example")
    document = "mutation ($one: CreatePracticeInput!) { signOut createPractice(input: $one) { __typename } }"
    refused = (await person.refusal(document, one=NEW))["extensions"]
    assert refused["code"] == "NOT_SIGNED_IN"
    assert await Practice.all().count() == 0


async def test_a_person_who_lost_their_seat_is_refused_with_the_next_request(town: Town) -> None:
    elm = await town.practice()
    manager = await town.staff(elm, "manager@elm.example", "manager")
    document = "query ($id: ID!) { practice(id: $id) { id } }"
    assert await manager.ask(document, id=elm.id) == {"id": elm.id}
    await StaffMember.filter(user_id=manager.user_id).update(removed_at=town.clock.now)
    assert await manager.ask(document, id=elm.id) is None
