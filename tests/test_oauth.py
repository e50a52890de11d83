"""Client credentials at /oauth/token, as RFC 6749 §4.4 and §5 have them, against keys that GraphQL made."""

from __future__ import annotations

import base64
import logging
from typing import Any
from urllib.parse import quote_plus

import httpx2
import pytest

from models import AccessToken, ApiKey, AuditEvent
from models.asyncpg_client import AsyncpgClient
from models.connection import client as database_client
from operations import key_text
from tests.keys import made, program, revoke, rotate, status
from tests.socket_door import shorten
from tests.statements import noted
from tests.town import Agency, Town

GRANT = {"grant_type": "client_credentials"}
Key = dict[str, Any]


@pytest.fixture
async def key(acme: Agency) -> Key:
    return await made(acme, "tokens.read", "agents.read", "members.read")


def basic(client_id: str, secret: str) -> dict[str, str]:
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


async def post(
    town: Town, form: Any, headers: dict[str, str] | None = None, path: str = "/oauth/token"
) -> httpx2.Response:
    http = town.visitor().http
    if isinstance(form, bytes):
        typed = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return await http.post(path, content=form, headers=typed)
    return await http.post(path, data=form, headers=headers or {})


async def exchange(town: Town, key: Key, **form: str) -> httpx2.Response:
    return await post(town, GRANT | form, basic(key["clientId"], key["secret"]))


async def token(town: Town, key: Key, **form: str) -> str:
    response = await exchange(town, key, **form)
    assert response.status_code == 200, response.text
    return str(response.json()["access_token"])


def refused(response: httpx2.Response) -> tuple[int, str]:
    assert response.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in response.headers) == (response.status_code == 401)
    return response.status_code, response.json()["error"]


@pytest.mark.parametrize("way", ["basic", "post"])
async def test_a_key_is_exchanged_for_a_token_that_works_for_an_hour(town: Town, key: Key, way: str) -> None:
    said = {"client_id": key["clientId"], "client_secret": key["secret"]}
    if way == "basic":
        response = await post(town, GRANT, basic(key["clientId"], key["secret"]))
    else:
        response = await post(town, GRANT | said)
    content = response.json()
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/json")
    assert (response.headers["cache-control"], response.headers["pragma"]) == ("no-store", "no-cache")
    assert key_text.is_token(content.pop("access_token"))
    assert content == {"token_type": "Bearer", "expires_in": 3600, "scope": "agents.read members.read tokens.read"}
    found = await token(town, key)
    assert await status(town, found) == 200
    town.clock.advance(seconds=3599)
    assert await status(town, found) == 200
    town.clock.advance(seconds=1)
    assert await status(town, found) == 401


async def test_a_scope_narrows_and_never_widens(town: Town, acme: Agency, key: Key) -> None:
    response = await exchange(town, key, scope="agents.read")
    assert response.json()["scope"] == "agents.read"
    narrow = program(town, response.json()["access_token"])
    assert await narrow.ask("query ($id: ID!) { agent(id: $id) { id } }", id=acme.id) == {"id": acme.id}
    members = "query ($id: ID!) { agent(id: $id) { members { totalCount } } }"
    assert (await narrow.refusal(members, id=acme.id))["extensions"]["permission"] == "members.read"
    assert (await exchange(town, key, scope="agents.read agents.read")).json()["scope"] == "agents.read"
    assert (await exchange(town, key, scope="")).json()["scope"] == "agents.read members.read tokens.read"
    for scope in (
        "tokens.issue",
        "agents.read tokens.issue",
        "*",
        "agents.read\0",
        "x" * 10_000,
        "agents.read,tokens.read",
    ):
        assert refused(await exchange(town, key, scope=scope)) == (400, "invalid_scope"), scope


async def test_a_token_dies_with_its_key_and_never_outlives_it(town: Town, acme: Agency, key: Key) -> None:
    found = await token(town, key)
    assert await status(town, found) == 200
    await revoke(acme, key)
    assert await status(town, found) == 401
    assert await AccessToken.all().count() == 0
    assert refused(await exchange(town, key)) == (401, "invalid_client")
    soon = (town.clock.now.replace(minute=10)).isoformat()
    short = await made(acme, "agents.read", expiresAt=soon)
    response = await exchange(town, short)
    assert response.json()["expires_in"] == 600
    town.clock.advance(seconds=600)
    assert await status(town, response.json()["access_token"]) == 401
    assert refused(await exchange(town, short)) == (401, "invalid_client")


async def test_a_token_whose_key_was_revoked_behind_our_back_is_dead(town: Town, key: Key) -> None:
    """Were its row left, the key's would do."""
    found = await token(town, key)
    assert await status(town, found) == 200
    await ApiKey.filter(id=key["id"]).update(revoked_at=town.clock.now)
    assert await status(town, found) == 401


async def test_while_a_client_rotates_both_of_its_keys_are_its_secret(town: Town, acme: Agency, key: Key) -> None:
    answer = await rotate(acme, key)
    new = answer["apiKey"] | {"secret": answer["secret"]}
    old_token, new_token = await token(town, key), await token(town, new)
    await revoke(acme, key)
    assert [await status(town, each) for each in (old_token, new_token)] == [401, 200]


async def test_whoever_is_not_a_client_gets_one_answer(town: Town, acme: Agency, key: Key) -> None:
    other = await made(acme, "tokens.read")
    found = await token(town, key)
    client_id, secret = key["clientId"], key["secret"]
    swapped = secret[:30] + ("a" if secret[30] != "a" else "b") + secret[31:]
    unknown = key_text.key_of("spk_" + "7" * 16, b"k" * 32)
    attempts: list[tuple[Any, dict[str, str]]] = [
        (GRANT, {}),
        (GRANT, basic(client_id, unknown)),
        (GRANT, basic(client_id, secret[:-1])),
        (GRANT, basic(client_id, swapped)),
        (GRANT, basic(client_id, other["secret"])),
        (GRANT, basic(other["clientId"], secret)),
        (GRANT, basic(client_id, found)),
        (GRANT, basic(client_id, "")),
        (GRANT, basic("", secret)),
        (GRANT, basic(client_id.upper(), secret)),
        (GRANT, basic(client_id, secret + "\0")),
        (GRANT, {"Authorization": "Basic !!!"}),
        (GRANT, {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()}),
        (GRANT, {"Authorization": f"Bearer {secret}"}),
        (GRANT | {"client_id": other["clientId"]}, basic(client_id, secret)),
        (GRANT | {"client_id": client_id}, {}),
        (GRANT | {"client_id": client_id, "client_secret": unknown}, {}),
        (GRANT | {"client_secret": secret}, {}),
        (GRANT | {"client_id": client_id, "client_secret": found}, {}),
    ]
    answers = [await post(town, form, headers) for form, headers in attempts]
    assert {refused(answer) for answer in answers} == {(401, "invalid_client")}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Basic realm="sparekey"'}
    assert await AccessToken.all().count() == 1


async def test_what_is_no_proper_request_is_said_so(town: Town, key: Key) -> None:
    who = basic(key["clientId"], key["secret"])
    said = {"client_id": key["clientId"], "client_secret": key["secret"]}
    twice = f"grant_type=client_credentials&client_id={key['clientId']}&client_secret={key['secret']}"
    wrong: list[tuple[Any, dict[str, str], tuple[int, str]]] = [
        ({}, who, (400, "invalid_request")),
        ({"grant_type": "password"}, who, (400, "unsupported_grant_type")),
        ({"grant_type": "authorization_code", "code": "x"}, who, (400, "unsupported_grant_type")),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, who, (400, "unsupported_grant_type")),
        (GRANT | said, who, (400, "invalid_request")),
        ((twice + f"&client_secret={key['secret']}").encode(), {}, (400, "invalid_request")),
        ((twice + f"&client_id={key['clientId']}").encode(), {}, (400, "invalid_request")),
        (b"grant_type=client_credentials&grant_type=client_credentials", who, (400, "invalid_request")),
        (b"grant_type=client_credentials&scope=agents.read&scope=agents.read", who, (400, "invalid_request")),
        (b"grant_type=client_credentials&scope=%FF", who, (400, "invalid_request")),
        (b"\xff\xfe", who, (400, "invalid_request")),
        (b"", who, (400, "invalid_request")),
        (b"grant_type=client_credentials&" + b"&".join([b"a=b"] * 20), who, (400, "invalid_request")),
        (b'{"grant_type": "client_credentials"}', who | {"Content-Type": "application/json"}, (400, "invalid_request")),
        (b"grant_type=client_credentials", who | {"Content-Encoding": "gzip"}, (400, "invalid_request")),
        (b"a" * 70_000, who, (413, "invalid_request")),
    ]
    for form, headers, expected in wrong:
        assert refused(await post(town, form, headers)) == expected, form
    in_the_address = f"/oauth/token?client_id={key['clientId']}&client_secret={key['secret']}"
    assert refused(await post(town, GRANT, who, in_the_address)) == (400, "invalid_request")
    assert refused(await post(town, GRANT, {}, in_the_address)) == (401, "invalid_client")
    assert (await town.visitor().http.get("/oauth/token")).status_code == 405
    assert await AccessToken.all().count() == 0


async def test_a_secret_without_the_form_of_a_key_is_refused_without_a_query(
    town: Town, key: Key, database: AsyncpgClient
) -> None:
    async with noted(database) as seen:
        assert (await post(town, GRANT, basic(key["clientId"], key["secret"][:-1]))).status_code == 401
    assert seen == []


async def test_two_authorization_headers_are_refused(town: Town, key: Key) -> None:
    line = basic(key["clientId"], key["secret"])["Authorization"]
    headers = [("Authorization", line), ("Authorization", line), ("Content-Type", "application/x-www-form-urlencoded")]
    response = await town.visitor().http.post("/oauth/token", content=b"grant_type=client_credentials", headers=headers)
    assert refused(response) == (400, "invalid_request")


async def test_an_access_token_is_a_hash_in_the_database_and_nowhere_in_a_log(
    town: Town, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    """The library logs requests and tokens at DEBUG; it is given neither."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("oauthlib").setLevel(logging.DEBUG)
    said = {"client_id": key["clientId"], "client_secret": key["secret"]}
    found = (await post(town, GRANT | said)).json()["access_token"]
    await status(town, found)
    assert "Dispatching grant_type client_credentials" in caplog.text
    for secret in (found, found[4:], key["secret"], key["secret"][21:]):
        assert secret not in caplog.text
    for table in ("access_tokens", "audit_events"):
        rows = await database_client().execute_query_dict(f"SELECT row_to_json(t)::text AS row FROM {table} t")
        assert rows
        assert not [row for row in rows if found[4:] in row["row"]]


async def test_the_record_says_which_key_was_exchanged(town: Town, acme: Agency, key: Key) -> None:
    await token(town, key, scope="agents.read")
    event = await AuditEvent.get(type="access_token.issued")
    assert (str(event.actor_api_key_id), str(event.agent_id)) == (key["id"], acme.id)
    assert event.after is not None
    assert event.after["scopes"] == ["agents.read"]


async def test_tokens_that_are_over_are_forgotten_and_only_the_newest_of_a_key_live(
    town: Town, acme: Agency, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch, access_tokens_per_key=2)
    other = await token(town, await made(acme, "agents.read"))
    first, second, third = [await token(town, key) for _ in range(3)]
    assert [await status(town, each) for each in (first, second, third, other)] == [401, 200, 200, 200]
    town.clock.advance(seconds=3600)
    await token(town, key)
    assert await AccessToken.all().count() == 1


async def test_use_of_a_token_is_use_of_its_key(town: Town, key: Key) -> None:
    found = await token(town, key)
    await town.remembered.uses.write()
    town.clock.advance(minutes=30)
    await status(town, found)
    await town.remembered.uses.write()
    assert (await ApiKey.get(id=key["id"])).last_used_at == town.clock.now


async def test_the_metadata_say_where_and_how(town: Town) -> None:
    http = town.visitor().http
    response = await http.get("/.well-known/oauth-authorization-server")
    assert response.json() == {
        "issuer": "http://testserver",
        "token_endpoint": "http://testserver/oauth/token",
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
    }
    odd = await http.get("/.well-known/oauth-authorization-server", headers={"Host": "a@evil.example/"})
    assert odd.status_code == 400
