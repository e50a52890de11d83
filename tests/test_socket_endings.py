"""How a subscription ends when it has to: the permission is gone, the session is over, the client has left."""

from __future__ import annotations

import asyncio

import pytest

from tests.http_door import SESSION
from tests.socket_door import World, codes, served, shorten, socket, until

SOON = 1.5  # a second, on a busy machine


async def test_watching_does_not_count_as_use_of_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    async with served(world) as port, socket(port) as peer:
        await peer.subscribe("1", "subscription { guarded { name } }")
        await until(lambda: world.started == ["guarded"])
        before = len(world.facts)
        world.events.put_nowait("a")
        await peer.hear()
        await until(lambda: len(world.facts) >= before + 2)  # the event, and a check
    assert not any(each.attended for each in world.facts[before:])


async def test_a_permission_that_is_gone_at_the_next_event_ends_the_subscription_without_the_event() -> None:
    world = World()
    async with served(world) as port, socket(port) as peer:
        await peer.subscribe("1", "subscription { guarded { name seenBy } }")
        world.events.put_nowait("first")
        assert (await peer.hear())["payload"]["data"] == {"guarded": {"name": "first", "seenBy": "somebody"}}
        world.permitted = False
        world.events.put_nowait("second")
        assert codes(await peer.hear()) == ["NOT_PERMITTED"]
        assert world.closed == ["guarded"]
        assert await peer.is_well()


async def test_a_permission_that_is_gone_ends_the_subscription_within_a_second_without_any_event() -> None:
    world = World()
    async with served(world) as port, socket(port) as peer:
        await peer.subscribe("1", "subscription { guarded { name } }")
        await peer.subscribe("2", "subscription { silent }")
        await until(lambda: len(world.started) == 2)
        world.permitted = False
        async with asyncio.timeout(SOON):
            assert codes(await peer.hear()) == ["NOT_PERMITTED"]
        assert world.closed == ["guarded"]
        await peer.subscribe("1", "{ practice { name } }")
        assert (await peer.hear())["id"] == "1"


async def test_somebody_without_the_permission_gets_no_source() -> None:
    world = World(permitted=False)
    async with served(world) as port, socket(port) as peer:
        await peer.subscribe("1", "subscription { guarded { name } }")
        assert codes(await peer.hear()) == ["NOT_PERMITTED"]
    assert world.started == []


@pytest.mark.parametrize("sessions", [{}, {SESSION: "somebody else"}])
async def test_a_session_that_ends_closes_its_socket_within_a_second(sessions: dict[str, str]) -> None:
    world = World()
    async with served(world) as port, socket(port) as peer:
        await peer.subscribe("1", "subscription { silent }")
        await until(lambda: world.started == ["silent"])
        world.sessions = sessions
        async with asyncio.timeout(SOON):
            assert await peer.closed() == (4403, "Forbidden")
        await until(lambda: world.closed == ["silent"])


async def test_an_event_after_the_sessions_end_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch, watch_milliseconds=60_000)
    world = World()
    async with served(world) as port, socket(port) as peer:
        await peer.subscribe("1", "subscription { guarded { name } }")
        await until(lambda: world.started == ["guarded"])
        world.sessions = {}
        world.events.put_nowait("secret")
        assert codes(await peer.hear()) == ["NOT_SIGNED_IN"]
        await peer.subscribe("2", "{ practice { name } }")
        assert codes(await peer.hear()) == ["NOT_SIGNED_IN"]


async def test_a_source_may_refuse_and_so_end_its_own_operation() -> None:
    async with served() as port, socket(port) as peer:
        await peer.subscribe("1", "subscription { refusing(at: 3) }")
        *events, last = await peer.hear_until("error")
        assert [each["payload"]["data"]["refusing"] for each in events] == [1, 2]
        assert codes(last) == ["ENGAGEMENT_ENDED"]
        assert await peer.is_well()


async def test_while_the_database_is_away_a_watched_subscription_waits_and_an_event_says_what_is_wrong() -> None:
    world = World()
    async with served(world) as port, socket(port) as peer:
        await peer.subscribe("1", "subscription { guarded { name } }")
        await until(lambda: world.started == ["guarded"])
        world.away = True
        before = len(world.facts)
        await until(lambda: len(world.facts) > before)
        assert await peer.is_well()
        world.events.put_nowait("secret")
        assert codes(await peer.hear()) == ["INTERNAL"]


async def test_a_client_that_leaves_ends_what_it_watched() -> None:
    world = World()
    async with served(world) as port:
        async with socket(port) as peer:
            await peer.subscribe("1", "subscription { silent }")
            await peer.subscribe("2", "subscription { guarded { name } }")
            await until(lambda: len(world.started) == 2)
        await until(lambda: sorted(world.closed) == ["guarded", "silent"])


async def test_a_client_that_vanishes_ends_what_it_watched() -> None:
    world = World()
    async with served(world) as port, socket(port) as peer:
        await peer.subscribe("1", "subscription { silent }")
        await until(lambda: world.started == ["silent"])
        peer.connection.transport.abort()
        await until(lambda: world.closed == ["silent"])
