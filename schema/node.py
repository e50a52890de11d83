"""The interface of everything that has an id of its own, so that a client can refetch any object by `Query.node`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import strawberry

# The database record an object was made of: edges read foreign keys from it. No client sees it.
Row = strawberry.Private[Mapping[str, Any]]


@strawberry.interface(description="An object with an id, which `Query.node` and `Query.nodes` load again.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="A UUID: the same id in links, audit events and logs. It never changes and is never used again."
    )
    # A row may hold a hash or an e-mail address, hence no place in a repr.
    row: Row = dataclasses.field(repr=False, compare=False)
