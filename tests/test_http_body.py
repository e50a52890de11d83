"""Bodies: what is not a GraphQL request is a 4xx with a GraphQL error body, never a 500."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http_door import GRAPHQL, JSON, codes, door

BAD_REQUESTS: dict[str, bytes] = {
    "empty": b"",
    "half an object": b'{"query":',
    "words": b"NONSENSE",
    "a number": b"5",
    "null": b"null",
    "true": b"true",
    "a string": b'"{ __typename }"',
    "bad UTF-8": b'{"query": "\xff\xfe"}',
    "a byte order mark": b'\xef\xbb\xbf{"query": "{ __typename }"}',
    "UTF-16": '{"query": "{ __typename }"}'.encode("utf-16"),
    "a lone surrogate": b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}',
    "not a number": b'{"query": "{ __typename }", "variables": {"a": NaN}}',
    "infinity": b'{"query": "{ __typename }", "variables": {"a": 1e999}}',
    "a whole number of 70 bits": b'{"query": "{ __typename }", "variables": {"a": 1180591620717411303424}}',
    "a whole number of 5,000 digits": b'{"query": "{ __typename }", "variables": {"a": ' + b"9" * 5000 + b"}}",
    "30,000 levels of lists": b"[" * 30_000,
    "30,000 levels of lists, closed": b"[" * 30_000 + b"]" * 30_000,
    "10,000 levels of objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "2,000 levels in variables": b'{"query":"{__typename}","variables":{"a":' + b"[" * 2000 + b"]" * 2000 + b"}}",
}


@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
@pytest.mark.parametrize("body", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
async def test_what_is_not_a_request_is_400(body: bytes, accept: str) -> None:
    async with door() as caller:
        response = await caller.post(body, accept=accept)
    assert response.status_code == 400
    assert codes(response) == ["BAD_REQUEST"]
    assert "data" not in response.json()


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"qeury": "{ __typename }"},
        {"query": None},
        {"query": 5},
        {"query": ["{ __typename }"]},
        {"query": {"text": "{ __typename }"}},
        {"query": "{ __typename }", "operationName": 5},
        {"query": "{ __typename }", "operationName": ["A"]},
        {"query": "{ __typename }", "variables": [7]},
        {"query": "{ __typename }", "variables": "{}"},
        {"query": "{ __typename }", "variables": 0},
        {"query": "{ __typename }", "variables": False},
        {"query": "{ __typename }", "extensions": "x"},
        {"query": "{ __typename }", "extensions": []},
        [{"query": "{ __typename }"}],
    ],
)
async def test_parameters_of_the_wrong_type_are_400(content: Any) -> None:
    async with door() as caller:
        response = await caller.post(content)
    assert response.status_code == 400
    assert codes(response) == ["BAD_REQUEST"]


@pytest.mark.parametrize("absent", ["operationName", "variables", "extensions"])
async def test_null_means_that_an_optional_parameter_is_absent(absent: str) -> None:
    async with door() as caller:
        response = await caller.post({"query": "{ __typename }", absent: None})
    assert response.json() == {"data": {"__typename": "Query"}, "extensions": {"cost": 0}}


async def test_unknown_parameters_are_ignored() -> None:
    async with door() as caller:
        response = await caller.post({"query": "{ __typename }", "id": "future"})
    assert response.status_code == 200


async def test_a_number_of_64_bits_arrives_unchanged_and_one_in_a_text_is_no_number() -> None:
    async with door() as caller:
        response = await caller.post(
            {"query": "query ($t: String!) { echo(text: $t) }", "variables": {"t": "9" * 40, "unused": 2**64 - 1}}
        )
    assert response.json()["data"] == {"echo": "9" * 40}


async def test_a_body_of_64_kib_is_read_and_one_byte_more_is_413() -> None:
    query = b'{"query": "{ __typename }"}'
    async with door() as caller:
        fits = await caller.post(query + b" " * (65_536 - len(query)))
        larger = await caller.post(query + b" " * (65_537 - len(query)))
    assert fits.status_code == 200
    assert larger.status_code == 413
    assert codes(larger) == ["BODY_TOO_LARGE"]


@pytest.mark.parametrize("name", [None, ""])
async def test_several_operations_without_a_name_are_refused(name: str | None) -> None:
    async with door() as caller:
        response = await caller.post({"query": "query A { __typename } query B { __typename }", "operationName": name})
    assert response.status_code == 400
    assert codes(response) == ["OPERATION_NOT_FOUND"]


async def test_the_named_operation_is_the_one_that_is_executed() -> None:
    query = 'query A { echo(text: "a") } query B { echo(text: "b") }'
    async with door() as caller:
        response = await caller.post({"query": query, "operationName": "B"})
    assert response.json()["data"] == {"echo": "b"}


async def test_an_unknown_operation_name_is_refused_and_not_repeated() -> None:
    async with door() as caller:
        response = await caller.post({"query": "query A { __typename }", "operationName": "C" * 5000})
    assert codes(response) == ["OPERATION_NOT_FOUND"]
    assert "CCCC" not in response.text


async def test_variables_nested_deeply_are_refused_and_not_a_fault() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    async with door() as caller:
        response = await caller.ask("query ($t: String!) { echo(text: $t) }", {"t": deep})
    assert response.status_code == 400
    assert codes(response) == ["INVALID_VARIABLES"]
