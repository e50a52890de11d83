"""GraphQL over HTTP: media types, methods and statuses, point by point."""

from __future__ import annotations

import httpx2
import pytest

from server import media
from tests.http_door import GRAPHQL, JSON, codes, door

TYPENAME = {"query": "{ __typename }"}


def kind(response: httpx2.Response) -> str:
    return response.headers["content-type"]


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        (None, GRAPHQL),
        ("", GRAPHQL),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, {JSON}", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", JSON),
        (f"{JSON};q=0.5, {GRAPHQL}", GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON}", JSON),
        (f"{GRAPHQL}, */*", GRAPHQL),
        (f"*/*, {GRAPHQL}", GRAPHQL),
        (f"{GRAPHQL};q=0, */*", JSON),
        (f"{JSON};q=0, */*", GRAPHQL),
        ("Application/JSON; charset=UTF-8", JSON),
        (f"{GRAPHQL}; charset=utf-8, {JSON}; charset=utf-8", GRAPHQL),
        ("text/html", None),
        ("application/json; charset=utf-16", None),
        ("application/json;q=0", None),
        ("application/json;q=nonsense", None),
        (";;;, /, q=1", None),
    ],
)
def test_the_answer_takes_the_media_type_the_client_likes_best(accept: str | None, answer: str | None) -> None:
    assert media.answer_type(accept) == answer


@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
async def test_an_answer_names_its_media_type_and_utf8(accept: str) -> None:
    async with door() as caller:
        response = await caller.ask('{ echo(text: "Grüße 🗝") }', accept=accept)
    assert response.status_code == 200
    assert kind(response) == f"{accept}; charset=utf-8"
    assert response.content.decode("utf-8").count("Grüße 🗝") == 1


async def test_accepting_neither_media_type_is_406() -> None:
    async with door() as caller:
        response = await caller.post(TYPENAME, accept="text/plain")
    assert response.status_code == 406
    assert codes(response) == ["NOT_ACCEPTABLE"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "QUERY", "TRACE"])
async def test_other_methods_are_405_and_say_which_are_allowed(method: str) -> None:
    async with door() as caller:
        response = await caller.client.request(method, "/graphql?query={__typename}", headers={"Accept": JSON})
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/graphql"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json, text/plain"},
        {"Content-Type": "nonsense"},
        {"Content-Type": ""},
        {"Content-Encoding": "gzip"},
    ],
)
async def test_a_body_that_does_not_say_json_in_utf8_is_415(headers: dict[str, str]) -> None:
    async with door() as caller:
        response = await caller.post(TYPENAME, headers=headers)
    assert response.status_code == 415
    assert codes(response) == ["UNSUPPORTED_MEDIA_TYPE"]


async def test_a_body_without_a_content_type_is_415() -> None:
    async with door() as caller:
        response = await caller.client.post("/graphql", content=b'{"query": "{ __typename }"}')
    assert response.status_code == 415


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON", 'application/json; charset="UTF-8"'])
async def test_json_is_read_however_its_name_is_written(content_type: str) -> None:
    async with door() as caller:
        response = await caller.post(TYPENAME, headers={"Content-Type": content_type})
    assert response.json()["data"] == {"__typename": "Query"}


NOT_EXECUTED = [
    ("{", "GRAPHQL_PARSE_FAILED"),
    ("", "GRAPHQL_PARSE_FAILED"),
    ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
    ("query A { __typename } query B { __typename }", "OPERATION_NOT_FOUND"),
    ("query ($code: String!) { slow(code: $code) }", "INVALID_VARIABLES"),
    ("fragment A on Query { __typename }", "GRAPHQL_VALIDATION_FAILED"),
    ("type Query { a: Int }", "GRAPHQL_VALIDATION_FAILED"),
    ("subscription { a }", "GRAPHQL_VALIDATION_FAILED"),
]


@pytest.mark.parametrize(("query", "code"), NOT_EXECUTED)
async def test_a_document_that_is_not_executed_is_400_without_data(query: str, code: str) -> None:
    async with door() as caller:
        response = await caller.ask(query, accept=GRAPHQL)
    assert response.status_code == 400
    assert codes(response)[0] == code
    assert "data" not in response.json()


@pytest.mark.parametrize(("query", "code"), NOT_EXECUTED)
async def test_a_document_that_is_not_executed_is_200_without_data_as_plain_json(query: str, code: str) -> None:
    async with door() as caller:
        response = await caller.ask(query, accept=JSON)
    assert response.status_code == 200
    assert codes(response)[0] == code
    assert "data" not in response.json()


@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
async def test_an_error_in_a_field_is_200_with_the_rest_of_the_data(accept: str) -> None:
    async with door() as caller:
        response = await caller.ask("{ practice { name stale } }", accept=accept)
    assert response.status_code == 200
    assert response.json()["data"] == {"practice": {"name": "Elm Street", "stale": None}}
    assert list(response.json()) == ["errors", "data", "extensions"]


@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
async def test_an_error_that_nulls_all_data_is_200_with_null(accept: str) -> None:
    async with door() as caller:
        response = await caller.ask("{ practice { brokenToo } }", accept=accept)
    assert response.status_code == 200
    assert response.json()["data"] is None


async def test_an_unknown_page_is_404_with_an_error_body() -> None:
    async with door() as caller:
        response = await caller.client.get("/nowhere")
    assert response.status_code == 404
    assert codes(response) == ["NOT_FOUND"]


@pytest.mark.parametrize("path", ["/graphql/", "/GraphQL"])
async def test_the_path_is_exact_or_leads_to_it(path: str) -> None:
    async with door() as caller:
        response = await caller.client.post(path, json=TYPENAME)
    assert response.status_code in (307, 404)
