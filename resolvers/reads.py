"""The hot read: a page of engagements made of columns, without an object for each engagement, agent and grant.

A selection of engagements is read this way where all of its fields are columns of the engagement, of its agent or of
its practice, or follow from its standing (`authz/outline.py`). The statement then names those columns and no others;
what stands in the answer is made column by column, and what follows from a standing once for all that share it. The
agents are not read with them: many pages show the same ones, so they come from memory, and what is shown of one is made
once. Any other selection, and whatever is unexpected in this one, is answered from objects, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import repeat
from typing import Any, Protocol, TypeAlias

from authz.life import NEVER, extended
from authz.outline import Outline, Standing, standing
from models.connection import Row
from models.memory import hold_until, recording
from operations.facts import COLUMNS, OUTLINE, TABLES, outline
from resolvers import lists
from resolvers.context import Context
from resolvers.edges import EDGES
from resolvers.lists import Listing
from resolvers.objects import ENGAGEMENT_STATUSES, Column, agent
from resolvers.relations import grant
from resolvers.remembered import AgentRow
from resolvers.selection import READS, Asked, Items, NotNull, Nullable, Output, Pass, Plain, Selection, Shape, TypeName
from schema.engagement import Engagement, RoleGrant
from schema.practice import Practice

Table: TypeAlias = dict[str, Sequence[Any]]  # values of the rows by column

AGENT_ID = "agent_id"
AGENTS, STANDING = "agents", "standing"  # columns that are made here: the agents' rows, and `authz/outline.py`'s
MOST = 1024  # standings for which a field's answer is kept; of more than that, few are met again
MOST_SHOWN = 16  # ways in which an agent is shown, kept with it
BESIDE = {Engagement: ("e", ""), Practice: ("p", "practice_")}  # table, and its columns' prefix
PRACTICES = "JOIN practices p ON p.id = e.practice_id"
HOUSE_CLOSED = "house_closed_at"  # of the practice whose page it is
OF_PRACTICE = Listing("engagements", COLUMNS, TABLES, "e.id", "e.practice_id", watched="engagements")


class NotRead(Exception):
    """This selection needs objects."""


class Field(Protocol):
    @property
    def name(self) -> str: ...

    def columns(self) -> Mapping[str, str]:
        """What it needs of the database: expressions by name."""

    def values(self, now: Pass, table: Table) -> Sequence[Any]:
        """What stands in the answer, row by row."""


@dataclass(frozen=True, slots=True)
class Fixed:
    name: str
    value: str

    def columns(self) -> Mapping[str, str]:
        return {}

    def values(self, now: Pass, table: Table) -> Sequence[Any]:
        return [self.value] * len(table["sort_key"])


@dataclass(frozen=True, slots=True)
class Stored:
    """A column of `table`, which is called `column` in the row."""

    name: str
    table: str
    column: str
    made: Column
    shape: Shape

    def columns(self) -> Mapping[str, str]:
        """Where text is made of it, the database does it."""
        return {self.column: f"{self.table}.{self.made.name}" + ("::text" if self.made.of is str else "")}

    def values(self, now: Pass, table: Table) -> Sequence[Any]:
        stored = table[self.column]
        return self.shape.complete(now, stored if self.made.of in (None, str) else list(map(self.made.of, stored)))


@dataclass(frozen=True, slots=True)
class RunsUntil:
    """When an engagement expires: what is stored, until it extends itself."""

    name: str
    shape: Shape

    def columns(self) -> Mapping[str, str]:
        return {"expires_at": "e.expires_at", "auto_extend": "e.auto_extend"}

    def values(self, now: Pass, table: Table) -> Sequence[Any]:
        stored = table["expires_at"]
        if any(table["auto_extend"]):
            at, policy, rows = (
                now.context.request.now,
                now.context.policy,
                zip(stored, table["auto_extend"], strict=True),
            )
            stored = [extended(end, policy, at) if extends else end for end, extends in rows]
            hold_until(min([end for end in stored if end > at], default=NEVER))
        return self.shape.complete(now, stored)


@dataclass(frozen=True, slots=True)
class Beside:
    """An object that came with the row."""

    name: str
    fields: tuple[Field, ...]

    def columns(self) -> Mapping[str, str]:
        return _columns(self.fields)

    def values(self, now: Pass, table: Table) -> Sequence[Any]:
        return _outputs(self.fields, now, table)


@dataclass(frozen=True, slots=True, eq=False)
class OfAgent:
    """The agent, made once for all answers that show it while its row is remembered."""

    name: str
    shape: Selection

    def columns(self) -> Mapping[str, str]:
        return {}

    def values(self, now: Pass, table: Table) -> Sequence[Any]:
        return [each.shown.get(self) or self._made(now, each) for each in table[AGENTS]]

    def _made(self, now: Pass, row: AgentRow) -> Output:
        if len(row.shown) >= MOST_SHOWN:
            row.shown.clear()
        output: Output = self.shape.complete(now, [agent(row)])[0]
        row.shown[self] = output
        return output


@dataclass(frozen=True, slots=True)
class OfStanding:
    """What is the same for all engagements of one standing. It is made once, and stands in many answers."""

    name: str
    make: Callable[[Context, Standing], Any]
    shape: Shape
    known: dict[Standing, Any] = field(default_factory=dict)

    def columns(self) -> Mapping[str, str]:
        return OUTLINE

    def values(self, now: Pass, table: Table) -> Sequence[Any]:
        found = table[STANDING]
        try:
            return list(map(self.known.__getitem__, found))
        except KeyError:
            self._make(now, list(set(found)))
        return [self.known[each] for each in found]

    def _make(self, now: Pass, standings: list[Standing]) -> None:
        if len(self.known) + len(standings) > MOST:
            self.known.clear()
        made = [self.make(now.context, each) for each in standings]
        self.known.update(zip(standings, self.shape.complete(now, made), strict=True))


@dataclass(frozen=True, slots=True)
class Read:
    """How a selection of engagements is answered from rows, and the list that gives those rows."""

    fields: tuple[Field, ...]
    listing: Listing

    def of(self, selection: lists.Selection) -> Listing:
        """A filter by status looks at the agent and the practice, too."""
        return replace(self.listing, tables=TABLES) if selection.conditions else self.listing

    def complete(self, now: Pass, rows: Sequence[Row]) -> list[Output]:
        table: Table = dict(zip(rows[0].keys(), zip(*rows, strict=True), strict=True))  # records iterate over values
        table[AGENTS] = list(map(now.context.agents.__getitem__, table[AGENT_ID]))
        if "outline" in table:
            table[STANDING] = _standings(now.context, table)
        return _outputs(self.fields, now, table)


def _outputs(fields: Sequence[Field], now: Pass, table: Table) -> list[Output]:
    names = [each.name for each in fields]
    columns = [each.values(now, table) for each in fields]
    return list(map(dict, map(zip, repeat(names), zip(*columns, strict=True))))


def _standings(context: Context, table: Table) -> list[Standing]:
    """Each row's. What is made of them is the same until time alone changes one."""
    now, policy, closed = context.request.now, context.policy, table[HOUSE_CLOSED][0] is not None
    kept, ended, suspended, ends, reviews = (table[name] for name in OUTLINE)
    keys = list(zip([agent.side for agent in table[AGENTS]], kept, ended, suspended, repeat(closed)))
    found: list[Any] = list(map(policy.standings.get, keys))
    known = set(found)
    if min(ends) <= now or not _all_hold(known, min(reviews), now):
        dates = zip(keys, ends, reviews, strict=True)
        found = [standing(policy, key, _outline, end, reviewed, now) for key, end, reviewed in dates]
        known = set(found)
    if recording() is not None:
        hold_until(min([each.until for each in known] + [end for end in ends if end > now]))
    return found


def _all_hold(found: Iterable[Standing | None], oldest_review: datetime, now: datetime) -> bool:
    return all(
        each is not None and each.since <= now < each.until and each.overdue_before <= oldest_review for each in found
    )


def _outline(side: tuple[str, bool, bool], kept: str, ended: bool, suspended: bool, closed: bool) -> Outline:
    kind, agent_closed, agent_suspended = side
    return outline(kind, kept, ended or closed or agent_closed, suspended or agent_suspended)


def of_page(found: Shape) -> Read | None:
    """How the nodes of a page of engagements are read; None where something on the page needs objects."""
    page = _inner(found)
    if not isinstance(page, Selection):
        return None
    asked = [each for each in page.fields if isinstance(each, Asked) and each.attribute in ("nodes", "edges")]
    if len(asked) != 1 or asked[0].attribute != "nodes":
        return None
    items = _inner(asked[0].shape)
    node = _inner(items.item) if isinstance(items, Items) else None
    return node.read if isinstance(node, Selection) and isinstance(node.read, Read) else None


def _columns(fields: Iterable[Field]) -> dict[str, str]:
    return {name: sql for each in fields for name, sql in each.columns().items()}


def _read(fields: Sequence[Any]) -> Read | None:
    try:
        made = tuple(_field(Engagement, each) for each in fields)
    except NotRead:
        return None
    columns = {AGENT_ID: "e.agent_id", **_columns(made)}
    tables = f"engagements e {PRACTICES}" if any(isinstance(each, Beside) for each in made) else "engagements e"
    named = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    return Read(made, replace(OF_PRACTICE, columns=named, tables=tables))


def _field(parent: type, found: Any) -> Field:
    if isinstance(found, TypeName):
        return Fixed(found.name, found.value)
    if isinstance(found, Plain) and isinstance(found.value, Column):
        table, prefix = BESIDE[parent]
        return Stored(found.name, table, prefix + found.value.name, found.value, found.shape)
    if parent is Engagement and isinstance(found, Plain) and found.attribute == "status":
        return OfStanding(found.name, _status, found.shape)
    if parent is Engagement and isinstance(found, Plain) and found.attribute == "expires_at":
        return RunsUntil(found.name, found.shape)
    if parent is Engagement and isinstance(found, Asked):
        return _beside(found)
    raise NotRead


def _beside(found: Asked) -> Field:
    if found.edge is EDGES[Engagement, "roles"] and _follows(found.shape):
        return OfStanding(found.name, _roles, found.shape)
    beside = _inner(found.shape)
    if found.edge is EDGES[Engagement, "agent"] and all(map(_is_of_one_row, beside.fields)):
        return OfAgent(found.name, beside)
    if found.edge is not EDGES[Engagement, "practice"]:
        raise NotRead
    return Beside(found.name, tuple(_field(beside.origin, each) for each in beside.fields))


def _is_of_one_row(found: Any) -> bool:
    return isinstance(found, Plain | TypeName)


def _follows(grants: Shape) -> bool:
    """Whether all that is asked of the grants follows from the standing: no giver, and not when it was given."""
    grant = _inner(_inner(grants).item)
    return all(_is_plain(each) or (isinstance(each, Asked) and _is_plain_role(each)) for each in grant.fields)


def _is_plain(found: Any) -> bool:
    return isinstance(found, TypeName) or (isinstance(found, Plain) and found.attribute != "granted_at")


def _is_plain_role(found: Any) -> bool:
    if found.edge is not EDGES[RoleGrant, "role"]:
        return False
    return all(isinstance(each, Plain | TypeName) for each in _inner(found.shape).fields)


def _inner(shape: Any) -> Any:
    return shape.inner if isinstance(shape, NotNull | Nullable) else shape


def _status(context: Context, found: Standing) -> Any:
    return ENGAGEMENT_STATUSES[found.status.value]


def _roles(context: Context, found: Standing) -> list[RoleGrant]:
    return [grant(each, status) for each, status in found.grants]


READS[Engagement] = _read
