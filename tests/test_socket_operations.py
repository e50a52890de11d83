"""What runs on a socket: results, errors, and how much at once."""

from __future__ import annotations

import logging

import pytest

from resolvers.credential import of_session
from tests.http_door import SECRET, SESSION
from tests.socket_door import World, codes, served, shorten, socket, until


async def test_a_query_and_a_mutation_are_one_next_and_complete() -> None:
    async with served() as port, socket(port) as peer:
        await peer.subscribe("q", "{ practice { name } }")
        assert await peer.hear_until("complete") == [
            {
                "id": "q",
                "type": "next",
                "payload": {"data": {"practice": {"name": "Elm Street"}}, "extensions": {"cost": 1}},
            },
            {"id": "q", "type": "complete"},
        ]
        await peer.subscribe("m", "mutation ($c: String!) { previewToken(code: $c) }", variables={"c": "1"})
        assert (await peer.hear())["payload"]["data"] == {"previewToken": "a card"}
        assert await peer.hear() == {"id": "m", "type": "complete"}


async def test_a_subscription_is_one_next_for_each_event_and_complete() -> None:
    world = World()
    async with served(world) as port, socket(port) as peer:
        await peer.subscribe("s", "subscription ($n: Int!) { count(to: $n) }", variables={"n": 3})
        heard = await peer.hear_until("complete")
    assert [each["payload"]["data"]["count"] for each in heard[:-1]] == [1, 2, 3]
    assert world.closed == ["count"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { silent count(to: 1) }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { __typename } query B { __typename }", "OPERATION_NOT_FOUND"),
        ("query ($t: String!) { echo(text: $t) }", "INVALID_VARIABLES"),
        ("subscription ($n: Int!) { count(to: $n) }", "INVALID_VARIABLES"),
        ("subscription ($n: Int) { count(to: $n) }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { " + "a: count(to: 1) " * 31 + "}", "DOCUMENT_TOO_EXPENSIVE"),
    ],
)
async def test_what_is_not_executed_is_one_error_message_and_no_complete(query: str, code: str) -> None:
    async with served() as port, socket(port) as peer:
        await peer.subscribe("1", query)
        heard = await peer.hear()
        assert codes(heard)[0] == code
        assert heard["id"] == "1"
        assert await peer.is_well()
        await peer.subscribe("1", "{ practice { name } }")
        assert (await peer.hear())["type"] == "next"


async def test_errors_in_fields_have_the_shape_they_have_over_http() -> None:
    async with served() as port, socket(port) as peer:
        await peer.subscribe("1", "{ practice { name ownerOnly } }")
        payload = (await peer.hear())["payload"]
    assert payload["data"] == {"practice": {"name": "Elm Street", "ownerOnly": None}}
    assert payload["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"
    assert payload["errors"][0]["path"] == ["practice", "ownerOnly"]


@pytest.mark.parametrize(
    "query",
    [
        'mutation { signIn(input: {email: "a@b.example", password: "x"}) }',
        'mutation { signUp(input: {email: "a@b.example", password: "x"}) }',
        "mutation { signOut }",
        'mutation { previewToken(code: "1") ...f } fragment f on Mutation { bye: signOut }',
    ],
)
async def test_what_changes_the_session_is_refused_before_execution_and_told_to_use_post(query: str) -> None:
    async with served() as port, socket(port) as peer:
        await peer.subscribe("1", query)
        assert codes(await peer.hear()) == ["USE_POST"]


async def test_every_operation_has_a_context_of_its_own_with_the_time_and_the_address() -> None:
    world = World()
    async with served(world) as port, socket(port) as peer:
        for id_ in "ab":
            await peer.subscribe(id_, "{ address }")
            await peer.hear_until("complete")
    init, first, second = world.facts
    assert first is not second
    assert {each.credential for each in world.facts} == {of_session(SESSION)}
    assert first.address == "127.0.0.1"
    assert init.attended
    assert second.attended


async def test_operations_run_side_by_side_and_pings_are_answered_meanwhile() -> None:
    world = World()
    async with served(world) as port, socket(port) as peer:
        await peer.subscribe("slow", "{ wait }")
        await peer.subscribe("quick", "{ practice { name } }")
        assert [each["id"] for each in await peer.hear_until("complete")] == ["quick", "quick"]
        assert await peer.is_well()
        world.gate.set()
        assert (await peer.hear())["payload"]["data"] == {"wait": "waited"}


async def test_one_operation_too_many_is_refused_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch, socket_operations=3)
    world = World()
    async with served(world) as port, socket(port) as peer:
        for id_ in "123":
            await peer.subscribe(id_, "{ wait }")
        await peer.subscribe("4", "{ practice { name } }")
        heard = await peer.hear()
        assert codes(heard) == ["TOO_MANY_OPERATIONS"]
        assert heard["id"] == "4"
        world.gate.set()
        finished = [await peer.hear() for _ in range(6)]
        assert sorted(each["id"] for each in finished if each["type"] == "complete") == ["1", "2", "3"]
        await peer.subscribe("4", "{ practice { name } }")
        assert (await peer.hear())["type"] == "next"


async def test_complete_closes_the_source_at_once_says_nothing_more_and_frees_the_id() -> None:
    world = World()
    async with served(world) as port, socket(port) as peer:
        await peer.subscribe("1", "subscription { endless }")
        await peer.hear()
        await peer.say({"type": "complete", "id": "1"})
        await until(lambda: world.closed == ["endless"])
        await peer.subscribe("1", "{ practice { name } }")
        heard = await peer.hear_until("complete")
        assert heard[-2]["payload"]["data"] == {"practice": {"name": "Elm Street"}}
        assert await peer.is_well()


async def test_completed_queries_count_until_they_have_ended_so_that_nobody_starts_them_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shorten(monkeypatch, socket_operations=3)
    world = World()
    async with served(world) as port, socket(port) as peer:
        for _ in range(50):
            await peer.subscribe("1", "{ wait }")
            await peer.say({"type": "complete", "id": "1"})
        for _ in range(47):
            assert codes(await peer.hear()) == ["TOO_MANY_OPERATIONS"]
        assert world.produced == 3
        world.gate.set()
        assert await peer.is_well()  # and nothing about the three


async def test_what_nobody_expected_is_told_by_an_id_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sparekey")
    async with served() as port, socket(port) as peer:
        await peer.subscribe("1", "subscription { failing(at: 2) }")
        *_, last = await peer.hear_until("error")
        assert await peer.is_well()
    assert codes(last) == ["INTERNAL"]
    (record,) = caplog.records
    assert record.fault_id == last["payload"][0]["extensions"]["id"]  # type: ignore[attr-defined]  # ours
    assert SECRET not in caplog.text + str(last)


async def test_a_step_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch, step_seconds=1)
    async with served() as port, socket(port) as peer:
        await peer.subscribe("1", "{ wait }")
        assert codes(await peer.hear()) == ["BUSY"]


async def test_one_session_has_so_many_sockets_and_another_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch, sockets_per_session=1)
    world = World()
    world.sessions["B" * 43] = "somebody else"
    async with served(world) as port:
        async with socket(port), socket(port, cookie=f"sparekey={'B' * 43}"), socket(port, begun=False) as third:
            await third.say({"type": "connection_init"})
            assert await third.closed() == (4429, "Too many sockets of this session")
        async with socket(port) as again:
            assert await again.is_well()
