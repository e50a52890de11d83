"""What a browser may be made to do by another site's page, a subdomain or a cookie that was planted, row by row of the
promises: the session's cookie, requests of other sites, CORS, headers. `test_http_origin.py` has the ordinary cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from models.asyncpg_client import AsyncpgClient
from server.envelope import HSTS, SECURITY
from tests import socket_door
from tests.http_door import GRAPHQL, JSON, SESSION, Caller, by_id, codes, door, storing
from tests.statements import noted
from tests.test_people import PASSWORD, SIGNED_IN, is_signed_in
from tests.test_people import sign_up as signed_up
from tests.town import Town

APP, FOREIGN, OWN = "https://app.example", "https://evil.example", "http://sparekey.test"
QUERY = "{ practice { name } }"
HTML = {"Accept": "text/html"}
Lines = Sequence[tuple[str | bytes, str | bytes]]


async def knock(caller: Caller, *lines: tuple[str | bytes, str | bytes], method: str = "POST") -> httpx2.Response:
    """A query with exactly these header lines beside the media types, so that one may come twice."""
    given: Any = [("Content-Type", JSON), ("Accept", GRAPHQL), *lines]
    content = b'{"query": "{ practice { name } }"}'
    return await caller.client.request(method, "/graphql", content=content, headers=given)


# The session's cookie.


@pytest.mark.parametrize(
    "lines",
    [
        [b"\xa0__Host-sparekey=" + SESSION.encode()],  # what Python takes for a space, and a browser for a name
        [b"\x85__Host-sparekey=" + SESSION.encode()],
        [b"\x1f__Host-sparekey=" + SESSION.encode()],
        [f"__Host-sparekey\x0b={SESSION}".encode()],
        [f"__host-sparekey={SESSION}"],
        [f"__Secure-sparekey={SESSION}"],
        [f"sparekey={SESSION}"],  # development's, which every subdomain may set
        [f"Path=/; x__Host-sparekey={SESSION}"],
        [f'__Host-sparekey="{SESSION}"'],
        [f"$Version=1; __Host-sparekey={SESSION}; __Host-sparekey=B"],
        [f"__Host-sparekey={SESSION}; __Host-sparekey=" + "B" * 43],
        ["__Host-sparekey=" + "B" * 43 + f"; __Host-sparekey={SESSION}"],
        [f"__Host-sparekey={SESSION}", "__Host-sparekey="],
        [f"x={SESSION},__Host-sparekey={SESSION}"],
    ],
)
async def test_in_production_only_the_host_cookie_names_a_session_and_only_if_there_is_one(lines: list[Any]) -> None:
    async with door(development=False, signed_in=False) as caller:
        response = await knock(caller, *(("Cookie", line) for line in lines))
    assert response.status_code == 401


@pytest.mark.parametrize(
    "lines",
    [
        [f"a=1; __Host-sparekey={SESSION}; b=2"],
        ["a=1", f"__Host-sparekey={SESSION}"],
        [f"sparekey=B;__Host-sparekey={SESSION}"],
        [f"__Host-sparekey={SESSION}; __Host-sparekey={SESSION}"],
    ],
)
async def test_other_cookies_beside_it_change_nothing(lines: list[Any]) -> None:
    async with door(development=False, signed_in=False) as caller:
        assert (await knock(caller, *(("Cookie", line) for line in lines))).status_code == 200


async def test_the_host_cookie_is_nothing_in_development() -> None:
    async with door(signed_in=False) as caller:
        assert (await knock(caller, ("Cookie", f"__Host-sparekey={SESSION}"))).status_code == 401


async def test_several_values_are_all_forgotten() -> None:
    async with door(development=False, signed_in=False) as caller:
        response = await knock(caller, ("Cookie", f"__Host-sparekey={SESSION}; __Host-sparekey=B"))
    assert response.headers["set-cookie"].startswith("__Host-sparekey=; Path=/; Max-Age=0;")


async def test_a_reference_that_was_planted_before_signing_in_never_becomes_a_session(town: Town) -> None:
    """Session fixation, at sign-in and at step-up."""
    planted = "P" * 43
    victim, attacker = town.visitor(), town.visitor()
    for browser in (victim, attacker):
        browser.http.cookies.set("sparekey", planted, domain="testserver.local")
    await signed_up(victim)
    assert victim.reference not in (None, planted)
    await victim.do("reauthenticate", SIGNED_IN, password=PASSWORD)
    assert victim.reference not in (None, planted)
    assert [await is_signed_in(browser) for browser in (victim, attacker)] == [True, False]


# Requests that another site's page makes.


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([("Sec-Fetch-Site", "Same-Origin")], 200),
        ([("Sec-Fetch-Site", "Same-Site")], 403),
        ([("Sec-Fetch-Site", "CROSS-SITE")], 403),
        ([("Sec-Fetch-Site", "")], 403),
        ([("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")], 403),
        ([("Sec-Fetch-Site", "same-origin, cross-site")], 403),
        ([("Sec-Fetch-Site", "same-site"), ("Origin", "http://sub.sparekey.test")], 403),
        ([("Origin", OWN), ("Origin", OWN)], 403),
        ([("Origin", APP), ("Origin", FOREIGN)], 403),
        ([("Origin", FOREIGN), ("Origin", APP)], 403),
        ([("Origin", f"{APP}, {FOREIGN}")], 403),
        ([("Origin", f"{APP} {FOREIGN}")], 403),
        ([("Origin", f"{APP}:443")], 403),
        ([("Origin", f"{APP}.")], 403),
        ([("Origin", f"{APP}/")], 403),
        ([("Origin", "HTTPS://APP.EXAMPLE")], 403),
        ([("Origin", "http://app.example")], 403),
        ([("Origin", f"{OWN}.")], 403),
        ([("Origin", f"{OWN}/")], 403),
        ([("Origin", f"{OWN}/path")], 403),
        ([("Origin", f"{OWN}?x")], 403),
        ([("Origin", f"{OWN}#@evil.example")], 403),
        ([("Origin", f"{OWN}:80")], 403),
        ([("Origin", "http://user@sparekey.test")], 403),
        ([("Origin", "http://evil.example\\@sparekey.test")], 403),
        ([("Origin", "sparekey.test")], 403),
        ([("Origin", "//sparekey.test")], 403),
        ([("Origin", "file://sparekey.test")], 403),
        ([("Origin", "NULL")], 403),
        ([("Origin", b"http://sparekey.test\xa0")], 403),
    ],
)
@pytest.mark.parametrize("way", ["POST", "stream", "GET", "HEAD"])
async def test_no_spelling_of_another_sites_origin_passes_for_ours(lines: Lines, status: int, way: str) -> None:
    async with door(signed_in=False, origins=(APP,), stored=storing(QUERY)) as caller:
        cookie = ("Cookie", f"sparekey={SESSION}")
        if way in ("GET", "HEAD"):
            given: Any = [("Accept", GRAPHQL), cookie, *lines]
            response = await caller.client.request(way, "/graphql", params=by_id(QUERY), headers=given)
        else:
            accept = [("Accept", "text/event-stream")] if way == "stream" else []
            response = await knock(caller, cookie, *accept, *lines)
    assert response.status_code == status
    assert way == "HEAD" or status == 200 or codes(response) == ["CROSS_SITE"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("origin", [OWN, APP])
async def test_what_a_form_can_send_is_not_read_from_whatever_page(kind: str, origin: str) -> None:
    """The second wall, for browsers that say nothing of where a request comes from (ASVS V3.5.2)."""
    async with door(origins=(APP,)) as caller:
        for said in ({}, {"Origin": origin}):
            response = await caller.ask(QUERY, headers={"Content-Type": kind, **said})
            assert (response.status_code, codes(response)) == (415, ["UNSUPPORTED_MEDIA_TYPE"])


@pytest.mark.parametrize("origin", ["http://sub.127.0.0.1:{port}", "http://127.0.0.1", "http://user@127.0.0.1:{port}"])
async def test_a_socket_is_refused_to_every_other_origin(origin: str) -> None:
    async with socket_door.served() as port:
        with pytest.raises(InvalidStatus) as refused:
            async with socket_door.socket(port, origin=origin.format(port=port)):
                pass
    assert refused.value.response.status_code == 403


async def test_a_socket_with_two_cookies_is_nobodys() -> None:
    async with socket_door.served(development=False) as port:
        cookie = f"__Host-sparekey={SESSION}; __Host-sparekey=B"
        async with socket_door.socket(port, begun=False, cookie=cookie) as peer:
            await peer.say({"type": "connection_init"})
            assert await peer.closed() == (4403, "Forbidden")


# CORS: a fixed list, never reflected (ASVS V3.4.2).


@pytest.mark.parametrize(
    "origin", [FOREIGN, "null", "", f"{APP}:443", f"{APP}.", f"{APP}/", "HTTPS://APP.EXAMPLE", "*"]
)
@pytest.mark.parametrize("path", ["/graphql", "/livez", "/readyz", "/metrics", "/no"])
async def test_no_page_answers_another_origin_with_its_name(origin: str, path: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-evil"}
    async with door(origins=(APP,)) as caller:
        for method in ("OPTIONS", "GET", "POST"):
            response = await caller.client.request(method, path, headers=asked)
            assert "access-control-allow-origin" not in response.headers
            assert "x-evil" not in response.headers.get("access-control-allow-headers", "").lower()
            assert "Origin" in response.headers["vary"]


async def test_without_a_list_there_is_no_cors_at_all() -> None:
    async with door() as caller:
        asked = {"Origin": APP, "Access-Control-Request-Method": "POST"}
        for method in ("OPTIONS", "GET", "POST"):
            response = await caller.client.request(method, "/graphql", headers=asked)
            assert [name for name in response.headers if name.startswith("access-control")] == []


@pytest.mark.parametrize("origin", [None, OWN, APP])
async def test_every_answer_says_that_it_depends_on_the_origin_where_it_does(origin: str | None) -> None:
    async with door(origins=(APP,)) as caller:
        response = await caller.ask(QUERY, headers={"Origin": origin} if origin else {})
    assert response.headers["vary"] == "Origin"
    assert response.headers.get("access-control-allow-origin") == (APP if origin == APP else None)


# Headers (ASVS V3.4).


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/graphql", {"Content-Type": "text/plain"}, 415),
        ("POST", "/graphql", {"Content-Type": JSON}, 400),
        ("POST", "/graphql", {"Origin": FOREIGN}, 403),
        ("POST", "/graphql", {"Accept": "image/png"}, 406),
        ("DELETE", "/graphql", {}, 405),
        ("GET", "/graphql", {"X-Long": "x" * 33_000}, 431),
        ("GET", "/graphql?documentId=x", {}, 200),
        ("GET", "/graphql", HTML, 200),
        ("OPTIONS", "/graphql", {"Origin": FOREIGN, "Access-Control-Request-Method": "POST"}, 400),
        ("OPTIONS", "/graphql", {"Origin": APP, "Access-Control-Request-Method": "POST"}, 200),
        ("GET", "/metrics", {}, 200),
        ("GET", "/livez", {}, 200),
        ("GET", "/readyz", {}, 200),
        ("GET", "/no", {}, 404),
    ],
)
async def test_whatever_the_answer_is_it_has_all_the_headers(
    method: str, path: str, headers: dict[str, str], status: int
) -> None:
    async with door(development=False, graphiql=True, origins=(APP,)) as caller:
        response = await caller.client.request(method, path, headers=headers, content=b"" if method == "GET" else b"{")
    assert response.status_code == status
    assert_all_there(response.headers, own=("Content-Security-Policy",) if headers == HTML else ())


def assert_all_there(headers: Any, own: Sequence[str] = ()) -> None:
    assert {name: headers.get(name) for name in SECURITY if name not in own} == {
        name: value for name, value in SECURITY.items() if name not in own
    }
    assert headers["Strict-Transport-Security"] == HSTS
    assert HSTS == "max-age=63072000; includeSubDomains"
    for part in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert part in headers["Content-Security-Policy"]
    assert "server" not in headers


async def test_an_answer_that_is_streamed_has_them_too() -> None:
    async with door(development=False) as caller:
        response = await caller.ask(QUERY, accept="text/event-stream")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert_all_there(response.headers)


async def test_an_answer_given_again_from_memory_has_them_too(town: Town, database: AsyncpgClient) -> None:
    ann = await town.person("ann@elm.example")
    first, _ = [await ann.send("{ viewer { user { id } } }") for _ in range(2)]
    async with noted(database) as statements:
        again = await ann.send("{ viewer { user { id } } }")
    assert (again.status_code, statements) == (200, [])
    assert {name: again.headers[name] for name in SECURITY} == dict(SECURITY)
    assert sorted(again.headers) == sorted(first.headers)


async def test_a_handshake_says_nothing_of_the_server_and_a_refused_one_has_the_headers() -> None:
    async with socket_door.served(development=False) as port:
        async with socket_door.socket(port, cookie=f"__Host-sparekey={SESSION}") as peer:
            assert peer.connection.response is not None
            assert "server" not in peer.connection.response.headers
        with pytest.raises(InvalidStatus) as refused:
            async with socket_door.socket(port, origin=FOREIGN):
                pass
    assert_all_there(refused.value.response.headers)


async def test_graphiql_may_use_no_camera_and_no_other_page_may_hold_its_window() -> None:
    async with door() as caller:
        response = await caller.client.get("/graphql", headers=HTML)
    assert "camera=()" in response.headers["permissions-policy"]
    assert response.headers["cross-origin-opener-policy"] == "same-origin"
