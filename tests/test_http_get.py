"""GET and HEAD: stored queries only, as strictly read as a body."""

from __future__ import annotations

import json

import pytest

from server.manifest import id_of
from tests.http_door import GRAPHQL, JSON, SESSION, by_id, codes, door, served, storing

NAME = "query Name { practice { name } }"
ECHO = "query Echo($text: String!) { echo(text: $text) }"
SEVERAL = 'query A { echo(text: "a") } mutation B { signOut }'
SIGN_IN = 'mutation { signIn(input: {email: "a@b.example", password: "x"}) }'
SIGN_OUT = "mutation { signOut }"
STORED = storing(NAME, ECHO, SEVERAL, SIGN_IN, SIGN_OUT)
HTML = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"


def echo(**variables: str) -> dict[str, str]:
    return {"documentId": id_of(ECHO), "variables": json.dumps(variables)}


@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
async def test_a_stored_query_is_answered_by_get_as_by_post(accept: str) -> None:
    async with door(stored=STORED) as caller:
        got = await caller.get(echo(text="Grüße & + 🗝"), accept=accept)
        posted = await caller.post({**echo(), "variables": {"text": "Grüße & + 🗝"}}, accept=accept)
    assert got.status_code == 200
    assert got.headers["content-type"] == f"{accept}; charset=utf-8"
    assert got.content == posted.content


async def test_the_address_of_the_specification_with_a_plain_colon_is_read() -> None:
    async with door(stored=STORED) as caller:
        response = await caller.get(f"documentId=sha256:{id_of(ECHO)}&variables=%7B%22text%22%3A%22a+b%22%7D")
    assert response.json()["data"] == {"echo": "a b"}


async def test_a_get_needs_no_content_type_and_its_body_is_not_read() -> None:
    async with door(stored=STORED) as caller:
        headers = {"Cookie": caller.cookie or "", "Content-Type": "text/plain"}
        response = await caller.client.request(
            "GET", f"/graphql?documentId={id_of(NAME)}", headers=headers, content=b"}{"
        )
    assert response.json()["data"] == {"practice": {"name": "Elm Street"}}


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize(
    "parameters", [by_id(SIGN_OUT), by_id(SIGN_IN), by_id(SEVERAL, operationName="B")], ids=["one", "public", "named"]
)
async def test_a_mutation_by_get_is_405_and_is_not_executed(parameters: dict[str, str], signed_in: bool) -> None:
    async with door(signed_in, stored=STORED) as caller:
        response = await caller.get(parameters)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert "set-cookie" not in response.headers
    assert codes(response) == ["METHOD_NOT_ALLOWED"]


async def test_the_query_beside_a_mutation_may_be_asked_by_get() -> None:
    async with door(stored=STORED) as caller:
        response = await caller.get(by_id(SEVERAL, operationName="A"))
    assert response.json()["data"] == {"echo": "a"}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("parameters", ["", "query={__typename}", "query=mutation{signOut}", "variables={}", "id=7"])
async def test_a_get_that_names_no_stored_document_is_405_and_says_what_get_is_for(
    parameters: str, method: str
) -> None:
    async with door(stored=STORED) as caller:
        response = await caller.get(parameters, method=method)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert "set-cookie" not in response.headers
    assert method == "HEAD" or "documentId" in response.json()["errors"][0]["message"]


ID = id_of(ECHO)
GOOD = 'variables={"text":"a"}'


@pytest.mark.parametrize(
    "parameters",
    {
        "an id and a text": f"documentId={ID}&query={{__typename}}",
        "an id and an empty text": f"documentId={ID}&query=",
        "an empty id": f"documentId=&{GOOD}",
        "a malformed id": f"documentId=sha256:nonsense&{GOOD}",
        "the id twice": f"documentId={ID}&documentId={ID}&{GOOD}",
        "the id twice, once in disguise": f"documentId={ID}&document%49d={ID}&{GOOD}",
        "variables twice": f"documentId={ID}&{GOOD}&{GOOD}",
        "operationName twice": f"documentId={ID}&{GOOD}&operationName=&operationName=Echo",
        "half of variables": f'documentId={ID}&variables={{"text":',
        "variables that are no object": f"documentId={ID}&variables=[7]",
        "variables that are a text": f'documentId={ID}&variables="{{}}"',
        "not a number": f'documentId={ID}&variables={{"text":NaN}}',
        "a whole number of 70 bits": f'documentId={ID}&variables={{"text":1180591620717411303424}}',
        "a lone surrogate": f'documentId={ID}&variables={{"text":"\\ud800"}}',
        "two thousand levels": f"documentId={ID}&variables=" + '{"text":' + "[" * 2000 + "]" * 2000 + "}",
        "bad UTF-8": f'documentId={ID}&variables={{"text":"%FF"}}',
        "a surrogate in UTF-8": f'documentId={ID}&variables={{"text":"%ED%A0%80"}}',
        "extensions that are no object": f"documentId={ID}&{GOOD}&extensions=[]",
        "extensions that are no JSON": f"documentId={ID}&{GOOD}&extensions=x",
    }.items(),
    ids=lambda item: item[0],
)
@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
async def test_an_address_that_is_not_a_request_is_400(parameters: tuple[str, str], accept: str) -> None:
    async with door(stored=STORED) as caller:
        response = await caller.get(parameters[1], accept=accept)
    assert response.status_code == 400
    assert codes(response) == ["BAD_REQUEST"]
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("more", ["operationName=", "extensions=", "extensions={}", "extensions=null", "x=1&x=2", "&&"])
async def test_empty_optional_parameters_are_absent_and_unknown_ones_ignored(more: str) -> None:
    async with door(stored=STORED) as caller:
        response = await caller.get(f"documentId={ID}&{GOOD}&{more}")
    assert response.json()["data"] == {"echo": "a"}


async def test_the_text_null_is_the_name_of_an_operation() -> None:
    async with door(stored=STORED) as caller:
        assert codes(await caller.get(by_id(NAME, operationName="null"))) == ["OPERATION_NOT_FOUND"]


@pytest.mark.parametrize(("accept", "status"), [(GRAPHQL, 400), (JSON, 200)])
async def test_an_unknown_id_by_get_has_the_status_of_a_request_that_is_not_executed(accept: str, status: int) -> None:
    async with door(stored=STORED) as caller:
        response = await caller.get(by_id("{ nothing }"), accept=accept)
    assert response.status_code == status
    assert codes(response) == ["PERSISTED_DOCUMENT_NOT_FOUND"]
    assert "etag" not in response.headers


async def test_an_address_longer_than_the_limit_of_headers_is_431() -> None:
    async with door(stored=STORED) as caller:
        response = await caller.get(echo(text="x" * 40_000))
    assert response.status_code == 431


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_get_that_another_sites_page_makes_is_403(method: str) -> None:
    async with door(stored=STORED, origins=["https://app.example"]) as caller:
        for headers in ({"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}):
            assert (await caller.get(by_id(NAME), method=method, **headers)).status_code == 403
        assert (await caller.get(by_id(NAME), method=method, origin="https://app.example")).status_code == 200


async def test_accepting_neither_media_type_is_406_by_get_too() -> None:
    async with door(stored=STORED) as caller:
        assert (await caller.get(by_id(NAME), accept="text/html")).status_code == 406


async def test_a_browser_that_opens_the_address_of_a_stored_document_gets_its_answer_and_not_graphiql() -> None:
    async with door(stored=STORED) as caller:
        answer = await caller.get(by_id(NAME), accept=HTML)
        page = await caller.get({"query": "{ __typename }"}, accept=HTML)
    assert answer.json()["data"] == {"practice": {"name": "Elm Street"}}
    assert page.headers["content-type"].startswith("text/html")


async def test_head_is_get_without_the_body() -> None:
    async with door(stored=STORED) as caller:
        got, headed = [await caller.get(by_id(NAME), method=method, x_request_id="same") for method in ("GET", "HEAD")]
    assert headed.content == b""
    assert headed.headers == got.headers
    assert int(headed.headers["content-length"]) == len(got.content)


async def test_head_and_304_have_no_body_on_a_real_connection_which_goes_on() -> None:
    async with served(stored=STORED) as port, door(stored=STORED) as caller:
        base, headers = f"http://127.0.0.1:{port}/graphql", {"Cookie": f"sparekey={SESSION}", "Accept": GRAPHQL}
        got = await caller.get(by_id(NAME))
        from httpx2 import AsyncClient

        async with AsyncClient(headers=headers, params=by_id(NAME)) as client:
            headed = await client.head(base)
            again = await client.get(base, headers={"If-None-Match": got.headers["etag"]})
            full = await client.get(base)
    assert (headed.status_code, headed.content, headed.headers["etag"]) == (200, b"", got.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert full.content == got.content
