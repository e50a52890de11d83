"""ETag and 304: a client asks again without being sent what it has, and nothing else may be kept."""

from __future__ import annotations

import pytest

from tests.http_door import GRAPHQL, JSON, by_id, door, storing

NAME = "query Name { practice { name } }"
ECHO = "query Echo($text: String!) { echo(text: $text) }"
PARTIAL = "{ practice { name stale } }"
SIGN_OUT = "mutation { signOut }"
TYPENAME = "{ __typename }"
STORED = storing(NAME, ECHO, PARTIAL, SIGN_OUT, TYPENAME)
KEPT = "private, no-cache"


def echo(text: str) -> dict[str, str]:
    return {**by_id(ECHO), "variables": f'{{"text": "{text}"}}'}


async def test_a_whole_answer_may_be_kept_and_must_be_asked_for_again() -> None:
    async with door(stored=STORED) as caller:
        response = await caller.get(by_id(NAME))
    assert response.headers["cache-control"] == KEPT
    assert response.headers["etag"].startswith('"')
    assert {"Accept", "Cookie", "Origin"} <= set(response.headers["vary"].split(", "))


@pytest.mark.parametrize("origin", ["https://app.example", "http://sparekey.test", None])
async def test_each_name_stands_in_vary_once(origin: str | None) -> None:
    async with door(stored=STORED, origins=["https://app.example"]) as caller:
        response = await caller.get(by_id(NAME), **({"origin": origin} if origin else {}))
    assert sorted(response.headers["vary"].split(", ")) == ["Accept", "Cookie", "Origin"]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '"a,b" , W/{},"c"', ", {} ,", "*", " * "])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_client_that_holds_the_answer_gets_304_and_no_body(form: str, method: str) -> None:
    async with door(stored=STORED) as caller:
        first = await caller.get(by_id(NAME))
        again = await caller.get(by_id(NAME), method=method, if_none_match=form.format(first.headers["etag"]))
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control", "vary", "sparekey-policy"):
        assert again.headers[name] == first.headers[name]
    assert "x-request-id" in again.headers
    assert "content-type" not in again.headers
    assert "content-length" not in again.headers


@pytest.mark.parametrize("form", ["", '"x"', "{}x", "x", '"', 'w/"{}"', '"' * 3001, '",' * 9000])
async def test_a_client_that_holds_something_else_gets_the_answer(form: str) -> None:
    async with door(stored=STORED) as caller:
        tag = (await caller.get(by_id(NAME))).headers["etag"]
        again = await caller.get(by_id(NAME), if_none_match=form.format(tag[:-2]))
    assert again.status_code == 200


async def test_several_lines_of_if_none_match_are_one_list() -> None:
    async with door(stored=STORED) as caller:
        tag = (await caller.get(by_id(NAME))).headers["etag"]
        headers = [
            ("Cookie", caller.cookie or ""),
            ("If-None-Match", '"x"'),
            ("If-None-Match", tag),
            ("Accept", GRAPHQL),
        ]
        again = await caller.client.get("/graphql", params=by_id(NAME), headers=headers)
    assert again.status_code == 304


async def test_another_answer_or_another_media_type_has_another_tag() -> None:
    async with door(stored=STORED) as caller:
        tags = [
            (await caller.get(parameters, accept=accept)).headers["etag"]
            for parameters in (echo("a"), echo("b"))
            for accept in (GRAPHQL, JSON)
        ]
        again = await caller.get(echo("a"))
    assert len(set(tags)) == 4
    assert again.headers["etag"] == tags[0]


@pytest.mark.parametrize(
    ("text", "signed_in", "status"),
    [(PARTIAL, True, 200), (NAME, False, 401), (TYPENAME, False, 200), (SIGN_OUT, True, 405)],
    ids=["an error in a field", "nobody", "nobody, in development", "a mutation"],
)
async def test_anything_else_is_not_kept_whatever_the_client_holds(text: str, signed_in: bool, status: int) -> None:
    async with door(signed_in, stored=STORED) as caller:
        response = await caller.get(by_id(text), if_none_match="*")
    assert response.status_code == status
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers


async def test_an_answer_to_a_post_is_not_kept() -> None:
    async with door(stored=STORED) as caller:
        response = await caller.post(by_id(NAME), headers={"If-None-Match": "*"})
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers


async def test_an_answer_is_not_confirmed_to_somebody_whose_session_has_ended() -> None:
    async with door(stored=STORED) as caller:
        tag = (await caller.get(by_id(NAME))).headers["etag"]
        caller.cookie = "sparekey=" + "B" * 43
        again = await caller.get(by_id(NAME), if_none_match=tag)
    assert again.status_code == 401
    assert again.headers["set-cookie"].startswith("sparekey=;")
