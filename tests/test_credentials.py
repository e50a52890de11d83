"""What a caller may show at the door: one thing, in its form. Nothing here is known to a database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

import limits
from operations import key_text
from resolvers.credential import Claims, Credential, Kind, of_secret, of_session
from resolvers.execution import RequestFacts
from server import socket_messages
from server.credentials import Shown
from tests.http_door import GRAPHQL, JSON, SESSION, Context, codes, door
from tests.socket_door import World, served, socket

KEY = key_text.key_of("spk_" + "7" * 16, b"k" * 32)
TOKEN = key_text._checked("spt_" + "7" * 43)
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl"
ASK = "{ practice { name } }"
INVALID = 'Bearer realm="sparekey", error="invalid_token"'


class Issuer:
    async def claims(self, token: str, now: datetime) -> Claims | None:
        return Claims("https://id.example", "7", now + timedelta(minutes=5)) if token == JWT else None


async def open_context(facts: RequestFacts) -> Context:
    known = {of_session(SESSION), of_secret(Kind.API_KEY, KEY), of_secret(Kind.ACCESS_TOKEN, TOKEN)}
    claimed = facts.credential is not None and facts.credential.kind is Kind.ISSUER
    return Context(facts, "somebody" if facts.credential in known or claimed else None)


def bearer(token: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {token}"}


def bare(**changes: Any) -> Any:
    return door(signed_in=False, open_context=open_context, **changes)


def other(text: str, place: int) -> str:
    """The text with another character at one place."""
    return text[:place] + ("a" if text[place] != "a" else "b") + text[place + 1 :]


@pytest.mark.parametrize("token", [KEY, TOKEN, JWT])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
async def test_each_kind_of_bearer_is_somebody_and_gets_no_cookie(token: str, scheme: str) -> None:
    async with bare(issuers=Issuer()) as caller:
        response = await caller.ask(ASK, headers=bearer(token, scheme))
    assert response.status_code == 200, response.text
    assert response.json()["data"] == {"practice": {"name": "Elm Street"}}
    assert "set-cookie" not in response.headers


WRONG = {
    "unknown key": "Bearer " + key_text.key_of("spk_" + "8" * 16, b"k" * 32),
    "another key's id with this secret": "Bearer " + KEY.replace("7" * 16, "8" * 16),
    "truncated": "Bearer " + KEY[:-1],
    "half": "Bearer " + KEY[:35],
    "one character of the secret swapped": "Bearer " + other(KEY, 30),
    "one character of the checksum swapped": "Bearer " + other(KEY, 69),
    "lengthened": "Bearer " + KEY + "a",
    "upper-case prefix": "Bearer " + KEY.replace("spk_", "SPK_"),
    "only the prefix": "Bearer spk_",
    "an access token truncated": "Bearer " + TOKEN[:-1],
    "an access token's prefix on a key": "Bearer spt_" + KEY[4:],
    "nothing": "Bearer",
    "a space inside": "Bearer " + KEY[:30] + " " + KEY[30:],
    "two in one line": f"Bearer {KEY}, Bearer {KEY}",
    "quoted": f'Bearer "{KEY}"',
    "over-long": "Bearer " + "a" * 9_000,
    "Latin-1": "Bearer " + KEY[:-1] + "\xe9",
    "a JWT that nobody vouches for": "Bearer " + JWT[:-1],
}
OTHER_SCHEMES = {
    "Basic": "Basic c3BrX2E6Yg==",
    "the key alone": KEY,
    "a tab for the space": "Bearer\t" + KEY,
    "a no-break space": "Bearer\xa0" + KEY,
    "empty": "",
}


@pytest.mark.parametrize("way", ["POST", "GET", "SSE"])
@pytest.mark.parametrize("said", WRONG.values(), ids=WRONG)
async def test_what_opens_nothing_is_one_answer_in_every_way_in(said: str, way: str) -> None:
    async with bare(issuers=Issuer()) as caller:
        if way == "GET":
            response = await caller.get({"documentId": "0" * 64}, authorization=said.encode("latin-1"))
        else:
            accept = "text/event-stream" if way == "SSE" else GRAPHQL
            response = await caller.ask(ASK, accept=accept, headers={"Authorization": said.encode("latin-1")})
    assert (response.status_code, codes(response)) == (401, ["BEARER_INVALID"])
    assert response.headers["www-authenticate"] == INVALID
    assert "set-cookie" not in response.headers
    content = response.json()
    assert content["errors"][0]["message"] == "this key or token opens nothing; it is wrong, expired or revoked"
    assert len(content) == 1


@pytest.mark.parametrize("said", OTHER_SCHEMES.values(), ids=OTHER_SCHEMES)
async def test_another_scheme_is_told_which_one_is_accepted_and_no_more(said: str) -> None:
    async with bare() as caller:
        response = await caller.ask(ASK, headers={"Authorization": said.encode("latin-1")})
    assert (response.status_code, codes(response)) == (401, ["BEARER_INVALID"])
    assert response.headers["www-authenticate"] == 'Bearer realm="sparekey"'


async def test_what_has_not_the_form_of_a_key_is_refused_without_asking_anybody() -> None:
    asked: list[Credential | None] = []

    async def noting(facts: RequestFacts) -> Context:
        asked.append(facts.credential)
        return await open_context(facts)

    async with door(signed_in=False, open_context=noting) as caller:
        for said in (KEY[:-1], other(KEY, 30), TOKEN[:-1], JWT):
            assert (await caller.ask(ASK, headers=bearer(said))).status_code == 401
        assert asked == []
        await caller.ask(ASK, headers={"Authorization": WRONG["unknown key"]})
    assert len(asked) == 1


async def test_an_over_long_token_is_shown_to_no_issuer() -> None:
    class Credulous:
        async def claims(self, token: str, now: datetime) -> Claims | None:
            return Claims("https://id.example", "7", now + timedelta(minutes=5))

    most = limits.of("bearer_characters") - len("Bearer ")
    async with bare(issuers=Credulous()) as caller:
        assert (await caller.ask(ASK, headers=bearer("a" * most))).status_code == 200
        assert (await caller.ask(ASK, headers=bearer("a" * (most + 1)))).status_code == 401


@pytest.mark.parametrize("accept", [GRAPHQL, "text/event-stream"])
async def test_two_kinds_of_credential_at_once_are_refused(accept: str) -> None:
    """Right ones, too; a cookie that is none of ours is no credential."""
    async with door(open_context=open_context) as caller:
        both = await caller.ask(ASK, accept=accept, headers=bearer(KEY))
        caller.cookie = "sparekey="
        empty = await caller.ask(ASK, accept=accept, headers=bearer(KEY))
        caller.cookie = "theme=dark"
        one = await caller.ask(ASK, accept=accept, headers=bearer(KEY))
    for response in (both, empty):
        assert (response.status_code, codes(response)) == (400, ["SEVERAL_CREDENTIALS"])
        assert response.headers["www-authenticate"] == 'Bearer realm="sparekey", error="invalid_request"'
        assert "set-cookie" not in response.headers
    assert one.status_code == 200


async def test_two_authorization_headers_are_refused_even_when_they_are_the_same() -> None:
    async with bare() as caller:
        content = b'{"query": "{ practice { name } }"}'
        headers = [("Content-Type", JSON), ("Authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {KEY}")]
        response = await caller.client.post("/graphql", content=content, headers=headers)
    assert (response.status_code, codes(response)) == (400, ["SEVERAL_CREDENTIALS"])


async def test_a_key_in_the_address_is_ignored() -> None:
    async with bare() as caller:
        headers = {"Content-Type": JSON}
        content = b'{"query": "{ practice { name } }"}'
        response = await caller.client.post(f"/graphql?access_token={KEY}", content=content, headers=headers)
    assert (response.status_code, codes(response)) == (401, ["NOT_SIGNED_IN"])


async def test_a_header_of_100_kilobytes_is_refused_for_its_size() -> None:
    async with bare() as caller:
        response = await caller.ask(ASK, headers=bearer("a" * 100_000))
    assert response.status_code == 431


async def test_a_key_or_a_sessions_reference_in_the_others_place_is_nobody() -> None:
    async with bare() as caller:
        assert (await caller.ask(ASK, headers=bearer(SESSION))).status_code == 401
        assert (await caller.ask(ASK, headers={"Cookie": f"sparekey={KEY}"})).status_code == 401


@pytest.mark.parametrize("token", [KEY, TOKEN, JWT])
@pytest.mark.parametrize("mutation", ["signOut", 'signIn(input: {email: "a@b.example", password: "x"})'])
async def test_a_bearer_can_neither_sign_in_nor_out(mutation: str, token: str) -> None:
    async with bare(issuers=Issuer()) as caller:
        response = await caller.ask(f"mutation {{ {mutation} }}", headers=bearer(token))
    assert (response.status_code, codes(response)) == (400, ["SESSION_ONLY"])
    assert "set-cookie" not in response.headers


async def test_a_page_of_another_site_may_show_a_bearer_only_where_it_is_listed() -> None:
    async with bare(origins=("https://app.example",)) as caller:
        foreign = await caller.ask(ASK, headers={**bearer(KEY), "Origin": "https://evil.example"})
        listed = await caller.ask(ASK, headers={**bearer(KEY), "Origin": "https://app.example"})
        asking = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
        asking["Access-Control-Request-Headers"] = "authorization, content-type"
        preflight = await caller.client.options("/graphql", headers=asking)
    assert (foreign.status_code, codes(foreign)) == (403, ["CROSS_SITE"])
    assert listed.status_code == 200
    assert preflight.status_code == 200
    assert "Authorization" in preflight.headers["access-control-allow-headers"]


async def refusal(port: int, init: Any = None, **given: Any) -> int:
    """How a socket is closed, 0 when it is acknowledged."""
    async with socket(port, begun=False, **{"cookie": None} | given) as peer:
        await peer.say({"type": "connection_init", **({} if init is None else {"payload": init})})
        try:
            return 0 if await peer.hear() == {"type": "connection_ack"} else -1
        except Exception:
            return (await peer.closed())[0]


async def test_a_socket_takes_a_bearer_from_its_handshake_or_from_its_first_message() -> None:
    async with served(World(), open_context=open_context, issuers=Issuer()) as port:
        for token in (KEY, TOKEN, JWT):
            assert await refusal(port, headers=bearer(token)) == 0
            assert await refusal(port, {"authorization": f"Bearer {token}"}) == 0
        assert await refusal(port, {"Authorization": f"bearer {KEY}", "theme": "dark"}) == 0
        async with socket(port, cookie=None, headers=bearer(KEY)) as peer:
            await peer.subscribe("1", ASK)
            assert (await peer.hear())["payload"]["data"] == {"practice": {"name": "Elm Street"}}


async def test_a_socket_with_a_wrong_bearer_or_with_two_credentials_is_closed_by_4403() -> None:
    said = {"authorization": f"Bearer {KEY}"}
    async with served(World(), open_context=open_context) as port:
        for wrong in (*WRONG.values(), *OTHER_SCHEMES.values()):
            assert await refusal(port, {"authorization": wrong}) == 4403, wrong
        for odd in (5, None, ["Bearer"], {"Bearer": KEY}, "Bearer \N{GREEK SMALL LETTER ALPHA}", "Bearer a\0"):
            assert await refusal(port, {"authorization": odd}) == 4403, odd
        assert await refusal(port, said, cookie=f"sparekey={SESSION}") == 4403
        assert await refusal(port, said, headers=bearer(KEY)) == 4403
        assert await refusal(port, {**said, "Authorization": f"Bearer {KEY}"}) == 4403
        assert await refusal(port, headers=bearer(KEY), cookie=f"sparekey={SESSION}") == 4403
        assert await refusal(port, headers=bearer(KEY[:-1])) == 4403
        assert await refusal(port, said) == 0


def test_a_key_and_a_token_have_one_length_whatever_was_drawn() -> None:
    for secret in (b"\0" * 32, b"\xff" * 32, bytes(range(32))):
        assert len(key_text.key_of(key_text.new_prefix(), secret)) == 70
    assert {len(key_text.new_token()) for _ in range(50)} == {53}
    assert len({key_text.key_of("spk_" + "7" * 16, bytes([n]) * 32) for n in range(256)}) == 256


def test_every_single_wrong_character_is_seen_by_the_checksum() -> None:
    assert key_text.is_key(KEY)
    assert key_text.is_token(TOKEN)
    assert not any(key_text.is_key(other(KEY, place)) for place in range(len(KEY)))
    assert not any(key_text.is_token(other(TOKEN, place)) for place in range(len(TOKEN)))
    assert not key_text.is_key(KEY + "\n")


def test_nothing_that_holds_a_credential_shows_it() -> None:
    text = orjson.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {KEY}"}}).decode()
    assert KEY not in repr(Shown(bearer=KEY, cookie=KEY))
    assert KEY not in repr(socket_messages.read(text))
    assert limits.of("bearer_characters") < limits.of("header_bytes")
