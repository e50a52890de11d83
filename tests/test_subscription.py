"""How a subscription is executed: a guard asked again for every event, sources that are async generators."""

from __future__ import annotations

import ast
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import strawberry
from graphql import parse
from graphql.execution import Executor

from authz.actor import Access
from errors import NotPermitted, NotSignedIn
from resolvers import subscription
from resolvers.execution import Schema
from resolvers.guard import requires
from resolvers.schema import schema as whole
from server.running import SESSION_MUTATIONS

CHECKOUT = Path(__file__).resolve().parent.parent


class Actor:
    def __init__(self, permitted: bool) -> None:
        self.permitted = permitted

    def access(self, permission: str, place: object) -> str:
        if not self.permitted:
            raise NotPermitted(permission)
        return f"proof of {permission}"


class Away:
    def access(self, permission: str, place: object) -> str:
        raise ConnectionError


@strawberry.type
class Query:
    name: str = "x"


class Unusual:
    def __aiter__(self) -> Unusual:
        return self

    async def __anext__(self) -> str:
        return "event"


@strawberry.type
class Subscription:
    @strawberry.subscription(extensions=requires("account.read"))  # type: ignore[untyped-decorator]  # typed as Any
    async def watched(self, access: Access) -> AsyncGenerator[str, None]:
        yield str(access)
        yield "second"

    @strawberry.subscription
    async def unusual(self) -> AsyncIterator[str]:
        return Unusual()


SCHEMA = Schema(Query, subscription=Subscription)
PERMITTED = SimpleNamespace(actor=Actor(True), note_role_use=lambda access: None)
FORBIDDEN = SimpleNamespace(actor=Actor(False))
NOBODY = SimpleNamespace(actor=None)


def executor(context: Any, query: str = "subscription { watched }") -> Executor[Any]:
    made = SCHEMA.executor(parse(query), None, {}, context)
    assert not isinstance(made, list)
    return made


async def test_the_guard_of_the_field_gives_its_proof_to_the_source() -> None:
    source = await subscription.begin(executor(PERMITTED))
    assert [event async for event in source] == ["proof of account.read", "second"]


@pytest.mark.parametrize(("context", "refusal"), [(FORBIDDEN, NotPermitted), (NOBODY, NotSignedIn)])
async def test_the_guard_of_the_field_is_asked_at_the_beginning_at_each_event_and_by_a_check(
    context: Any, refusal: type[Exception]
) -> None:
    result = await subscription.answer(executor(PERMITTED), "event")
    assert result.data == {"watched": "event"}
    for asked in (
        subscription.begin(executor(context)),
        subscription.answer(executor(context), "event"),
        subscription.check(executor(context)),
    ):
        with pytest.raises(subscription.NotBegun) as refused:
            await asked
        assert isinstance(refused.value.errors[0].original_error, refusal)


async def test_a_fault_on_the_way_to_the_source_is_no_refusal() -> None:
    with pytest.raises(ConnectionError):
        await subscription.check(executor(SimpleNamespace(actor=Away())))


async def test_a_check_runs_nothing_of_the_source() -> None:
    ran: list[str] = []

    @strawberry.type
    class Noting:
        @strawberry.subscription
        async def noted(self) -> AsyncGenerator[str, None]:
            ran.append("source")
            yield "event"

    made = Schema(Query, subscription=Noting).executor(parse("subscription { noted }"), None, {}, PERMITTED)
    assert not isinstance(made, list)
    await subscription.check(made)
    assert ran == []


async def test_a_subscription_that_is_no_async_generator_is_a_bug_that_is_met_at_once() -> None:
    with pytest.raises(TypeError, match="must be an async generator"):
        await subscription.begin(executor(PERMITTED, "subscription { unusual }"))


def test_the_mutations_that_change_the_session_are_the_ones_that_sockets_refuse() -> None:
    files = ("identity.py", "passkeys.py", "sessions.py")
    trees = [ast.parse((CHECKOUT / "resolvers" / each).read_text()) for each in files]
    changing = set()
    for node in (each for tree in trees for each in ast.walk(tree)):
        if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_"):
            names = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
            called = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            if "session_change" in names or "welcome" in called:
                changing.add(node.name)
    changing.remove("welcome")  # the one that the others call
    spelled = {first + "".join(map(str.capitalize, rest)) for first, *rest in (each.split("_") for each in changing)}
    assert spelled == SESSION_MUTATIONS
    mutation = whole.graphql_schema.mutation_type
    assert mutation is not None
    assert set(mutation.fields) >= SESSION_MUTATIONS


def test_nothing_else_in_the_resolvers_changes_the_session() -> None:
    found = {
        path.name
        for path in (CHECKOUT / "resolvers").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "session_change" and isinstance(node.ctx, ast.Store)
    }
    assert found == {"identity.py"}
