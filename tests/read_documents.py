"""Documents that one town has read are known to the next, as they are in a server that has run for a while.

Most tests send the same few mutations on their way to what they are about, each to an application of its own. To parse
and to validate them took more than half of all the time that requests took.
"""

from __future__ import annotations

import functools

from graphql import GraphQLSchema

import limits
from server.documents import Document, Documents
from server.http_errors import ErrorBody


class Known(Documents):
    """What it keeps itself is bounded and found as ever; only what it reads anew may have been read by another."""

    def _parse(self, text: str) -> Document | list[ErrorBody]:
        bounds = tuple(limit.value for limit in limits.LIMITS.values())  # a test may have changed them
        return _parsed(self._schema, self._hide_suggestions, bounds, text)


@functools.lru_cache(maxsize=1000)
def _parsed(
    schema: GraphQLSchema, hide_suggestions: bool, bounds: tuple[int, ...], text: str
) -> Document | list[ErrorBody]:
    return Documents(schema, hide_suggestions)._parse(text)
