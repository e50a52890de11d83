"""The root of every subscription. Whether it is allowed is asked when it begins, for each event and once a second."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET, argument

from authz.actor import Access
from resolvers import places, sources
from resolvers.context import context_of
from resolvers.guard import requires
from resolvers.subscription import Event
from schema.agent import ConnectToken
from schema.change import Change
from schema.engagement import Engagement

TokenId = Annotated[strawberry.ID, argument(description="A connect token of an agent that you work for.")]
PracticeId = Annotated[strawberry.ID, argument(description="A practice on whose staff you are.")]
AgentId = Annotated[strawberry.ID, argument(description="An agent that you work for.")]
After = Annotated[
    str | None,
    argument(
        description="The `cursor` of the last change that you have dealt with, from here or from `Query.changes`: all "
        "that happened since is told first. Left out: only what happens from now on."
    ),
]


@strawberry.type(
    description="What is told as it happens, over a WebSocket or as server-sent events. It ends with an error within a "
    "second once you may not see it any more."
)
class Subscription:
    @strawberry.subscription(
        description="For the agent's screen during the call: the token as it is now, and again whenever an attempt "
        "fails, it is used, cancelled or locked, or expires. It completes once the token is over.",
        extensions=requires("tokens.read", places.token),
    )
    async def token_changed(
        self, info: strawberry.Info, access: Access, token_id: TokenId
    ) -> AsyncGenerator[ConnectToken, None]:
        async with aclosing(sources.token(context_of(info), UUID(token_id))) as events:
            async for event in events:
                yield _later(event)

    @strawberry.subscription(
        description="For the practice's staff page: each engagement of the practice to which something happens, "
        "as it then is. It begins with those of the last ten seconds: what happens between asking for the page and "
        "subscribing is not lost.",
        extensions=requires("engagements.read", places.own_practice),
    )
    async def engagement_changed(
        self, info: strawberry.Info, access: Access, practice_id: PracticeId
    ) -> AsyncGenerator[Engagement, None]:
        async with aclosing(sources.engagements(context_of(info), access.place.practice)) as events:
            async for event in events:
                yield _later(event)

    @strawberry.subscription(
        description="For partner platforms: the same changes as `Query.changes`, which is the durable form, each once "
        "and in its order. A `cursor` that is none of this agent's feed, or lies ahead of it, ends it with the code "
        "INVALID_INPUT.",
        extensions=requires("changes.read", places.agent),
    )
    async def changed(
        self, info: strawberry.Info, access: Access, agent_id: AgentId, after: After = UNSET
    ) -> AsyncGenerator[Change, None]:
        async with aclosing(sources.feed(UUID(agent_id), None if after is UNSET else after)) as events:
            async for event in events:
                yield _later(event)


def _later(event: Event) -> Any:
    """What the client is shown is made of it in the event's own context."""
    return event
