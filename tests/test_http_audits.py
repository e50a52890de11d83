"""The GraphQL-over-HTTP specification's MUST and SHOULD, one row for each, under the ids of the audit suite that
other servers publish their results of (`serverAudits` of the npm package graphql-http).

Three of its audits are a MAY that is declined: 5A70, D6D5 and 6A70 ask for GET of a query's text, which this server
answers for stored documents alone.

The statuses are those of the drafts, of the suite and of the clients that were written for them. The specification's
first edition (September 2026) would rather see 422 where a document is valid JSON and is not executed, and 294 where
there are data and errors; 400 and 200 stay allowed.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.http_door import GRAPHQL, JSON, door

ASKED = {"query": "{ __typename }"}
BY_NAME = {"query": "query Query { __typename }", "operationName": "Query"}
WITH_VARIABLE = {"query": "query ($name: String!) { __type(name: $name) { name } }", "variables": {"name": "x"}}
WRONG_VARIABLE = {"query": "query ($id: ID!) { __type(name: $id) { name } }", "variables": {"id": None}}
INVALID = {"query": "{ aFieldThatNobodyHas }"}
WRONG = ({"obj": "ect"}, 0, False, ["array"])
NO_MAP = ("string", 0, False, ["array"])

ANSWERED: list[tuple[str, str | None, Any, str]] = [
    ("22EB", GRAPHQL, ASKED, GRAPHQL),
    ("4655", JSON, ASKED, JSON),
    ("47DE", "*/*", ASKED, JSON),
    ("80D8", None, ASKED, GRAPHQL),  # the specification since January 2025; the suite's older text says JSON
    ("34A2", GRAPHQL, ASKED, GRAPHQL),
    ("13EE", JSON, ASKED, JSON),
    ("8161", GRAPHQL, BY_NAME, GRAPHQL),
    ("B8B3", JSON, BY_NAME, JSON),
    *((f"94B{n}", GRAPHQL, {**ASKED, name: None}, GRAPHQL) for n, name in enumerate(("variables", "operationName"))),
    ("94B2", GRAPHQL, {**ASKED, "extensions": None}, GRAPHQL),
    *((f"022{n}", JSON, {**ASKED, name: None}, JSON) for n, name in enumerate(("variables", "operationName"))),
    ("0222", JSON, {**ASKED, "extensions": None}, JSON),
    ("2EA1", GRAPHQL, WITH_VARIABLE, GRAPHQL),
    ("28B9", JSON, WITH_VARIABLE, JSON),
    ("428F", GRAPHQL, {**ASKED, "extensions": {"some": "value"}}, GRAPHQL),
    ("1B7A", JSON, {**ASKED, "extensions": {"some": "value"}}, JSON),
]


@pytest.mark.parametrize(("accept", "content", "kind"), [row[1:] for row in ANSWERED], ids=[row[0] for row in ANSWERED])
async def test_what_must_be_answered_is(accept: str | None, content: Any, kind: str) -> None:
    async with door() as caller:
        if accept is None:
            del caller.client.headers["accept"]  # the HTTP client's own */*
        response = await caller.post(content, accept=accept)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{kind}; charset=utf-8"
    assert "errors" not in response.json()


@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=utf-8"], ids=["78D5", "BF61"])
async def test_a_body_is_read_as_utf8_said_or_not(content_type: str) -> None:
    async with door() as caller:
        body = '{"query": "{ echo(text: \\"🏃🏊\\") }"}'.encode()
        response = await caller.post(body, headers={"Content-Type": content_type})
    assert response.json()["data"] == {"echo": "🏃🏊"}


REFUSED: list[tuple[str, Any, int, int]] = [  # the status as GraphQL's own media type, and as plain JSON
    ("A5BF", b"", 400, 400),
    ("423L", {"notquery": "{ __typename }"}, 400, 400),
    *((f"LKJ{n}", {"query": wrong}, 400, 400) for n, wrong in enumerate(WRONG)),
    *((f"6C0{n}", {**ASKED, "operationName": wrong}, 400, 400) for n, wrong in enumerate(WRONG)),
    *((f"476{n}", {**ASKED, "variables": wrong}, 400, 400) for n, wrong in enumerate(NO_MAP)),
    *((f"58B{n}", {**ASKED, "extensions": wrong}, 400, 400) for n, wrong in enumerate(NO_MAP)),
    ("B6DC BCF8 B7N8", b'{ "not a JSON', 400, 400),
    ("8764 3E3A", {"qeury": "{ __typename }"}, 400, 400),
    ("865D 556A D586 572B", {"query": "{"}, 400, 200),
    ("51FE 74FF 5E5B FDE2", INVALID, 400, 200),
    ("86EE 7B9B", WRONG_VARIABLE, 400, 200),
]


@pytest.mark.parametrize(("content", "graphql", "json"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_what_must_be_refused_is_without_data(content: Any, graphql: int, json: int) -> None:
    async with door() as caller:
        responses = {kind: await caller.post(content, accept=kind) for kind in (GRAPHQL, JSON)}
    assert [each.status_code for each in responses.values()] == [graphql, json]
    for kind, response in responses.items():
        assert response.headers["content-type"] == f"{kind}; charset=utf-8"
        assert response.json()["errors"]
        assert "data" not in response.json()


async def test_bc58_what_is_not_permitted_is_401() -> None:
    async with door(signed_in=False) as caller:
        assert (await caller.ask("{ practice { name } }")).status_code == 401


async def test_9abe_a_body_that_says_no_type_is_refused() -> None:
    async with door() as caller:
        assert (await caller.client.post("/graphql", content=b"{}")).status_code == 415


@pytest.mark.parametrize("query", ["mutation { __typename }", "mutation { signOut }"])
async def test_9c48_a_mutation_by_get_is_405(query: str) -> None:
    async with door() as caller:
        assert (await caller.get({"query": query})).status_code == 405


async def test_ee52_data_beside_errors_is_200() -> None:
    async with door() as caller:
        responses = [await caller.ask("{ practice { name stale } }", accept=kind) for kind in (GRAPHQL, JSON)]
    assert [each.status_code for each in responses] == [200, 200]
