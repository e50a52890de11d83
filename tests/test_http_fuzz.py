"""Whatever arrives, the answer is a GraphQL body and never a 500."""

from __future__ import annotations

import json

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.http_errors import CODES
from tests.http_door import GRAPHQL, JSON, door

FUZZ = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])

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
    content = orjson.loads(response.content)
    assert response.status_code in (200, 400, 401, 406, 413, 415)
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
        response = await caller.client.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)  # type: ignore[arg-type]
    assert response.status_code in (200, 406, 415)
