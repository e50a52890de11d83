"""No document costs more than a bound, and it is refused before it costs anything."""

from __future__ import annotations

import time

import pytest
from graphql import get_introspection_query

from server.documents import Documents
from server.http_errors import DocumentRejected
from tests.http_door import SCHEMA, SECRET, codes, door

BOMB = (
    "{ practice { ...f0 } } "
    + " ".join(
        f"fragment f{n} on Practice {{ a: agent {{ ...g{n} }} b: agent {{ ...g{n} }} }}"
        f" fragment g{n} on Agent {{ practice {{ ...f{n + 1} }} }}"
        for n in range(30)
    )
    + " fragment f30 on Practice { name }"
)
CYCLE = "{ practice { ...a } } fragment a on Practice { ...b } fragment b on Practice { ...a }"
CHAIN = "{ practice { ...f0 } } " + " ".join(f"fragment f{n} on Practice {{ ...f{n + 1} }}" for n in range(110))
LONG_CYCLE = CHAIN + " fragment f110 on Practice { ...f0 }"
DOUBLING = (
    "{ practice { ...f0 } } "
    + " ".join(f"fragment f{n} on Practice {{ x: name ...f{n + 1} ...f{n + 1} }}" for n in range(60))
    + " fragment f60 on Practice { name }"
)
OVERLAPPING = (
    "{ practice { "
    + " ".join(f"...f{n}" for n in range(100))
    + " } } "
    + " ".join(f"fragment f{n} on Practice {{ name }}" for n in range(100))
)
REJECTED = {
    "a fragment bomb": BOMB,
    "a cycle": CYCLE,
    "a long cycle": LONG_CYCLE,
    "a fragment that spreads itself": "{ ...a } fragment a on Query { ...a }",
    "doubling aliases": DOUBLING,
    "100 overlapping fragments": OVERLAPPING,
    "the same field 240 times": "{ practice { " + "agent { name } " * 240 + "} }",
    "the same leaf 990 times": "{ practice { " + "name " * 990 + "} }",
    "1,001 tokens": "{ practice { " + "name " * 996 + "} }",
    "60 kB of one token each": "{ " + "a " * 30_000 + "}",
    "30,000 comments": "{ practice { name } }" + "\n#" * 30_000,
    "190 levels": "{ practice { " + "agent { practice { " * 95 + "name" + " } }" * 95 + " } }",
    "300 inline fragments inside each other": "{ " + "... { " * 300 + "__typename" + " }" * 300 + " }",
    "30,000 brackets": "{" * 30_000,
    "30,000 brackets of a list": "{ echo(text: " + "[" * 30_000,
    "a name of 60 kB": "{ " + "a" * 60_000 + " }",
    "160 fields that cannot be merged": "{ " + " ".join(f'echo(text: "{n}")' for n in range(160)) + " }",
}


def rejection(query: str) -> tuple[list[str], float]:
    """The codes, and the best of three times on the processor, each with an empty cache."""
    times = []
    for _ in range(3):
        documents = Documents(SCHEMA.graphql_schema, hide_suggestions=True)
        start = time.thread_time()
        try:
            document = documents.read(query)
            documents.validate(document)
            document.cost(document.operation(None), {})
            found: list[str] = []
        except DocumentRejected as rejected:
            found = [each["extensions"]["code"] for each in rejected.errors]
        times.append(time.thread_time() - start)
    return found, min(times)


@pytest.mark.parametrize("query", REJECTED.values(), ids=REJECTED)
def test_a_document_made_to_be_expensive_is_refused_within_50_ms(query: str) -> None:
    found, seconds = rejection(query)
    assert found
    assert len(found) <= 5
    assert seconds < 0.05


async def test_a_chain_of_110_fragments_is_long_but_cheap() -> None:
    assert await refused(CHAIN + " fragment f110 on Practice { name }") == []


async def refused(query: str, variables: object = None) -> list[str]:
    async with door() as caller:
        response = await caller.ask(query, variables)
    return codes(response) if "errors" in response.json() else []


def deep(levels: int) -> str:
    """A document of this depth; the last level is a leaf."""
    inner = "name"
    for level in range(levels - 1, 0, -1):
        inner = f"{'practice' if level % 2 else 'agent'} {{ {inner} }}"
    return "{ " + inner + " }"


async def test_12_levels_are_answered_and_13_are_refused() -> None:
    assert await refused(deep(12)) == []
    assert await refused(deep(13)) == ["DOCUMENT_TOO_EXPENSIVE"]


async def test_depth_counts_through_fragments() -> None:
    def query(levels: int) -> str:
        return deep(levels).replace("name", "...more") + " fragment more on Agent { practice { name } }"

    assert await refused(query(11)) == []
    assert await refused(query(13)) == ["DOCUMENT_TOO_EXPENSIVE"]


async def test_30_aliases_are_answered_and_31_are_refused() -> None:
    assert await refused("{ practice { " + " ".join(f"a{n}: name" for n in range(30)) + " } }") == []
    assert await refused("{ practice { " + " ".join(f"a{n}: name" for n in range(31)) + " } }") == [
        "DOCUMENT_TOO_EXPENSIVE"
    ]


async def test_aliases_in_a_fragment_count_as_often_as_it_is_spread() -> None:
    aliases = " ".join(f"a{n}: name" for n in range(16))
    query = f"{{ practice {{ ...f agent {{ practice {{ ...f }} }} }} }} fragment f on Practice {{ {aliases} }}"
    assert await refused(query) == ["DOCUMENT_TOO_EXPENSIVE"]


async def test_10_directives_are_answered_and_11_are_refused() -> None:
    skips = "name @skip(if: false) "
    assert await refused("{ practice { " + skips * 10 + "} }") == []
    assert await refused("{ practice { " + skips * 11 + "} }") == ["DOCUMENT_TOO_EXPENSIVE"]


async def test_1000_tokens_are_read_and_1001_are_refused() -> None:
    # A list of literals where one belongs: refused by validation, not for its tokens.
    assert await refused("{ slow(code: [" + "1 " * 990 + "]) }") == ["GRAPHQL_VALIDATION_FAILED"]
    assert await refused("{ slow(code: [" + "1 " * 1000 + "]) }") == ["DOCUMENT_TOO_EXPENSIVE"]


@pytest.mark.parametrize(
    "fields",
    [
        'a: connectAgent(code: "1") b: connectAgent(code: "2")',
        'previewToken(code: "1") connectAgent(code: "2")',
        "...guess ...guess",
        "... { ...guess } ... { ...guess }",
        'a: signIn(input: {email: "a", password: "b"}) b: signIn(input: {email: "a", password: "c"})',
    ],
)
async def test_one_field_of_the_token_family_and_one_sign_in_is_all_a_document_may_hold(fields: str) -> None:
    guess = 'fragment guess on Mutation { connectAgent(code: "1") }' if "guess" in fields else ""
    assert await refused(f"mutation {{ {fields} }} {guess}") == ["DOCUMENT_TOO_EXPENSIVE"]


async def test_two_operations_of_one_document_may_not_share_the_token_family() -> None:
    query = 'mutation A { connectAgent(code: "1") } mutation B { previewToken(code: "1") }'
    async with door() as caller:
        response = await caller.post({"query": query, "operationName": "A"})
    assert codes(response) == ["DOCUMENT_TOO_EXPENSIVE"]


async def cost(query: str, variables: object = None) -> int:
    async with door() as caller:
        response = await caller.ask(query, variables)
    return int(response.json()["extensions"]["cost"])


PAGE = "practice { agents(first: $n) { nodes { name } } }"


async def test_the_cost_counts_objects_times_pages() -> None:
    assert await cost("{ __typename }") == 0
    assert await cost("{ practice { name } }") == 1
    assert await cost("{ practice { agents { nodes { name } } } }") == 1 + 20
    assert await cost("{ practice { agents(first: 3) { edges { node { name } } pageInfo { hasNextPage } } } }") == 1 + 3
    assert await cost("{ practice { agents(last: 4) { nodes { practice { name } } } } }") == 1 + 4 + 4
    assert await cost("{ practice { agent { tags { name } } } }") == 1 + 1 + 5


async def test_the_cost_knows_variables_and_their_defaults() -> None:
    assert await cost("query ($n: Int) { " + PAGE + " }", {"n": 7}) == 8
    assert await cost("query ($n: Int = 9) { " + PAGE + " }") == 10
    assert await cost("query ($n: Int = 9) { " + PAGE + " }", {"n": 2}) == 3
    assert await cost("query ($n: Int = 9) { " + PAGE + " }", {"n": None}) == 21
    assert await cost("query ($n: Int) { ...p } fragment p on Query { " + PAGE + " }", {"n": 5}) == 6


async def test_a_fragment_costs_as_often_as_the_page_it_is_spread_in() -> None:
    fragment = "fragment f on Agent { practice { agent { name } } }"
    assert await cost("{ practice { agents(first: 6) { nodes { ...f } } } } " + fragment) == 1 + 6 + 6 + 6


async def test_a_page_size_out_of_bounds_is_the_resolvers_to_refuse() -> None:
    assert await cost("{ practice { agents(first: 1000000) { nodes { name } } } }") == 101
    assert await cost("{ practice { agents(first: -1) { nodes { name } } } }") == 2


async def test_a_document_above_the_budget_is_refused_before_execution_and_told_its_cost() -> None:
    inner = "agents(first: 100) { nodes { practice { agents(first: $n) { nodes { name } } } } }"
    async with door() as caller:
        query = f"query ($n: Int!) {{ practice {{ {inner} }} }}"
        within = await caller.ask(query, {"n": 17})
        beyond = await caller.ask(query, {"n": 18})
    assert within.json()["extensions"] == {"cost": 1 + 100 + 100 + 1700}
    assert "data" in within.json()
    assert beyond.status_code == 400
    assert beyond.json()["extensions"] == {"cost": 2001}
    assert codes(beyond) == ["DOCUMENT_TOO_EXPENSIVE"]
    assert "data" not in beyond.json()


async def test_nested_fragments_multiply_the_cost_without_multiplying_the_work() -> None:
    found, seconds = rejection(BOMB)
    assert found == ["DOCUMENT_TOO_EXPENSIVE"] * len(found)
    assert seconds < 0.02


@pytest.mark.parametrize("deprecated", [True, False])
async def test_the_introspection_of_graphiql_passes(deprecated: bool) -> None:
    query = get_introspection_query(input_value_deprecation=deprecated, specified_by_url=True)
    async with door(signed_in=False) as caller:
        response = await caller.ask(query)
    assert response.status_code == 200
    assert "errors" not in response.json()


async def test_introspection_cannot_be_nested_to_explode() -> None:
    query = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }"
    assert await refused(query) == ["GRAPHQL_VALIDATION_FAILED"]


async def test_at_most_five_errors_are_returned() -> None:
    assert len(await refused("{ " + " ".join(f"a{n}" for n in range(29)) + " }")) == 5


async def test_a_message_stays_short_however_long_the_name_in_it_is() -> None:
    async with door() as caller:
        response = await caller.ask("{ " + "a" * 50_000 + " }")
    assert len(response.content) < 1000


@pytest.mark.parametrize("query", [CYCLE, LONG_CYCLE, BOMB, "{ ...a } fragment a on Query { ...a }"])
def test_cycles_and_bombs_are_refused_before_the_standard_validation_sees_them(query: str) -> None:
    with pytest.raises(DocumentRejected):
        Documents(SCHEMA.graphql_schema, hide_suggestions=True).read(query)


def test_a_document_is_parsed_once_and_the_cache_is_bounded() -> None:
    documents = Documents(SCHEMA.graphql_schema, hide_suggestions=True)
    first = documents.read("{ practice { name } }")
    assert documents.read("{ practice { name } }") is first
    for number in range(10_000):
        documents.read(f"{{ practice {{ a{number}: name }} }}")
    assert documents._tokens <= 50_000
    assert documents.read("{ practice { name } }") is not first


def test_a_mutation_with_a_literal_is_not_kept() -> None:
    documents = Documents(SCHEMA.graphql_schema, hide_suggestions=True)
    secret = f'mutation {{ connectAgent(code: "{SECRET}") }}'
    assert documents.read(secret) is not documents.read(secret)
    plain = "mutation ($code: String!) { connectAgent(code: $code) }"
    assert documents.read(plain) is documents.read(plain)


async def test_a_document_refused_once_is_refused_again_with_the_same_words() -> None:
    async with door() as caller:
        answers = [(await caller.ask(query)).json() for query in ("{ nothing }", "{ nothing }", "{", "{")]
    assert answers[0] == answers[1]
    assert answers[2] == answers[3]
