"""What every connection has: nodes, edges, page info and a count, made of a page when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from models.connection import Row
from resolvers.context import Context
from resolvers.edges import edge
from resolvers.lists import Selection
from resolvers.paging import Part, cursor, cut
from resolvers.shapes import Rows
from schema.agent import AgentConnection, AgentMemberConnection
from schema.audit import AuditEventConnection
from schema.engagement import EngagementConnection
from schema.page import Page, PageInfo
from schema.person import StaffMemberConnection
from schema.practice import PracticeConnection

CONNECTIONS: tuple[type[Page], ...] = (
    PracticeConnection,
    AgentConnection,
    StaffMemberConnection,
    AgentMemberConnection,
    EngagementConnection,
    AuditEventConnection,
)
Connection = TypeVar("Connection", bound=Page)


@dataclass(slots=True)
class Listed:
    """A page as it was read, and how its rows become nodes and edges."""

    selection: Selection
    part: Part
    edge: Callable[..., Any]
    node: Callable[[Row], Any]
    made: list[Any] | Rows | None = None

    @property
    def nodes(self) -> Any:
        """Made once, for edges and nodes alike; or rows, where a compiled selection takes them as they are."""
        if self.made is None:
            self.made = [self.node(row) for row in self.part.rows]
        return self.made

    @property
    def cursors(self) -> list[str]:
        return [self.cursor(row) for row in self.part.rows]

    def cursor(self, row: Row) -> str:
        return cursor(self.selection.listing.name, row["sort_key"])


async def connection(
    context: Context,
    selection: Selection,
    asked: Mapping[str, Any],
    make: tuple[type[Connection], Callable[..., Any], Callable[[Row], Any]],
) -> Connection:
    """The page `asked` of a list, as the connection, edge and node that `make` names."""
    connection_type, edge_type, node_of = make
    found = await context.lists.page(selection, cut(selection.listing.name, **asked))
    return connection_type(listed=Listed(selection, found, edge_type, node_of))


def _nodes(context: Context, page: Page) -> Any:
    return page.listed.nodes


def _edges(context: Context, page: Page) -> list[Any]:
    listed: Listed = page.listed
    return [listed.edge(cursor=at, node=node) for at, node in zip(listed.cursors, listed.nodes, strict=True)]


for connection_type in CONNECTIONS:
    edge(connection_type, "nodes")(_nodes)
    edge(connection_type, "edges")(_edges)


@edge(Page, "page_info")
def page_info(context: Context, page: Page) -> PageInfo:
    listed: Listed = page.listed
    rows = listed.part.rows
    return PageInfo(
        has_next_page=listed.part.has_next,
        has_previous_page=listed.part.has_previous,
        start_cursor=listed.cursor(rows[0]) if rows else None,
        end_cursor=listed.cursor(rows[-1]) if rows else None,
    )


@edge(Page, "total_count")
async def total_count(context: Context, page: Page) -> int:
    return await context.lists.count(page.listed.selection)
