"""Edges: one body for all, which asks the request's context by type and field."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.agent import Agent, AgentMember, AgentMemberConnection
from schema.engagement import EngagementConnection
from schema.inputs import ConnectAgentInput, RevokeAgentInput
from schema.kinds import AgentKind, AgentStatus, EngagementStatus, MemberStatus
from schema.node import Node
from schema.page import PageInfo
from schema.person import Viewer
from schema.scalars import SCALARS

ACME = Agent(
    id=strawberry.ID("acme"),
    row={"id": "acme", "code_hash": b"x"},
    kind=AgentKind.BILLING_COMPANY,
    legal_name="ACME Billing",
    city="Springfield",
    address="1 Main Street",
    phone="+1 555 0100",
    email="office@acme.example",
    status=AgentStatus.ACTIVE,
    verified_at=None,
)
KIM = AgentMember(
    id=strawberry.ID("kim"), row={"agent_id": "acme"}, admin=True, status=MemberStatus.ACTIVE, last_active_at=None
)
NOWHERE = PageInfo(has_next_page=False, has_previous_page=False, start_cursor=None, end_cursor=None)


class Context:
    """What `resolvers/` brings, reduced to the one call that the types make. It notes what it is asked for."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, Any, dict[str, Any]]] = []

    async def edge(self, info: strawberry.Info, root: Any, **given: Any) -> Any:
        type_name = info._raw_info.parent_type.name
        self.asked.append((type_name, info.field_name, root, given))
        return self.answers[f"{type_name}_{info.field_name}"]


def _node(id: strawberry.ID) -> Node | None:
    return {"acme": ACME, "kim": KIM}.get(id)


def _viewer() -> Viewer:
    return Viewer(actor="kim")


def _typed(input: ConnectAgentInput) -> bool:
    SEEN.append(input)
    return True


def _ended(input: RevokeAgentInput) -> bool:
    SEEN.append(input)
    return True


SEEN: list[Any] = []


@strawberry.type
class Query:
    node: Node | None = strawberry.field(resolver=_node)
    viewer: Viewer = strawberry.field(resolver=_viewer)
    typed: bool = strawberry.field(resolver=_typed)
    ended: bool = strawberry.field(resolver=_ended)


SCHEMA = strawberry.Schema(Query, types=[Agent, AgentMember], config=StrawberryConfig(scalar_map=SCALARS))


def _execute(document: str, context: Context | None = None, **variables: Any) -> dict[str, Any]:
    answer = asyncio.run(SCHEMA.execute(document, variables, context))
    assert answer.errors is None
    assert answer.data is not None
    return answer.data


def test_a_node_is_told_apart_by_its_class_and_followed_by_its_row() -> None:
    context = Context(AgentMember_agent=ACME)
    data = _execute('{ node(id: "kim") { __typename ... on AgentMember { admin agent { legalName } } } }', context)
    assert data["node"] == {"__typename": "AgentMember", "admin": True, "agent": {"legalName": "ACME Billing"}}
    ((type_name, field_name, root, given),) = context.asked
    assert (type_name, field_name, given) == ("AgentMember", "agent", {})
    assert root.row["agent_id"] == "acme"


def test_plain_fields_ask_nobody() -> None:
    context = Context()
    _execute('{ node(id: "acme") { ... on Agent { id kind legalName status verifiedAt } } }', context)
    assert context.asked == []


def test_arguments_that_were_left_out_arrive_as_none() -> None:
    page = AgentMemberConnection(listed=None)
    context = Context(Agent_members=page, AgentMemberConnection_nodes=[])
    _execute('{ node(id: "acme") { ... on Agent { members(first: 2) { nodes { id } } } } }', context)
    assert context.asked[0][3] == {"first": 2, "after": None, "last": None, "before": None}


def test_a_filter_by_status_arrives_as_enum_members() -> None:
    page = EngagementConnection(listed=None)
    context = Context(Agent_engagements=page, EngagementConnection_nodes=[])
    document = '{ node(id: "acme") { ... on Agent { engagements(last: 1, status: [ACTIVE]) { nodes { id } } } } }'
    _execute(document, context)
    assert context.asked[0][3]["status"] == [EngagementStatus.ACTIVE]


def test_live_tokens_are_the_default_and_null_is_passed_on() -> None:
    context = Context(Agent_tokens=[])
    tokens = "a: tokens { id } b: tokens(live: null) { id } c: tokens(live: false) { id }"
    document = f'{{ node(id: "acme") {{ ... on Agent {{ {tokens} }} }} }}'
    _execute(document, context)
    assert [given["live"] for *_, given in context.asked] == [True, None, False]


def test_the_total_of_a_page_is_counted_only_when_asked() -> None:
    page = AgentMemberConnection(listed="agent acme")
    answers = {"pageInfo": NOWHERE, "totalCount": 7}
    context = Context(Agent_members=page, **{f"AgentMemberConnection_{name}": value for name, value in answers.items()})
    _execute('{ node(id: "acme") { ... on Agent { members { pageInfo { endCursor } } } } }', context)
    assert [asked[1] for asked in context.asked] == ["members", "pageInfo"]
    data = _execute('{ node(id: "acme") { ... on Agent { members { totalCount } } } }', context)
    assert data["node"] == {"members": {"totalCount": 7}}
    assert context.asked[-1][2].listed == "agent acme"


def test_the_viewer_s_permissions_are_of_one_practice() -> None:
    context = Context(Viewer_permissions=["claims.read"])
    assert _execute('{ viewer { permissions(practiceId: "elm") } }', context) == {
        "viewer": {"permissions": ["claims.read"]}
    }
    assert context.asked[0][2].actor == "kim"
    assert context.asked[0][3] == {"practice_id": "elm"}


def test_an_optional_input_that_was_left_out_is_none_and_so_is_null() -> None:
    SEEN.clear()
    _execute('{ a: ended(input: {engagementId: "1"}) b: ended(input: {engagementId: "1", reason: null}) }')
    assert [(typed.reason, typed.idempotency_key) for typed in SEEN] == [(None, None), (None, None)]


def test_an_input_s_time_arrives_in_utc_and_its_default_is_false() -> None:
    SEEN.clear()
    document = """query($input: ConnectAgentInput!) { typed(input: $input) }"""
    given = {"practiceId": "1", "letters": "bcdf", "code": "1", "confirmAgentId": "2", "purpose": "CONTRACTED_SERVICE"}
    _execute(document, input={**given, "expiresAt": "2026-03-01T09:30:00+01:00"})
    (typed,) = SEEN
    assert typed.expires_at == datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
    assert typed.not_my_employee is False
