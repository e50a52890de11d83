"""Fields that need a query, so that a type says *what* there is and `resolvers/` says *how* to get it.

All of them share one body: the request's context finds the implementation by the type and the field. The return
type is the annotation of the field in its class.
"""

from __future__ import annotations

from typing import Annotated, Any

import strawberry
from strawberry import UNSET
from strawberry.schema_directive import Location


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="requires",
    description="The key of the permission without which this field answers NotPermitted, or an error with that code.",
)
class Requires:
    permission: str  # the library hands on no descriptions of a directive's arguments


First = Annotated[
    int | None,
    strawberry.argument(description="How many to return from the start: 1 to 100. Not together with `last`."),
]
After = Annotated[
    str | None,
    strawberry.argument(
        description="Continue behind this cursor: the `endCursor` of the page before. Use with `first`."
    ),
]
Last = Annotated[
    int | None, strawberry.argument(description="How many to return from the end: 1 to 100. Not together with `first`.")
]
Before = Annotated[
    str | None,
    strawberry.argument(description="Stop before this cursor: the `startCursor` of the page behind. Use with `last`."),
]


async def follow(root: Any, info: strawberry.Info, **typed: Any) -> Any:
    """Ask the context for what `info`'s field leads to. An argument that was left out arrives as None, like null."""
    given = {name: None if value is UNSET else value for name, value in typed.items()}
    return await info.context.edge(info, root, **given)


async def _one(root: Any, info: strawberry.Info) -> Any:
    return await follow(root, info)


async def _page(
    root: Any,
    info: strawberry.Info,
    first: First = UNSET,
    after: After = UNSET,
    last: Last = UNSET,
    before: Before = UNSET,
) -> Any:
    return await follow(root, info, first=first, after=after, last=last, before=before)


def edge(description: str, requires: str | None = None, resolver: Any = _one) -> Any:
    """`requires` names a permission where the one that led to the parent is not enough.

    A field with arguments of its own brings a `resolver` whose body is one call of `follow`.
    """
    directives = [Requires(permission=requires)] if requires else []
    return strawberry.field(resolver=resolver, description=description, directives=directives)


def connection(description: str, requires: str | None = None) -> Any:
    return edge(description, requires, resolver=_page)
