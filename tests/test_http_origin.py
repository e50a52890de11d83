"""Who may knock: anonymous callers, cookies, other sites, and the headers on every answer."""

from __future__ import annotations

from typing import Any

import pytest

from resolvers.credential import of_session
from resolvers.execution import RequestFacts
from tests.http_door import JSON, NOW, SESSION, Caller, Context, codes, door

SIGN_IN = 'mutation { signIn(input: {email: "a@b.example", password: "x"}) }'
OWN = "http://sparekey.test"
FOREIGN = "https://evil.example"


@pytest.mark.parametrize(
    "mutation",
    [
        SIGN_IN,
        SIGN_IN.replace("signIn", "signUp"),
        "mutation { ...a } " + SIGN_IN.replace("mutation", "fragment a on Mutation"),
    ],
)
async def test_sign_in_and_sign_up_need_no_session(mutation: str) -> None:
    async with door(signed_in=False, development=False) as caller:
        response = await caller.ask(mutation)
    assert response.status_code == 200
    assert "errors" not in response.json()


async def test_what_the_schema_says_to_others_is_not_told_to_somebody_unknown() -> None:
    """The document was refused for a signed-in caller before, and is kept with its errors."""
    async with door(development=False) as caller:
        assert codes(await caller.ask("{ unknown }")) == ["GRAPHQL_VALIDATION_FAILED"]
        caller.cookie = None
        assert (await caller.ask("{ unknown }")).status_code == 401


@pytest.mark.parametrize("accept", ["application/graphql-response+json", JSON])
@pytest.mark.parametrize(
    "query",
    [
        "{ __typename }",
        "{ __schema { queryType { name } } }",
        '{ __type(name: "Query") { name } }',
        "{ practice { name } }",
        "{ unknown }",
        "mutation { signOut }",
        SIGN_IN.replace("{ signIn", "{ signOut signIn"),
        SIGN_IN + " query B { practice { name } }",
        SIGN_IN.replace("{ signIn", "{ __typename signIn"),
        "{ ...a } fragment a on Query { practice { name } }",
        "{ ... { practice { name } } }",
        "query { signIn }",
        "{ }",
        "subscription { signIn }",
    ],
)
async def test_anything_else_without_a_session_is_401_before_execution(query: str, accept: str) -> None:
    async with door(signed_in=False, development=False) as caller:
        response = await caller.ask(query, accept=accept)
    assert response.status_code == 401
    assert codes(response) == ["NOT_SIGNED_IN"]
    assert "data" not in response.json()
    assert response.headers["www-authenticate"].startswith("Cookie")


async def test_in_development_introspection_is_open_and_the_rest_is_not() -> None:
    async with door(signed_in=False) as caller:
        opened = await caller.ask("{ __typename __schema { queryType { name } } }")
        closed = await caller.ask("{ __typename practice { name } }")
    assert opened.status_code == 200
    assert closed.status_code == 401


async def test_somebody_signed_in_may_introspect_in_production() -> None:
    async with door(development=False) as caller:
        assert (await caller.ask("{ __schema { queryType { name } } }")).status_code == 200


async def test_signing_in_sets_a_host_cookie_in_production() -> None:
    async with door(signed_in=False, development=False, session_absolute_seconds=600) as caller:
        response = await caller.ask(SIGN_IN)
    assert response.headers["set-cookie"] == (
        f"__Host-sparekey={SESSION}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"
    )


async def test_signing_in_sets_a_plain_cookie_in_development_which_the_client_returns() -> None:
    async with door(signed_in=False) as caller:
        response = await caller.ask(SIGN_IN)
        after = await caller.ask("{ practice { name } }")
    assert response.headers["set-cookie"] == f"sparekey={SESSION}; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"
    assert after.json()["data"] == {"practice": {"name": "Elm Street"}}


async def test_signing_out_clears_the_cookie() -> None:
    async with door(development=False) as caller:
        response = await caller.ask("mutation { signOut }")
    assert response.headers["set-cookie"].startswith("__Host-sparekey=; Path=/; Max-Age=0;")


@pytest.mark.parametrize("sent", ["B" * 43, "", "nonsense; x=1", "a b", "é", "x" * 5000, "'; DROP TABLE"])
async def test_an_unknown_session_counts_as_nobody_and_its_cookie_is_cleared(sent: str) -> None:
    async with door() as caller:
        caller.cookie = None
        response = await caller.ask("{ practice { name } }", headers={b"Cookie": f"sparekey={sent}".encode()})  # type: ignore[dict-item]  # raw
    assert response.status_code == 401
    assert response.headers["set-cookie"].startswith("sparekey=; Path=/; Max-Age=0;")


async def test_without_a_cookie_none_is_cleared() -> None:
    async with door(signed_in=False) as caller:
        response = await caller.ask("{ practice { name } }")
    assert "set-cookie" not in response.headers


async def test_a_reference_that_cannot_be_ours_never_reaches_the_database() -> None:
    seen: list[RequestFacts] = []

    async def watching(facts: RequestFacts) -> Context:
        seen.append(facts)
        return Context(facts, None)

    async with door(open_context=watching) as caller:
        for sent in ("x" * 129, "a b", "a%00b", "ok_-9"):
            await caller.ask("{ __typename }", headers={"Cookie": f"other=1; sparekey={sent}"})
    assert [facts.credential for facts in seen] == [None, None, None, of_session("ok_-9")]


async def test_the_context_learns_address_time_and_request_id() -> None:
    async with door() as caller:
        response = await caller.ask("{ address }", headers={"X-Request-ID": "abc-1"})
    assert response.json()["data"] == {"address": f"127.0.0.1 {NOW.isoformat()} abc-1"}


async def knock(caller: Caller, headers: dict[str, str]) -> int:
    return (await caller.ask("{ practice { name } }", headers=headers)).status_code


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": OWN, "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "HTTP://SPAREKEY.TEST"}, 200),
        ({"Origin": "https://sparekey.test"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "nonsense"}, 403),
        ({"Origin": FOREIGN}, 403),
        ({"Origin": FOREIGN, "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": OWN, "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://sparekey.test.evil.example"}, 403),
        ({"Origin": "http://sparekey.test:8001"}, 403),
        ({"Origin": "http://sparekey.test@evil.example"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "https://app.example.evil.example"}, 403),
        ({"Origin": "ftp://sparekey.test"}, 403),
    ],
)
async def test_a_request_from_another_sites_page_is_refused(headers: dict[str, str], status: int) -> None:
    async with door(origins=("https://app.example",)) as caller:
        assert await knock(caller, headers) == status


@pytest.mark.parametrize("headers", [{"Origin": FOREIGN}, {"Sec-Fetch-Site": "cross-site"}])
async def test_another_site_cannot_sign_somebody_in_either(headers: dict[str, str]) -> None:
    async with door(signed_in=False) as caller:
        response = await caller.ask(SIGN_IN, headers=headers)
    assert response.status_code == 403
    assert codes(response) == ["CROSS_SITE"]
    assert "set-cookie" not in response.headers


async def preflight(origin: str, origins: Any) -> Any:
    async with door(origins=origins) as caller:
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        }
        return await caller.client.options("/graphql", headers=headers)


async def test_a_preflight_from_a_listed_origin_is_allowed() -> None:
    response = await preflight("https://app.example", ("https://app.example",))
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "https://app.example"
    assert response.headers["access-control-allow-credentials"] == "true"
    assert response.headers["access-control-allow-methods"] == "GET, HEAD, POST"


@pytest.mark.parametrize("origins", [(), ("https://app.example",)])
@pytest.mark.parametrize("origin", [FOREIGN, "null", "https://app.example.evil.example"])
async def test_no_other_origin_is_ever_reflected(origin: str, origins: tuple[str, ...]) -> None:
    response = await preflight(origin, origins)
    assert response.status_code >= 400
    assert "access-control-allow-origin" not in response.headers
    async with door(origins=origins) as caller:
        answer = await caller.ask("{ __typename }", headers={"Origin": origin})
    assert "access-control-allow-origin" not in answer.headers


async def test_an_answer_to_a_listed_origin_may_be_read_by_it() -> None:
    async with door(origins=("https://app.example",)) as caller:
        response = await caller.ask("{ __typename }", headers={"Origin": "https://app.example"})
    assert response.headers["access-control-allow-origin"] == "https://app.example"
    assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/graphql"),
        ("GET", "/graphql"),
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/no"),
        ("PUT", "/livez"),
    ],
)
async def test_every_answer_carries_the_security_headers(method: str, path: str) -> None:
    async with door(development=False) as caller:
        response = await caller.client.request(method, path)
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert response.headers["strict-transport-security"].startswith("max-age=63072000")
    assert "server" not in response.headers
    assert len(response.headers["x-request-id"]) == 32


async def test_headers_of_33_kb_are_431_whatever_the_parser_lets_through() -> None:
    async with door() as caller:
        response = await caller.ask("{ __typename }", headers={"X-Long": "x" * 33_000})
    assert response.status_code == 431
    assert codes(response) == ["HEADERS_TOO_LARGE"]


async def test_plain_http_in_development_promises_no_https() -> None:
    async with door() as caller:
        response = await caller.ask("{ __typename }")
    assert "strict-transport-security" not in response.headers


@pytest.mark.parametrize("given", ["a", "abc-1.2_3", "x" * 64])
async def test_a_sane_request_id_is_echoed(given: str) -> None:
    async with door() as caller:
        response = await caller.ask("{", headers={"X-Request-ID": given})
    assert response.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "<script>", "-a"])
async def test_any_other_request_id_is_replaced(given: str) -> None:
    async with door() as caller:
        response = await caller.ask("{", headers={"X-Request-ID": given})
    assert response.headers["x-request-id"] != given
    assert len(response.headers["x-request-id"]) == 32
