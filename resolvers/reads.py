"""The hot read: a page of engagements made of columns, without an object for each engagement, agent and grant.

A selection of engagements is read this way where all of its fields are columns of the engagement, of its agent or of
its practice, or follow from its standing (`authz/outline.py`). The statement then names those columns and no others;
what stands in the answer is made column by column (`columns.py`), and what follows from a standing once for all that
share it. The agents are not read with them: many pages show the same ones, so they come from memory (`agents_met.py`),
and what is shown of one is made once. Any other selection, and whatever is unexpected in this one, is answered from
objects, as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import repeat
from math import inf
from typing import Any

from authz.life import NEVER
from authz.outline import Outline, standing
from authz.policy import Policy
from authz.standings import Key, Standing
from models.memory import hold_until, recording
from operations.facts import COLUMNS, OUTLINE, TABLES, outline
from resolvers import lists
from resolvers.columns import (
    AGENTS,
    STANDING,
    Beside,
    Field,
    Fixed,
    OfAgent,
    OfStanding,
    RunsUntil,
    Stored,
    Table,
    columns,
    outputs,
)
from resolvers.context import Context
from resolvers.edges import EDGES
from resolvers.lists import HOUSE, Listing
from resolvers.objects import ENGAGEMENT_STATUSES, Column
from resolvers.relations import grant
from resolvers.remembered import Side
from resolvers.selection import READS, Asked, Plain, Selection, TypeName
from resolvers.shapes import Items, NotNull, Nullable, Output, Pass, Rows, Shape
from schema.engagement import Engagement, RoleGrant
from schema.practice import Practice

AGENT_ID = "agent_id"
BESIDE = {Engagement: ("e", ""), Practice: ("p", "practice_")}  # table, and its columns' prefix
PRACTICES = "JOIN practices p ON p.id = e.practice_id"
HOUSE_CLOSED = f"{HOUSE}closed_at"  # of the practice whose page it is
OF_PRACTICE = Listing("engagements", COLUMNS, TABLES, "e.id", "e.practice_id", watched="engagements")


class NotRead(Exception):
    """This selection needs objects."""


@dataclass(frozen=True, slots=True)
class Read:
    """How a selection of engagements is answered from rows, and the list that gives those rows."""

    fields: tuple[Field, ...]
    listing: Listing

    def of(self, selection: lists.Selection) -> Listing:
        """A filter by status looks at the agent and the practice, too."""
        return replace(self.listing, tables=TABLES) if selection.conditions else self.listing

    def complete(self, now: Pass, found: Rows) -> list[Output]:
        rows = found.rows
        table: Table = dict(zip(rows[0].keys(), zip(*rows, strict=True), strict=True))  # records iterate over values
        table[AGENTS] = found.beside
        if "outline" in table:
            table[STANDING] = _standings(now.context, table)
        return outputs(self.fields, now, table)


def _standings(context: Context, table: Table) -> list[Standing]:
    """Each row's. What is made of them is the same until time alone changes one."""
    now, policy, closed = context.request.now, context.policy, table[HOUSE_CLOSED][0] is not None
    kept, ended, suspended, ends, reviews = (table[name] for name in OUTLINE)
    keys = list(zip([agent.side for agent in table[AGENTS]], kept, ended, suspended, repeat(closed)))
    found, soon = _known(policy, keys, _at(min(reviews)), now), now.timestamp()
    if found is None or min(ends) <= soon:
        dates = zip(keys, map(_at, ends), map(_at, reviews), strict=True)
        found = [standing(policy, key, _outline, end, reviewed, now) for key, end, reviewed in dates]
    if recording() is not None:
        next_end = _at(min([end for end in ends if end > soon], default=inf))
        hold_until(min(next_end, *(each.until for each in set(found))))
    return found


def _at(seconds: float) -> datetime:
    """To the microsecond, in which PostgreSQL counts, until 2106: then a float's last place is half of one."""
    return NEVER if seconds == inf else datetime.fromtimestamp(seconds, UTC)


def _known(policy: Policy, keys: Sequence[Key], oldest_review: datetime, now: datetime) -> list[Standing] | None:
    """None where one is not known, or does not hold."""
    try:
        found = list(map(policy.standings.__getitem__, keys))
    except KeyError:
        return None
    hold = policy.standings.all_hold(now, oldest_review) or all(each.holds(now, oldest_review) for each in set(found))
    return found if hold else None


def _outline(side: Side, kept: str, ended: bool, suspended: bool, closed: bool) -> Outline:
    return outline(side.kind, kept, ended or closed or side.closed, suspended or side.suspended)


def of_page(found: Shape) -> Read | None:
    """How the nodes of a page of engagements are read; None where something on the page needs objects."""
    page = _inner(found)
    if not isinstance(page, Selection):
        return None
    asked = [each for each in page.fields if isinstance(each, Asked) and each.attribute in ("nodes", "edges")]
    if len(asked) != 1 or asked[0].attribute != "nodes":
        return None
    items = _inner(asked[0].shape)
    return items.read if isinstance(items, Items) and isinstance(items.read, Read) else None


def _read(fields: Sequence[Any]) -> Read | None:
    try:
        made = tuple(_field(Engagement, each) for each in fields)
    except NotRead:
        return None
    found = {AGENT_ID: "e.agent_id", **columns(made)}
    tables = f"engagements e {PRACTICES}" if any(isinstance(each, Beside) for each in made) else "engagements e"
    named = ", ".join(f"{sql} AS {name}" for name, sql in found.items())
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
