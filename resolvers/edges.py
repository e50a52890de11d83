"""Where the fields that need a query are answered: `schema/` says what there is, a function here says how.

A field that is declared with `requires=` is asked at its parent, in memory. The parent is visible to the
caller already, so a missing permission is never hidden: it is NotPermitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from uuid import UUID

import strawberry
from graphql.pyutils import gather_with_cancel
from strawberry.types.base import get_object_definition
from strawberry.utils.str_converters import to_camel_case

from authz.actor import PLATFORM, Place
from errors import NotPermitted, NotSignedIn
from resolvers import denied
from schema.agent import Agent
from schema.edges import Requires
from schema.practice import Practice

if TYPE_CHECKING:
    from resolvers.context import Context

Resolve: TypeAlias = Callable[..., Any]
AtHand: TypeAlias = Callable[["Context", Any, Mapping[str, Any]], Any]
Make: TypeAlias = Callable[["Context", Mapping[str, Any]], Any]
Function = TypeVar("Function", bound=Resolve)


@dataclass(frozen=True, slots=True)
class One:
    """What leads from a row to one other row: the kind of that row, and the column that holds its id."""

    kind: str
    column: str
    make: Make


@dataclass(frozen=True, slots=True)
class Edge:
    """`name` as the API has it. `waits`: whether `resolve` is to be awaited. `one` says more of an edge that leads to
    one row. `at_hand` gives an answer that came with the parent, or None where there is none and it has to be waited
    for."""

    name: str
    resolve: Resolve
    permission: str | None
    waits: bool
    one: One | None = None
    at_hand: AtHand | None = None


EDGES: dict[tuple[type, str], Edge] = {}


def edge(parent: type, name: str, at_hand: AtHand | None = None) -> Callable[[Function], Function]:
    """Register the function that answers field `name` (in Python's spelling) of `parent`: a coroutine function where
    a query is needed, a plain one where memory is enough."""
    permission = _required(parent, name)

    def register(resolve: Function) -> Function:
        EDGES[parent, name] = Edge(
            _named(parent, name), resolve, permission, iscoroutinefunction(resolve), at_hand=at_hand
        )
        return resolve

    return register


def to_one(parent: type, name: str, kind: str, column: str, make: Make) -> None:
    """Register an edge to the row whose id is in `column` of the parent's row; null where that is null."""
    one = One(kind, column, make)

    async def resolve(context: Context, root: Any) -> Any:
        return (await _ones(context, one, [root]))[0]

    EDGES[parent, name] = Edge(_named(parent, name), resolve, _required(parent, name), waits=True, one=one)


async def follow(context: Context, info: strawberry.Info, root: Any, arguments: Mapping[str, Any]) -> Any:
    """The answer of an edge; the context's `edge` is this."""
    found = known(type(root), info.python_name)
    if found is None:
        raise LookupError(f"nothing answers {type(root).__name__}.{info.python_name}; register it with @edge")
    if found.waits:
        return (await awaited(context, found, [root], arguments))[0]
    return answers(context, found, [root], arguments)[0]


def known(parent: type, name: str) -> Edge | None:
    """The edge of a type, or the one of a type it inherits from (`Page.total_count`)."""
    for ancestor in parent.__mro__:
        if (ancestor, name) in EDGES:
            return EDGES[ancestor, name]
    return None


def answers(context: Context, edge: Edge, parents: Sequence[Any], given: Mapping[str, Any]) -> list[Any]:
    """The answers of an edge that does not wait, one for each parent."""
    _check(context, edge, parents)
    return [edge.resolve(context, parent, **given) for parent in parents]


def at_hand(context: Context, edge: Edge, parents: Sequence[Any], given: Mapping[str, Any]) -> list[Any] | None:
    """The answers of an edge that waits, if they are all there without."""
    if edge.at_hand is None:
        return None
    found = [edge.at_hand(context, parent, given) for parent in parents]
    if None in found:
        return None
    _check(context, edge, parents)
    return found


async def awaited(context: Context, edge: Edge, parents: Sequence[Any], given: Mapping[str, Any]) -> list[Any]:
    """The answers of an edge that waits, one for each parent."""
    _check(context, edge, parents)
    if edge.one is not None:
        return await _ones(context, edge.one, parents)
    if len(parents) == 1:
        return [await edge.resolve(context, parents[0], **given)]
    return list(await gather_with_cancel(*(edge.resolve(context, parent, **given) for parent in parents)))


async def _ones(context: Context, one: One, parents: Sequence[Any]) -> list[Any]:
    keys = [_key(parent.row[one.column]) for parent in parents]
    rows = await context.all_the(one.kind, [key for key in keys if key is not None])
    return [None if key is None else one.make(context, rows[key]) for key in keys]


def _required(parent: type, name: str) -> str | None:
    definition = get_object_definition(parent, strict=True)
    field = next(field for field in definition.fields if field.python_name == name)
    return next((str(found.permission) for found in field.directives if isinstance(found, Requires)), None)


def _named(parent: type, name: str) -> str:
    return f"{parent.__name__}.{to_camel_case(name)}"


def _key(stored: UUID | str | None) -> UUID | None:
    """Inside JSON an id is text."""
    return UUID(stored) if isinstance(stored, str) else stored


def _check(context: Context, edge: Edge, parents: Sequence[Any]) -> None:
    if edge.permission is None:
        return
    if context.actor is None:
        raise NotSignedIn
    for parent in parents:
        place = _place(parent)
        try:
            context.actor.require(edge.permission, place)
        except NotPermitted:
            denied.note(context, edge.permission, place, edge.name)
            raise


def _place(root: Any) -> Place:
    if isinstance(root, Practice):
        return Place(frozenset({root.row["id"]}))
    return Place(agent=root.row["id"]) if isinstance(root, Agent) else PLATFORM
