"""Keyset pages: a page is cut from an ordered list by the place of an item, never by counting items off.

Rows that come and go between two pages move nothing: no item is seen twice and none that stayed is missed. A
cursor is the name of its list and the item's sort value, made opaque; one that was not made here, or for another
list, is refused.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import limits
from errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of a list: `limit` items from the start, or from the end, between two places of its order."""

    limit: int
    backwards: bool
    after: UUID | int | None
    before: UUID | int | None


def cut(
    of: str,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
    key: type[UUID] | type[int] = UUID,
) -> Cut:
    """The arguments of a connection, checked; `of` is the list's name. Raises InvalidInput.

    Exactly one of `first` and `last`, 1 to 100; neither means the default size from the start.
    """
    if first is not None and last is not None:
        raise InvalidInput("last", "ask for first or for last, not for both")
    size = _size("first", first) if last is None else _size("last", last)
    return Cut(size, last is not None, _place("after", after, of, key), _place("before", before, of, key))


def cursor(of: str, value: UUID | int) -> str:
    """The opaque cursor of the item with this sort value in the list of this name."""
    return base64.urlsafe_b64encode(f"{of}:{value}".encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one page in the list's order, and whether there is more on either side."""

    rows: Sequence[Mapping[str, Any]]
    has_next: bool
    has_previous: bool


def part(rows: Sequence[Mapping[str, Any]], asked: Cut) -> Part:
    """Trim what was fetched (one row more than the page, in the direction of reading) to the page."""
    more = len(rows) > asked.limit
    kept = list(rows[: asked.limit])
    if asked.backwards:
        return Part(kept[::-1], has_next=asked.before is not None, has_previous=more)
    return Part(kept, has_next=more, has_previous=asked.after is not None)


def _size(name: str, typed: int | None) -> int:
    if typed is None:
        return limits.of("page_size_default")
    most = limits.of("page_size_most")
    if not 1 <= typed <= most:
        raise InvalidInput(name, f"ask for 1 to {most}")
    return typed


def _place(name: str, typed: str | None, of: str, key: type[UUID] | type[int]) -> UUID | int | None:
    if typed is None:
        return None
    try:
        marked = base64.urlsafe_b64decode(typed[:200] + "=" * (-len(typed[:200]) % 4)).decode()
        value = key(marked.removeprefix(f"{of}:"))
    except (ValueError, binascii.Error):
        raise InvalidInput(name, "this is not a cursor of this list; use one that it gave") from None
    if cursor(of, value) != typed or (isinstance(value, int) and not 0 <= value < 2**63):
        raise InvalidInput(name, "this is not a cursor of this list; use one that it gave")
    return value
