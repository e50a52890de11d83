"""The interface of everything that has an id of its own, so that a client can refetch any object by `Query.node`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import strawberry

# The database record an object was made of: edges read foreign keys from it. No client sees it.
Row = strawberry.Private[Mapping[str, Any]]


# How plain fields are made from an object's row, by class and name in Python. `resolvers/objects.py` fills it in.
MADE: dict[tuple[type, str], Callable[[Any], Any]] = {}


@strawberry.interface(description="An object with an id, which `Query.node` and `Query.nodes` load again.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="A UUID: the same id in links, audit events and logs. It never changes and is never used again."
    )
    # A row may hold a hash or an e-mail address, hence no place in a repr.
    row: Row = dataclasses.field(repr=False, compare=False)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """A field of an object that was given nothing but its row: made when it is first asked for, because on a
            page of a hundred objects nobody asks for all fields of each."""
            make = MADE.get((type(self), name))
            if make is None:
                raise AttributeError(name)
            value = self.__dict__[name] = make(self)
            return value
