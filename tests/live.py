"""The product's own subscriptions in front of a real server, and how to listen to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from models.connection import listening
from resolvers.context import Context, Sessions, open_context
from resolvers.execution import RequestFacts
from resolvers.schema import schema
from tests import http_door
from tests.socket_door import Peer, socket
from tests.test_event_stream import Stream
from tests.town import START, Client, Town

CHANGED = (
    "subscription ($agent: ID!, $after: String) { changed(agentId: $agent, after: $after) { cursor type status } }"
)
ENGAGEMENTS = """subscription ($practice: ID!) { engagementChanged(practiceId: $practice) {
    id status version agent { legalName } externalRef roles { role { key } } } }"""
TOKEN = """subscription ($token: ID!) { tokenChanged(tokenId: $token) {
    status attemptsRemaining engagement { status } } }"""


@asynccontextmanager
async def served(town: Town) -> AsyncIterator[int]:
    async def opened(request: RequestFacts) -> Context:
        return await open_context(request, town.policy, START, Sessions(900, 43_200))

    async with http_door.served(schema=schema, open_context=opened, clock=town.clock) as port:
        yield port


@asynccontextmanager
async def watching(port: int, client: Client, document: str, **variables: Any) -> AsyncIterator[Peer]:
    async with socket(port, cookie=f"sparekey={client.reference}") as peer:
        await peer.subscribe("1", document, variables=variables)
        yield peer


async def told(peer: Peer) -> Any:
    """What the next event says."""
    heard = await peer.hear()
    assert heard["type"] == "next", heard
    assert "errors" not in heard["payload"], heard
    (value,) = heard["payload"]["data"].values()
    return value


async def streamed_event(stream: Stream) -> Any:
    _, result = await stream.event()
    (value,) = result["data"].values()
    return value


async def listened(topic: str, number: int = 1) -> None:
    async with asyncio.timeout(5):
        while len(listening()._waiting.get(topic, ())) != number:  # noqa: ASYNC110  # what is waited for is the server's
            await asyncio.sleep(0.01)
