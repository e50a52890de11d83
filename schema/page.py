"""What every page of a list carries.

The connections themselves stand beside their node types, written out: a page's class name is then found by grep. What
is on a page is made when it is asked for: most pages are asked for their nodes, few for the cursor of each.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import strawberry
from strawberry import field

from schema.edges import edge

CURSOR = "This item's place in the list. Pass it as `after` or `before`; its content means nothing and may change."
EDGES = "The items with their cursors, in the order of the list."
NODES = "The items alone, in the order of the list: shorter than `edges` where no cursor is needed."


@strawberry.type(description="Where a page lies in its list, and whether there is more on either side.")
class PageInfo:
    has_next_page: bool = field(
        description="Whether there is more behind this page: ask again with `first` and `after: endCursor`."
    )
    has_previous_page: bool = field(
        description="Whether there is more before this page: ask again with `last` and `before: startCursor`."
    )
    start_cursor: str | None = field(description="The cursor of the first item; null on an empty page.")
    end_cursor: str | None = field(description="The cursor of the last item; null on an empty page.")


@strawberry.type(description="One page of a list.")
class Page:
    """What the connections inherit; it is no type of the API."""

    page_info: PageInfo = edge("Where this page lies, and the cursors to go on with.")
    total_count: int = edge(
        "How many there are in the whole list, filters applied, of those that you may see. Counted only when asked."
    )
    # What was read, from which edges, nodes, page info and count are made when they are asked for.
    listed: strawberry.Private[Any] = dataclasses.field(repr=False, compare=False)
