"""graphql-transport-ws, point by point: the handshake, the messages, and the code by which each mistake ends it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from server.socket_messages import REASON_BYTES, Close, Closing
from tests.http_door import SESSION
from tests.socket_door import PROTOCOL, World, served, shorten, socket

FOREIGN = "https://evil.example"
QUERY = {"query": "{ practice { name } }"}
INIT = {"type": "connection_init"}


async def handshake(port: int, **given: Any) -> int:
    """The status of the answer."""
    try:
        async with socket(port, begun=False, **given):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def test_a_handshake_from_another_sites_page_is_403() -> None:
    async with served(origins=("https://app.example",)) as port:
        assert await handshake(port) == 101
        assert await handshake(port, origin=f"http://127.0.0.1:{port}") == 101
        assert await handshake(port, origin="https://app.example") == 101
        assert await handshake(port, origin=FOREIGN) == 403
        assert await handshake(port, origin="null") == 403
        assert await handshake(port, headers={"Sec-Fetch-Site": "cross-site"}) == 403


async def test_a_refused_handshake_says_why_with_the_headers_of_every_answer() -> None:
    async with served() as port:
        with pytest.raises(InvalidStatus) as refused:
            async with socket(port, origin=FOREIGN):
                pass
    response = refused.value.response
    assert json.loads(response.body)["errors"][0]["extensions"]["code"] == "CROSS_SITE"
    assert response.headers["Cache-Control"] == "no-store"
    assert "server" not in response.headers


@pytest.mark.parametrize("protocols", [(), ("graphql-ws",), ("graphql-ws", "nonsense")])
async def test_any_other_protocol_is_4406(protocols: tuple[str, ...]) -> None:
    async with served() as port, socket(port, begun=False, protocols=protocols) as peer:
        assert await peer.closed() == (4406, "Subprotocol not acceptable")
        assert peer.connection.subprotocol is None


async def test_the_protocol_is_found_among_others() -> None:
    async with served() as port, socket(port, protocols=("graphql-ws", PROTOCOL)) as peer:
        assert peer.connection.subprotocol == PROTOCOL


@pytest.mark.parametrize("development", [True, False])
@pytest.mark.parametrize("cookie", [None, "{name}=" + "B" * 43, "{name}=a b", "other=1"])
async def test_somebody_who_is_not_signed_in_is_4403_in_development_too(cookie: str | None, development: bool) -> None:
    name = "sparekey" if development else "__Host-sparekey"
    async with served(development=development) as port:
        sent = cookie.format(name=name) if cookie else None
        async with socket(port, begun=False, cookie=sent) as peer:
            await peer.say(INIT)
            assert await peer.closed() == (4403, "Forbidden")


async def test_in_production_the_cookie_is_the_host_cookie() -> None:
    async with served(development=False) as port:
        async with socket(port, cookie=f"__Host-sparekey={SESSION}"):
            pass
        async with socket(port, begun=False) as peer:
            await peer.say(INIT)
            assert (await peer.closed())[0] == 4403


async def test_connection_init_is_acknowledged_whatever_its_payload_holds() -> None:
    async with served() as port:
        for payload in ({}, {"token": "x"}, None):
            async with socket(port, begun=False) as peer:
                await peer.say({**INIT, "payload": payload})
                assert await peer.hear() == {"type": "connection_ack"}


async def test_no_connection_init_in_time_is_4408_and_pings_give_no_more_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shorten(monkeypatch, socket_init_seconds=1)
    async with served() as port, socket(port, begun=False) as peer:
        assert await peer.is_well()
        assert await peer.closed() == (4408, "Connection initialisation timeout")


async def test_nobody_is_looked_up_before_connection_init() -> None:
    world = World()
    async with served(world) as port, socket(port, begun=False) as peer:
        assert await peer.is_well()
        assert world.facts == []


async def test_a_second_connection_init_is_4429() -> None:
    async with served() as port, socket(port) as peer:
        await peer.say(INIT)
        assert await peer.closed() == (4429, "Too many initialisation requests")


async def test_subscribe_before_the_acknowledgement_is_4401() -> None:
    async with served() as port, socket(port, begun=False) as peer:
        await peer.subscribe("1", "{ practice { name } }")
        assert await peer.closed() == (4401, "Unauthorized")


async def test_a_ping_is_answered_by_a_pong_with_the_same_payload_before_and_after_connection_init() -> None:
    async with served() as port:
        for begun in (True, False):
            async with socket(port, begun=begun) as peer:
                await peer.say({"type": "ping", "payload": {"n": 1}}, {"type": "pong"}, {"type": "ping"})
                assert await peer.hear() == {"type": "pong", "payload": {"n": 1}}
                assert await peer.hear() == {"type": "pong"}


async def test_complete_for_an_id_that_is_not_known_is_ignored() -> None:
    async with served() as port, socket(port) as peer:
        await peer.say({"type": "complete", "id": "never"})
        assert await peer.is_well()


async def test_a_duplicate_id_is_4409_and_its_operation_ends() -> None:
    world = World()
    async with served(world) as port, socket(port) as peer:
        await peer.subscribe("one", "subscription { silent }")
        await peer.subscribe("one", "{ practice { name } }")
        assert await peer.closed() == (4409, "Subscriber for one already exists")
    assert world.started == world.closed


def test_a_reason_never_exceeds_what_a_close_frame_holds() -> None:
    assert Closing(Close.DUPLICATE_ID, "x" * REASON_BYTES).reason
    assert Closing(Close.DUPLICATE_ID, "é" * REASON_BYTES).reason == ""


SUBSCRIBE = {"id": "1", "type": "subscribe"}
INVALID: dict[str, Any] = {
    "no JSON": "{",
    "nothing": "",
    "two documents": "{}{}",
    "a number": 5,
    "null": None,
    "a list": [INIT],
    "a string": "connection_init",
    "no type": {},
    "type of another kind": {"type": 1},
    "type null": {"type": None},
    "type a list": {"type": ["ping"]},
    "an unknown type": {"type": "start"},
    "a type in other letters": {"type": "Ping"},
    "the server's ack": {"type": "connection_ack"},
    "the server's next": {"type": "next", "id": "1", "payload": {}},
    "the server's error": {"type": "error", "id": "1", "payload": []},
    "a ping with a list": {"type": "ping", "payload": []},
    "a pong with a string": {"type": "pong", "payload": ""},
    "subscribe without id": {"type": "subscribe", "payload": QUERY},
    "an empty id": {**SUBSCRIBE, "id": "", "payload": QUERY},
    "a number as id": {**SUBSCRIBE, "id": 1, "payload": QUERY},
    "null as id": {**SUBSCRIBE, "id": None, "payload": QUERY},
    "an overlong id": {**SUBSCRIBE, "id": "x" * 65, "payload": QUERY},
    "complete without id": {"type": "complete"},
    "complete with an overlong id": {"type": "complete", "id": "x" * 65},
    "subscribe without payload": SUBSCRIBE,
    "payload null": {**SUBSCRIBE, "payload": None},
    "payload a string": {**SUBSCRIBE, "payload": "{ practice { name } }"},
    "payload a list": {**SUBSCRIBE, "payload": [QUERY]},
    "payload without query": {**SUBSCRIBE, "payload": {}},
    "query a number": {**SUBSCRIBE, "payload": {"query": 1}},
    "query null": {**SUBSCRIBE, "payload": {"query": None}},
    "operationName a number": {**SUBSCRIBE, "payload": {**QUERY, "operationName": 1}},
    "variables a list": {**SUBSCRIBE, "payload": {**QUERY, "variables": []}},
    "extensions a string": {**SUBSCRIBE, "payload": {**QUERY, "extensions": ""}},
    "a number beyond 64 bits": {**SUBSCRIBE, "payload": {**QUERY, "variables": {"a": 10**30}}},
    "a lone surrogate": {**SUBSCRIBE, "payload": {"query": "\ud800"}},
    "NaN": {**SUBSCRIBE, "payload": {**QUERY, "variables": {"a": float("nan")}}},
    "deep nesting": '{"type": "ping", "payload": ' + '{"a":' * 2000 + "1" + "}" * 2001,
}


@pytest.mark.parametrize("begun", [True, False])
async def test_every_message_that_the_protocol_does_not_know_is_4400_and_its_reason_repeats_nothing(
    begun: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with served() as port:
        for name, invalid in INVALID.items():
            async with socket(port, begun=begun) as peer:
                await peer.connection.send(
                    invalid if name in ("no JSON", "nothing", "two documents", "deep nesting") else json.dumps(invalid)
                )
                code, reason = await peer.closed()
                assert code == 4400, name
                assert reason
                assert len(reason.encode()) <= REASON_BYTES
                assert "xxx" not in reason
    assert caplog.records == []


async def test_one_character_more_than_the_longest_id_is_too_long() -> None:
    async with served() as port, socket(port) as peer:
        await peer.subscribe("x" * 64, "{ practice { name } }")
        assert (await peer.hear_until("complete"))[-1]["id"] == "x" * 64


async def test_names_that_the_protocol_does_not_have_are_ignored() -> None:
    async with served() as port, socket(port) as peer:
        payload = {**QUERY, "operationName": None, "variables": None, "extensions": {"a": 1}, "more": 1}
        await peer.say({**SUBSCRIBE, "payload": payload, "more": {"a": 1}})
        assert [each["type"] for each in await peer.hear_until("complete")] == ["next", "complete"]


async def test_a_database_that_is_away_at_connection_init_is_4500_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    world = World(away=True)
    async with served(world) as port, socket(port, begun=False) as peer:
        await peer.say(INIT)
        assert await peer.closed() == (4500, "Internal server error")
    assert len(caplog.records) == 1
    assert "493827165038" not in caplog.text
