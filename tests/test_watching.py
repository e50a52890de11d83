"""The product's own people, guards and sessions over a connection that stays; the subscription is the test's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import strawberry
from strawberry.schema.config import StrawberryConfig

from authz.actor import Access
from resolvers import places
from resolvers.context import Context, Sessions, open_context
from resolvers.execution import RequestFacts, Schema
from resolvers.guard import requires
from resolvers.query import Query
from schema.scalars import SCALARS
from tests import http_door
from tests.socket_door import PATIENCE, socket, until
from tests.stored import rows
from tests.test_event_stream import SOON, codes, streamed
from tests.town import START, Client, House, Town

WATCH = "subscription ($p: ID!) { schedule(practiceId: $p) }"
EVENTS: asyncio.Queue[str] = asyncio.Queue()
opened: list[str] = []


@strawberry.type
class Subscription:
    @strawberry.subscription(extensions=requires("schedule.read", places.practice))  # type: ignore[untyped-decorator]  # typed as Any
    async def schedule(self, access: Access, practice_id: strawberry.ID) -> AsyncGenerator[str, None]:
        opened.append(practice_id)
        try:
            while True:
                yield await EVENTS.get()
        finally:
            opened.remove(practice_id)


SCHEMA = Schema(Query, subscription=Subscription, config=StrawberryConfig(scalar_map=SCALARS))


def served(town: Town) -> Any:
    async def opened(request: RequestFacts) -> Context:
        return await open_context(request, town.policy, START, Sessions(900, 43_200))

    return http_door.served(schema=SCHEMA, open_context=opened, clock=town.clock)


async def hired(town: Town, house: House) -> tuple[Client, dict[str, Any]]:
    """A front-office worker who may see the schedule, and her engagement."""
    desk = await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")
    engagement = await town.engage(house, desk)
    await house.owner.set_roles(engagement, "scheduler", acknowledgeWarnings=True)
    return desk.admin, engagement


async def test_a_revocation_ends_what_the_agent_watches_within_a_second(town: Town, elm_street: House) -> None:
    dana, engagement = await hired(town, elm_street)
    async with served(town) as port, socket(port, cookie=f"sparekey={dana.reference}") as peer:
        await peer.subscribe("1", WATCH, variables={"p": elm_street.id})
        async with streamed(port, WATCH, {"p": elm_street.id}, cookie=dana.reference) as stream:
            await until(lambda: len(opened) == 2)
            await elm_street.owner.revoke(engagement)
            async with asyncio.timeout(SOON):
                refused = await peer.hear()
                _, result = await stream.event()
    assert refused["type"] == "error"
    assert refused["payload"][0]["extensions"]["code"] == "NOT_FOUND"  # the practice is hidden from her now
    assert codes(result) == ["NOT_FOUND"]
    assert opened == []


async def test_signing_out_elsewhere_ends_the_socket_within_a_second(town: Town, elm_street: House) -> None:
    dana, _ = await hired(town, elm_street)
    async with served(town) as port, socket(port, cookie=f"sparekey={dana.reference}") as peer:
        await peer.subscribe("1", WATCH, variables={"p": elm_street.id})
        await until(lambda: opened == [elm_street.id])
        assert await dana.ask("mutation { signOut }")
        async with asyncio.timeout(SOON):
            assert await peer.closed() == (4403, "Forbidden")


async def test_a_page_that_is_left_open_does_not_keep_its_session_alive(town: Town, elm_street: House) -> None:
    dana, _ = await hired(town, elm_street)
    async with served(town) as port, socket(port, cookie=f"sparekey={dana.reference}") as peer:
        await peer.subscribe("1", WATCH, variables={"p": elm_street.id})
        await until(lambda: opened == [elm_street.id])
        seen = await last_seen(dana)
        town.clock.advance(minutes=10)
        EVENTS.put_nowait("Monday")
        await peer.hear()
        assert await last_seen(dana) == seen
        town.clock.advance(minutes=6)
        async with asyncio.timeout(PATIENCE):
            assert await peer.closed() == (4403, "Forbidden")


async def test_an_operation_that_somebody_asks_for_is_a_use_of_the_session(town: Town, elm_street: House) -> None:
    dana, _ = await hired(town, elm_street)
    async with served(town) as port, socket(port, cookie=f"sparekey={dana.reference}") as peer:
        before = await last_seen(dana)
        town.clock.advance(minutes=10)
        await peer.subscribe("1", "{ viewer { user { id } } }")
        assert (await peer.hear())["payload"]["data"]["viewer"]["user"]["id"] == dana.user_id
        assert await last_seen(dana) > before


async def last_seen(client: Client) -> Any:
    (found,) = await rows("SELECT max(last_seen_at) AS at FROM sessions WHERE user_id = $1", client.user_id)
    return found["at"]
