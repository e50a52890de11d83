"""`clientOnboarding`: of all practices of an agent those in which something is missing, the longest waiting first.

Since when something is missing is worked out and not stored, so the whole list is read in one statement, put in order
here, and a page is cut from it behind the place that the cursor names.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeAlias
from uuid import UUID

import strawberry
from strawberry import UNSET, argument

from authz.actor import Access
from errors import InvalidInput, NotFound
from models.connection import Row, watched_read
from models.identifier import parse
from models.memory import note
from operations.facts import COLUMNS, TABLES
from resolvers import objects, places
from resolvers.context import Context, context_of
from resolvers.edges import edge
from resolvers.guard import requires
from resolvers.lists import Beside
from resolvers.paging import cut
from schema.onboarding import ClientOnboarding, ClientOnboardingConnection, ClientOnboardingEdge
from schema.page import PageInfo

OF = "onboarding"
MOST = 10_000  # engagements that are looked through, the newest first
_LIVE = f"""
SELECT {COLUMNS} FROM {TABLES} WHERE e.agent_id = $1 AND e.ended_at IS NULL ORDER BY e.id DESC LIMIT $2
"""  # noqa: S608  (our own text)

Spot: TypeAlias = tuple[datetime, UUID]
Agent = Annotated[strawberry.ID, argument(description="The agent: one that you belong to.")]
First = Annotated[int | None, argument(description="How many to return from the start: 1 to 100.")]
After = Annotated[str | None, argument(description="Continue behind this cursor: the `endCursor` of the page before.")]


@strawberry.type
class OnboardingQuery:
    @strawberry.field(
        description="The agent's practices in which something is missing before its people can work: what, who has to "
        "act, and since when; the longest waiting first. For the agent's own people. Looks through the 10,000 newest "
        "engagements that have not ended.",
        extensions=requires("changes.read", places.agent),
    )
    async def client_onboarding(
        self, info: strawberry.Info, access: Access, agent_id: Agent, first: First = UNSET, after: After = UNSET
    ) -> ClientOnboardingConnection:
        agent = parse(agent_id)
        if agent is None:
            raise NotFound
        size = cut(OF, None if first is UNSET else first, None, None, None).limit
        behind = None if after in (None, UNSET) else _spot(str(after))
        return ClientOnboardingConnection(listed=await _page(context_of(info), agent, size, behind))


@dataclass(frozen=True, slots=True)
class Waiting:
    """The whole list, and the page that was asked for."""

    total: int
    items: list[ClientOnboarding]
    has_next: bool
    has_previous: bool


async def _page(context: Context, agent: UUID, size: int, behind: Spot | None) -> Waiting:
    note(("engagements.agent_id", agent))
    rows = await watched_read(_LIVE, agent, MOST)
    found = sorted(_waiting(context, rows), key=_spot_of)
    left = found if behind is None else [each for each in found if _spot_of(each) > behind]
    return Waiting(len(found), left[:size], len(left) > size, len(left) < len(found))


def _waiting(context: Context, rows: list[Row]) -> Iterator[ClientOnboarding]:
    for row in rows:
        engagement = context.engagement(row)
        missing = engagement.blockers
        if missing:
            yield ClientOnboarding(
                practice=objects.practice(Beside(row, "practice_")),
                engagement=engagement,
                external_ref=row["external_ref"],
                missing=missing,
                waiting_for=missing[0].waiting_for,
                since=min(each.since for each in missing),
            )


def _spot_of(item: ClientOnboarding) -> Spot:
    return item.since, UUID(item.engagement.id)


def _cursor(spot: Spot) -> str:
    return base64.urlsafe_b64encode(f"{OF}:{spot[0].isoformat()} {spot[1]}".encode()).decode().rstrip("=")


def _spot(typed: str) -> Spot:
    """The place that a cursor names. Raises InvalidInput for one that was not made here."""
    try:
        padded = typed[:200] + "=" * (-len(typed[:200]) % 4)
        since, key = base64.urlsafe_b64decode(padded).decode().removeprefix(f"{OF}:").split(" ")
        spot = datetime.fromisoformat(since), UUID(key)
        if _cursor(spot) == typed and spot[0].tzinfo is not None:
            return spot
    except (ValueError, binascii.Error):
        pass
    raise InvalidInput("after", "this is not a cursor of this list; use one of its pageInfo")


@edge(ClientOnboardingConnection, "nodes")
def _nodes(context: Context, page: ClientOnboardingConnection) -> list[ClientOnboarding]:
    listed: Waiting = page.listed
    return listed.items


@edge(ClientOnboardingConnection, "edges")
def _edges(context: Context, page: ClientOnboardingConnection) -> list[ClientOnboardingEdge]:
    listed: Waiting = page.listed
    return [ClientOnboardingEdge(cursor=_cursor(_spot_of(each)), node=each) for each in listed.items]


@edge(ClientOnboardingConnection, "page_info")
def _page_info(context: Context, page: ClientOnboardingConnection) -> PageInfo:
    listed: Waiting = page.listed
    spots = [_cursor(_spot_of(each)) for each in listed.items]
    ends = {"start_cursor": spots[0] if spots else None, "end_cursor": spots[-1] if spots else None}
    return PageInfo(has_next_page=listed.has_next, has_previous_page=listed.has_previous, **ends)


@edge(ClientOnboardingConnection, "total_count")
def _total_count(context: Context, page: ClientOnboardingConnection) -> int:
    listed: Waiting = page.listed
    return listed.total
