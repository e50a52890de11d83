"""The private names of strawberry and graphql-core that execution rests on, and what it promises."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import strawberry
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, parse
from graphql.execution import Executor
from graphql.validation.rules import overlapping_fields_can_be_merged

import limits
from resolvers.execution import Schema
from tests.http_door import SCHEMA, SECRET


def test_the_private_names_are_where_they_are_used() -> None:
    assert isinstance(SCHEMA._schema, GraphQLSchema)
    assert issubclass(SCHEMA.execution_context_class, Executor)
    assert strawberry.Schema.process_errors is not Schema.process_errors
    assert limits.of("document_overlaps") == overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET


async def run(query: str, variables: dict[str, Any] | None = None) -> ExecutionResult | list[GraphQLError]:
    return await SCHEMA.run(parse(query), None, variables or {}, None)


async def test_execution_that_begins_gives_a_result_and_one_that_does_not_gives_errors() -> None:
    begun = await run("{ practice { name } }")
    assert isinstance(begun, ExecutionResult)
    assert begun.data == {"practice": {"name": "Elm Street"}}
    assert isinstance(await run("query ($t: String!) { echo(text: $t) }"), list)


class Lost(Exception):
    pass


@strawberry.type
class Missing:
    message: str


@strawberry.type
class Found:
    name: str


class Handler(strawberry.ExceptionHandler[Lost, Missing]):
    def handle(self, exception: Lost, **rest: Any) -> Missing:
        return Missing(message="gone")


@strawberry.type
class Query:
    @strawberry.field
    async def thing(self) -> Found | Missing:
        raise Lost


async def test_exception_handlers_turn_refusals_into_union_members() -> None:
    schema = Schema(Query, exception_handlers=[Handler()])
    result = await schema.run(parse("{ thing { ... on Missing { message } } }"), None, {}, None)
    assert isinstance(result, ExecutionResult)
    assert result.data == {"thing": {"message": "gone"}}


async def test_the_librarys_own_execute_logs_no_line_of_the_document(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await SCHEMA.execute(f'{{ slow(code: "{SECRET}", number: "x") }}')
    assert SECRET not in caplog.text
