"""Whatever arrives, the answer is a GraphQL body and never a 500.

`make fuzz` runs the same with more examples: FUZZ_EXAMPLES of them for each test.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from urllib.parse import quote, urlencode

import httpx2
import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.http_errors import CODES
from server.manifest import id_of
from tests.http_door import GRAPHQL, JSON, SESSION, Caller, app, door, storing

FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "300")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
STORED = storing(
    "query ($text: String!) { echo(text: $text) }",
    "query A($n: Int) { practice { name stale agents(first: $n) { nodes { name } } } } mutation B { signOut }",
    'mutation { connectAgent(code: "1234") }',
)
APP = app(stored=STORED)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
WORDS = (
    *("{", "}", "(", ")", "[", "]", "...", ":", "$", "!", "=", "@", "|", "&", "#", "null", "true", "1.5e9"),
    *("query", "mutation", "subscription", "fragment", "on", "skip", "include", "if", "first", "last", "input"),
    *("__typename", "__schema", "__type", "Query", "Practice", "Agent", "Mutation", "Int", "String", "SignInInput"),
    *("practice", "agent", "agents", "nodes", "edges", "node", "name", "slow", "echo", "stale", "broken", "signIn"),
    *("code", "text", "kind", "a", "b", "ONE", "$v", "$w", '"a"', "493827165038", "\n", "\ufeff", "\u0000", "é"),
)
documents = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)


def selections(leaves: list[str], objects: dict[str, str], depth: int) -> st.SearchStrategy[str]:
    """Valid selections: so that what is fuzzed also reaches execution."""
    choices = [st.sampled_from(leaves)]
    for field, kind in objects.items() if depth else ():
        choices.append(selections(*TYPES[kind], depth - 1).map((field + " {{ {} }}").format))
    return st.lists(st.one_of(choices), min_size=1, max_size=3).map(" ".join)


TYPES: dict[str, tuple[list[str], dict[str, str]]] = {
    "Query": (["__typename", 'echo(text: "a")', "echo(text: $v)", "x: address"], {"practice": "Practice"}),
    "Practice": (
        ["name", "stale", "broken", "brokenToo", "noNumber", "ownerOnly", "b: name @skip(if: true)"],
        {"agent": "Agent", "agents(first: 3)": "Page", "agents(last: $w)": "Page", "... on Practice": "Practice"},
    ),
    "Page": (["__typename", "pageInfo { hasNextPage }"], {"nodes": "Agent", "edges": "Edge"}),
    "Edge": (["__typename"], {"node": "Agent"}),
    "Agent": (["name", "...f"], {"practice": "Practice", "tags": "Agent"}),
}
valid = selections(*TYPES["Query"], 5).map(
    lambda inner: f'query ($v: String = "d", $w: Int) {{ {inner} }} fragment f on Agent {{ name practice {{ stale }} }}'
)
requests = st.fixed_dictionaries(
    {"query": documents | valid | st.text()},
    optional={"variables": st.dictionaries(st.sampled_from("vw"), anything) | anything, "operationName": anything},
)


def as_json(content: object) -> bytes:
    """Not by orjson, which would refuse lone surrogates and NaN before the door can."""
    return json.dumps(content).encode()


async def check(body: bytes, accept: str, content_type: str = JSON) -> None:
    async with door() as caller:
        response = await caller.post(body, accept=accept, headers={"Content-Type": content_type})
    check_answer(response, accept)


def check_answer(response: httpx2.Response, accept: str) -> None:
    content = orjson.loads(response.content)
    assert response.status_code in (200, 400, 401, 403, 405, 406, 413, 415)
    assert content.keys() <= {"data", "errors", "extensions"}
    assert "data" in content or (content["errors"] and (response.status_code != 200 or accept == JSON))
    for error in content.get("errors", ()):
        assert error["extensions"]["code"] in CODES
        assert isinstance(error["message"], str)
    assert len(content.get("errors", ())) <= 5


@given(body=st.binary(max_size=2000), accept=st.sampled_from([GRAPHQL, JSON]))
@FUZZ
async def test_any_bytes_are_answered(body: bytes, accept: str) -> None:
    await check(body, accept)


@given(content=anything, accept=st.sampled_from([GRAPHQL, JSON]))
@FUZZ
async def test_any_json_is_answered(content: object, accept: str) -> None:
    await check(as_json(content), accept)


@given(content=requests, accept=st.sampled_from([GRAPHQL, JSON]))
@FUZZ
async def test_any_document_with_any_variables_is_answered(content: object, accept: str) -> None:
    await check(as_json(content), accept)


@given(
    accept=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"])),
    content_type=st.text('aplicton/js;= "-q,*'),
)
@FUZZ
async def test_any_headers_are_answered(accept: str, content_type: str) -> None:
    async with door() as caller:
        headers = {"Accept": accept.encode("latin-1"), "Content-Type": content_type.encode("latin-1")}
        response = await caller.client.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)  # type: ignore[arg-type]  # bytes
    assert response.status_code in (200, 406, 415)


# --- stored documents, by POST and by GET ---

hashes = list(STORED.by_hash)
known = st.sampled_from([*hashes, *(f"sha256:{each}" for each in hashes)])
ids = known | st.sampled_from([id_of("unknown"), "sha256:x"]) | st.text(max_size=70)
fitting = st.fixed_dictionaries({"text": st.text(max_size=50)}, optional={"n": st.integers(1, 30)})
variables = fitting | st.fixed_dictionaries({}, optional={"text": anything, "n": anything}) | anything
operations = st.sampled_from(["", "A", "B", "null"]) | st.text(max_size=5)
sound = st.fixed_dictionaries(
    {"documentId": known}, optional={"variables": fitting, "operationName": st.sampled_from(["", "A", "B"])}
)
stored_requests = sound | st.fixed_dictionaries(
    {"documentId": ids | anything},
    optional={"variables": variables, "operationName": operations | anything, "query": anything},
)
others = st.one_of(
    st.tuples(st.just("variables"), variables.map(json.dumps) | st.text(max_size=20)),
    st.tuples(st.just("operationName"), operations),
    st.tuples(st.just("extensions"), anything.map(json.dumps) | st.just("")),
    st.tuples(st.sampled_from(["query", "documentId", "x"]) | st.text(max_size=5), st.text(max_size=20)),
)
addresses = st.lists(st.tuples(st.just("documentId"), ids) | others, max_size=5)


def address(asked: Mapping[str, object]) -> list[tuple[str, str]]:
    return [(name, json.dumps(said) if name == "variables" else str(said)) for name, said in asked.items()]


encoded = (sound.map(address) | addresses).map(lambda pairs: urlencode(pairs, errors="surrogatepass"))
raw = st.binary(max_size=200).map(lambda some: quote(some, safe='&=+%{}[]":,'))
tags = st.sampled_from(["", "*", 'W/"x"', '"x", "y"']) | st.text(st.characters(min_codepoint=33, max_codepoint=126))


async def get(query_string: str, headers: list[tuple[bytes, bytes]], method: str = "GET") -> httpx2.Response:
    transport = httpx2.ASGITransport(app=APP)
    async with httpx2.AsyncClient(transport=transport, base_url="http://sparekey.test") as client:
        url = httpx2.URL("/graphql").copy_with(raw_path=b"/graphql?" + query_string.encode("ascii"))
        return await client.request(method, url, headers=headers)


def sent(**headers: str) -> list[tuple[bytes, bytes]]:
    named = {"Cookie": f"sparekey={SESSION}", **headers}
    return [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in named.items()]


@given(content=stored_requests, accept=st.sampled_from([GRAPHQL, JSON]))
@FUZZ
async def test_any_id_with_any_variables_is_answered(content: object, accept: str) -> None:
    transport = httpx2.ASGITransport(app=APP)
    async with httpx2.AsyncClient(transport=transport, base_url="http://sparekey.test") as client:
        response = await Caller(client).post(as_json(content), accept=accept)
    check_answer(response, accept)


@given(query_string=encoded | encoded | raw, accept=st.sampled_from([GRAPHQL, JSON]), tag=tags)
@FUZZ
async def test_any_address_is_answered_changes_nothing_and_confirms_itself(
    query_string: str, accept: str, tag: str
) -> None:
    response = await get(query_string, sent(accept=accept, if_none_match=tag))
    assert "set-cookie" not in response.headers
    if response.status_code == 304:
        assert tag.strip() == "*"
        assert response.content == b""
        return
    check_answer(response, accept)
    whole = response.status_code == 200 and "errors" not in response.json()
    assert ("etag" in response.headers) == whole
    assert response.headers["cache-control"] == ("private, no-cache" if whole else "no-store")
    if whole:
        again = await get(query_string, sent(accept=accept, if_none_match=response.headers["etag"]))
        assert (again.status_code, again.content) == (304, b"")


LATIN = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=60)
NAMES = ("accept", "cookie", "origin", "sec-fetch-site", "if-none-match", "host", "content-length", "x-request-id")


@given(
    headers=st.lists(st.tuples(st.sampled_from(NAMES), LATIN), max_size=6),
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS", "QUERY", "get"]),
)
@FUZZ
async def test_any_header_in_any_number_with_any_method_is_answered(
    headers: list[tuple[str, str]], method: str
) -> None:
    given = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    response = await get(f"documentId={hashes[1]}&operationName=A", given, method)
    assert response.status_code in (200, 400, 401, 403, 405, 406, 413, 415)
    assert method == "HEAD" or orjson.loads(response.content).keys() <= {"data", "errors", "extensions"}
