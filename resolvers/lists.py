"""Lists under many parents at once: one statement for a page of each, and one for all the counts.

A field that is asked for under forty practices costs as many statements as under one. The loaders collect
what one operation asks for at the same level; a list is described once, as a `Listing`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from strawberry.dataloader import DataLoader

from models import memory
from models.connection import Row, watched_read
from resolvers.paging import Cut, Part, part

HOUSE = "house_"
NOWHERE = UUID(int=0)  # the parent of a list that has none


@dataclass(frozen=True, slots=True)
class Beside(Mapping[str, Any]):
    """A row that came with another one, in columns that begin with its kind."""

    row: Row
    prefix: str

    def __getitem__(self, name: str) -> Any:
        return self.row[self.prefix + name]

    def __iter__(self) -> Iterator[str]:
        return (name.removeprefix(self.prefix) for name in self.row.keys() if name.startswith(self.prefix))  # noqa: SIM118  (a Record iterates values)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True, slots=True)
class Listing:
    """An ordered list. `key` is unique within it and its order; `parent` the column that says whose list it is.

    `watched`: the table whose rows are on it, where its changes are noted by the parent's column. What the columns
    show of other tables' rows is noted by whoever makes objects of them.
    """

    name: str
    columns: str
    tables: str
    key: str
    parent: str | None = None
    where: str = "TRUE"
    watched: str | None = None


@dataclass(frozen=True, slots=True)
class Parent:
    """What is shown of the row that a list belongs to."""

    table: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter: SQL with `%s` for each value."""

    sql: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """A list as one caller may see it and asked for it."""

    listing: Listing
    parent: UUID = NOWHERE
    conditions: tuple[Condition, ...] = ()

    def under(self, parent: UUID) -> Selection:
        return Selection(self.listing, parent, self.conditions)

    def note(self) -> None:
        """What is made of this list depends on which rows are on it."""
        if self.listing.watched is None or self.listing.parent is None:
            memory.spoil()
        else:
            memory.note((f"{self.listing.watched}.{self.listing.parent.partition('.')[2]}", self.parent))


@dataclass(frozen=True, slots=True)
class PageAndParent:
    """The statement for a parent's row with a page below it, and its values but for the last: the parent's id."""

    sql: str
    values: tuple[Any, ...]
    cut: Cut


class Lists:
    """The pages and counts of one operation."""

    @cached_property
    def _pages(self) -> DataLoader[tuple[Selection, Cut], Part]:
        return DataLoader(load_fn=_load_pages)

    @cached_property
    def _counts(self) -> DataLoader[Selection, int]:
        return DataLoader(load_fn=_load_counts)

    async def page(self, selection: Selection, asked: Cut) -> Part:
        selection.note()
        return await self._pages.load((selection, asked))

    async def page_and_parent(self, selection: Selection, asked: PageAndParent) -> tuple[Row, Part] | None:
        """The parent's row, if there is one, and in the same statement the page below it."""
        selection.note()
        found = await watched_read(asked.sql, *asked.values, selection.parent)
        if not found:
            return None
        rows = found if found[0]["sort_key"] is not None else []
        return Beside(found[0], HOUSE), part(rows, asked.cut)

    async def count(self, selection: Selection) -> int:
        selection.note()
        return await self._counts.load(selection)


def page_and_parent(listing: Listing, conditions: tuple[Condition, ...], asked: Cut, parent: Parent) -> PageAndParent:
    """How a page of a list is read along with the row of its parent, whichever that is."""
    statement = _Statement()
    inner = _page(statement, Selection(listing, conditions=conditions), asked)
    house = ", ".join(f"{name} AS {HOUSE}{name}" for name in parent.columns)
    key = f"${len(statement.values) + 1}"
    around = f"(SELECT id AS parent, {house} FROM {parent.table} WHERE id = {key})"  # noqa: S608  (our own text)
    shown = ", ".join(f"parents.{HOUSE}{name}" for name in parent.columns)
    sql = (
        f"SELECT {shown}, page.* FROM {around} AS parents LEFT JOIN LATERAL ({inner}) page ON TRUE"  # noqa: S608  (our own text)
        f" ORDER BY page.sort_key {'DESC' if asked.backwards else 'ASC'}"
    )
    return PageAndParent(sql, tuple(statement.values), asked)


async def _load_pages(keys: list[tuple[Selection, Cut]]) -> list[Part]:
    """One statement for each different list and cut, whatever the number of parents."""
    groups: defaultdict[tuple[Selection, Cut], list[UUID]] = defaultdict(list)
    for selection, asked in keys:
        groups[selection.under(NOWHERE), asked].append(selection.parent)
    found: dict[tuple[Selection, Cut], Part] = {}
    for (selection, asked), parents in groups.items():
        rows = await _rows(selection, asked, parents)
        for parent in parents:
            found[selection.under(parent), asked] = part(rows[parent], asked)
    return [found[key] for key in keys]


async def _load_counts(keys: list[Selection]) -> list[int]:
    groups: defaultdict[Selection, list[UUID]] = defaultdict(list)
    for selection in keys:
        groups[selection.under(NOWHERE)].append(selection.parent)
    found: dict[Selection, int] = {}
    for selection, parents in groups.items():
        counts = await _counts(selection, parents)
        found |= {selection.under(parent): counts.get(parent, 0) for parent in parents}
    return [found[key] for key in keys]


async def _rows(selection: Selection, asked: Cut, parents: Sequence[UUID]) -> defaultdict[UUID, list[Row]]:
    statement = _Statement()
    inner = _page(statement, selection, asked)
    around = f"unnest({statement.value(list(parents))}::uuid[]) AS parents (parent)"
    sql = f"SELECT parents.parent, page.* FROM {around} CROSS JOIN LATERAL ({inner}) page"  # noqa: S608  (our own text)
    found = await watched_read(sql, *statement.values)
    return _by_parent(found, backwards=asked.backwards)


def _page(statement: _Statement, selection: Selection, asked: Cut) -> str:
    """The rows of one page, and one more in the direction of reading, under `parents.parent`."""
    listing = selection.listing
    where = statement.where(selection)
    if asked.after is not None:
        where += f" AND {listing.key} > {statement.value(asked.after)}"
    if asked.before is not None:
        where += f" AND {listing.key} < {statement.value(asked.before)}"
    order = "DESC" if asked.backwards else "ASC"
    return (
        f"SELECT {listing.columns}, {listing.key} AS sort_key FROM {listing.tables} WHERE {where}"  # noqa: S608  (our own text)
        f" ORDER BY {listing.key} {order} LIMIT {statement.value(asked.limit + 1)}"
    )


def _by_parent(found: Sequence[Row], *, backwards: bool) -> defaultdict[UUID, list[Row]]:
    rows: defaultdict[UUID, list[Row]] = defaultdict(list)
    for row in sorted(found, key=lambda row: row["sort_key"], reverse=backwards):
        rows[row["parent"]].append(row)
    return rows


async def _counts(selection: Selection, parents: Sequence[UUID]) -> dict[UUID, int]:
    statement = _Statement()
    where = statement.where(selection)
    inner = f"SELECT count(*) AS counted FROM {selection.listing.tables} WHERE {where}"  # noqa: S608  (our own text)
    around = f"unnest({statement.value(list(parents))}::uuid[]) AS parents (parent)"
    sql = f"SELECT parents.parent, c.counted FROM {around} CROSS JOIN LATERAL ({inner}) c"  # noqa: S608  (our own text)
    return {row["parent"]: row["counted"] for row in await watched_read(sql, *statement.values)}


class _Statement:
    """Values in the order of their numbered places."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def value(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def where(self, selection: Selection) -> str:
        listing = selection.listing
        clauses = [listing.where] if listing.parent is None else [f"{listing.parent} = parents.parent", listing.where]
        for condition in selection.conditions:
            places = tuple(self.value(value) for value in condition.values)
            clauses.append(condition.sql % places)
        return " AND ".join(f"({clause})" for clause in clauses)
