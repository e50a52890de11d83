"""Where the fields that need a query are answered: `schema/` says what there is, a function here says how.

A field that is declared with `requires=` is asked at its parent, in memory. The parent is visible to the
caller already, so a missing permission is never hidden: it is NotPermitted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from uuid import UUID

import strawberry
from strawberry.types.base import get_object_definition

from authz.actor import PLATFORM, Place
from errors import NotSignedIn
from schema.agent import Agent
from schema.edges import Requires
from schema.practice import Practice

if TYPE_CHECKING:
    from resolvers.context import Context

Resolve: TypeAlias = Callable[..., Awaitable[Any]]
Function = TypeVar("Function", bound=Resolve)


@dataclass(frozen=True, slots=True)
class Edge:
    resolve: Resolve
    permission: str | None


EDGES: dict[tuple[type, str], Edge] = {}


def edge(parent: type, name: str) -> Callable[[Function], Function]:
    """Register the function that answers field `name` (in Python's spelling) of `parent`."""
    permission = _required(parent, name)

    def register(resolve: Function) -> Function:
        EDGES[parent, name] = Edge(resolve, permission)
        return resolve

    return register


async def follow(context: Context, info: strawberry.Info, root: Any, arguments: Mapping[str, Any]) -> Any:
    """The answer of an edge; the context's `edge` is this."""
    found = find(type(root), info.python_name)
    if found.permission is not None:
        _check(context, found.permission, root)
    return await found.resolve(context, root, **arguments)


def find(parent: type, name: str) -> Edge:
    """The edge of a type, or the one of a type it inherits from (`Page.total_count`)."""
    for ancestor in parent.__mro__:
        if (ancestor, name) in EDGES:
            return EDGES[ancestor, name]
    raise LookupError(f"nothing answers {parent.__name__}.{name}; register it with @edge")


def _required(parent: type, name: str) -> str | None:
    definition = get_object_definition(parent, strict=True)
    field = next(field for field in definition.fields if field.python_name == name)
    return next((str(found.permission) for found in field.directives if isinstance(found, Requires)), None)


def _check(context: Context, permission: str, root: Any) -> None:
    if context.actor is None:
        raise NotSignedIn
    context.actor.require(permission, _place(root))


def _place(root: Any) -> Place:
    if isinstance(root, Practice):
        return Place(frozenset({UUID(root.id)}))
    return Place(agent=UUID(root.id)) if isinstance(root, Agent) else PLATFORM
