"""Stored documents by POST: asked for by their id, and where a setting says so nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import DocumentNode, parse

import limits
from server.manifest import id_of
from tests.http_door import GRAPHQL, JSON, codes, door, storing

NAME = "query Name { practice { name } }"
ECHO = "query Echo($text: String!) { echo(text: $text) }"
SEVERAL = 'query A { echo(text: "a") } query B { echo(text: "b") }'
SIGN_IN = 'mutation { signIn(input: {email: "a@b.example", password: "x"}) }'
CONNECT = 'mutation { connectAgent(code: "1234") }'
UNKNOWN = id_of("{ somethingElse }")
STORED = storing(NAME, ECHO, SEVERAL, SIGN_IN, CONNECT)
ONLY = storing(NAME, ECHO, SEVERAL, SIGN_IN, CONNECT, only=True)


@pytest.mark.parametrize("prefix", ["", "sha256:"])
async def test_a_stored_document_is_executed_by_its_id(prefix: str) -> None:
    async with door(stored=STORED) as caller:
        response = await caller.post({"documentId": prefix + id_of(ECHO), "variables": {"text": "x"}})
    assert response.status_code == 200
    assert response.json() == {"data": {"echo": "x"}, "extensions": {"cost": 0}}


async def test_the_named_operation_of_a_stored_document_is_the_one_that_is_executed() -> None:
    async with door(stored=STORED) as caller:
        named = await caller.post({"documentId": id_of(SEVERAL), "operationName": "B"})
        unnamed = await caller.post({"documentId": id_of(SEVERAL)})
    assert named.json()["data"] == {"echo": "b"}
    assert codes(unnamed) == ["OPERATION_NOT_FOUND"]


@pytest.mark.parametrize(("accept", "status"), [(GRAPHQL, 400), (JSON, 200)])
@pytest.mark.parametrize("id", [UNKNOWN, f"sha256:{UNKNOWN}", id_of(NAME).upper(), "x-own:7", "0" * 32, "name.v1"])
async def test_an_id_that_is_well_formed_and_unknown_is_one_error_without_data(
    id: str, accept: str, status: int
) -> None:
    async with door(stored=STORED) as caller:
        response = await caller.post({"documentId": id}, accept=accept)
    assert response.status_code == status
    assert codes(response) == ["PERSISTED_DOCUMENT_NOT_FOUND"]
    assert "data" not in response.json()


async def test_without_a_manifest_no_id_is_known() -> None:
    async with door() as caller:
        assert codes(await caller.post({"documentId": UNKNOWN})) == ["PERSISTED_DOCUMENT_NOT_FOUND"]


@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
@pytest.mark.parametrize(
    "id",
    ["", "sha256:", "sha256:" + "A" * 64, "sha256:0", "md5:" + "0" * 32, "a b", "a/b", "x-:", "é", "a\n", 5, ["a"], {}],
)
async def test_an_id_that_is_malformed_is_400(id: Any, accept: str) -> None:
    async with door(stored=STORED) as caller:
        response = await caller.post({"documentId": id}, accept=accept)
    assert response.status_code == 400
    assert codes(response) == ["BAD_REQUEST"]
    assert "sha256" in response.text


@pytest.mark.parametrize("query", [NAME, "", "{ somethingElse }", 5])
async def test_an_id_and_a_text_together_are_400_even_where_they_agree(query: Any) -> None:
    async with door(stored=STORED) as caller:
        response = await caller.post({"documentId": id_of(NAME), "query": query})
    assert response.status_code == 400
    assert codes(response) == ["BAD_REQUEST"]
    assert "not both" in response.text


async def test_null_means_that_the_other_of_id_and_text_is_absent() -> None:
    async with door(stored=STORED) as caller:
        by_id = await caller.post({"documentId": id_of(NAME), "query": None})
        by_text = await caller.post({"documentId": None, "query": NAME})
        neither = await caller.post({"documentId": None})
    assert by_id.json() == by_text.json()
    assert neither.status_code == 400
    assert "documentId" in neither.text


async def test_texts_are_still_executed_where_nothing_forbids_them() -> None:
    async with door(stored=STORED) as caller:
        assert (await caller.ask("{ practice { agent { name } } }")).status_code == 200


@pytest.mark.parametrize(("accept", "status"), [(GRAPHQL, 400), (JSON, 200)])
@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize("query", ["{ practice { name } }", NAME, SIGN_IN, "{ __schema { queryType { name } } }", "{"])
async def test_only_stored_documents_means_that_no_text_is_executed_nor_parsed(
    query: str, signed_in: bool, accept: str, status: int
) -> None:
    async with door(signed_in, stored=ONLY) as caller:
        response = await caller.ask(query, accept=accept)
    assert response.status_code == status
    assert codes(response) == ["PERSISTED_DOCUMENT_REQUIRED"]
    assert "documentId" in response.text
    assert "data" not in response.json()


async def test_only_stored_documents_are_executed_where_the_setting_says_so() -> None:
    async with door(stored=ONLY) as caller:
        assert (await caller.post({"documentId": id_of(CONNECT)})).json()["data"] == {"connectAgent": "connected"}


async def test_somebody_who_is_not_signed_in_may_sign_in_by_id_and_nothing_else() -> None:
    async with door(signed_in=False, development=False, stored=STORED) as caller:
        signed_in = await caller.post({"documentId": id_of(SIGN_IN)})
        others = [await caller.post({"documentId": id_of(text)}) for text in (NAME, ECHO, SEVERAL, CONNECT)]
    assert signed_in.json()["data"] == {"signIn": "signed in"}
    assert "set-cookie" in signed_in.headers
    assert [each.status_code for each in others] == [401] * 4


async def test_a_stored_document_is_bounded_like_every_other_when_its_variables_ask_for_too_much() -> None:
    text = (
        "query ($n: Int) { practice { agents(first: $n) { nodes { practice { agents(first: $n) { nodes { name }}}}}}}"
    )
    async with door(stored=storing(text)) as caller:
        small = await caller.post({"documentId": id_of(text), "variables": {"n": 3}})
        large = await caller.post({"documentId": id_of(text), "variables": {"n": 100}})
    assert small.status_code == 200
    assert codes(large) == ["DOCUMENT_TOO_EXPENSIVE"]


async def test_other_texts_do_not_push_stored_documents_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LIMITS", limits.read({"SPAREKEY_LIMIT_DOCUMENT_CACHE_TOKENS": "200"}))
    parsed: list[str] = []

    def counting(text: str, **how: Any) -> DocumentNode:
        parsed.append(text)
        return parse(text, **how)

    async with door(stored=STORED) as caller:
        monkeypatch.setattr("server.documents.parse", counting)
        for number in range(30):
            await caller.ask(f"{{ practice {{ name{number}: name }} }}")
        await caller.post({"documentId": id_of(NAME)})
    assert len(parsed) == 30
