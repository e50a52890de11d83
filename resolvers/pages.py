"""Which lists there are, who sees what of them, and the objects on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import strawberry

from authz.actor import Reach
from authz.life import next_midnight
from errors import InvalidInput
from models.connection import Row
from models.memory import hold_until, note
from operations.facts import COLUMNS, TABLES
from resolvers import agents_met, objects, reads
from resolvers.connections import Listed, connection
from resolvers.context import Context
from resolvers.edges import edge
from resolvers.filters import engagement_status, training_due
from resolvers.lists import Condition, Listing, PageAndParent, Parent, Selection, page_and_parent
from resolvers.paging import Cut, cut
from resolvers.reads import OF_PRACTICE, Read
from resolvers.shapes import Rows, Shape
from schema.agent import (
    Agent,
    AgentConnection,
    AgentEdge,
    AgentMember,
    AgentMemberConnection,
    AgentMemberEdge,
)
from schema.engagement import Engagement, EngagementConnection, EngagementEdge
from schema.kinds import EngagementStatus
from schema.person import StaffMember, StaffMemberConnection, StaffMemberEdge, Viewer
from schema.practice import Practice, PracticeConnection, PracticeEdge
from schema.staff import TrainingFilter

PRACTICES = Listing("practices", "p.*", "practices p", "p.id")
AGENTS = Listing("agents", "a.*", "agents a", "a.id")
STAFF = Listing("staff", "t.*", "staff_members t", "t.id", "t.practice_id", "t.removed_at IS NULL", "staff_members")
STAFF_OF = Listing("staff-of", "t.*", "staff_members t", "t.id", "t.user_id", "t.removed_at IS NULL", "staff_members")
MEMBERS = Listing("members", "m.*", "agent_members m", "m.id", "m.agent_id", watched="agent_members")
MEMBER_OF = Listing(
    "member-of", "m.*", "agent_members m", "m.id", "m.user_id", "m.departed_at IS NULL", "agent_members"
)
PARENT = Parent("practices", ("id", "name", "kind", "incorporated", "closed_at"))
OF_AGENT = Listing("clients", COLUMNS, TABLES, "e.id", "e.agent_id", watched="engagements")


async def practices(context: Context, reach: Reach, **asked: Any) -> PracticeConnection:
    """The practices where the caller holds the field's permission."""
    conditions = () if reach.everywhere else (Condition("p.id = ANY (%s)", (_sorted(reach.practices),)),)
    make = (PracticeConnection, PracticeEdge, objects.practice)
    return await connection(context, Selection(PRACTICES, conditions=conditions), asked, make)


async def agents(context: Context, reach: Reach, search: str | None, **asked: Any) -> AgentConnection:
    """The caller's own agents and those that the caller's practices engaged; an operator sees all."""
    conditions: list[Condition] = []
    if not reach.everywhere:
        engaged = "a.id IN (SELECT agent_id FROM engagements WHERE practice_id = ANY (%s))"
        values = (_sorted(reach.agents), _sorted(reach.practices))
        conditions.append(Condition(f"a.id = ANY (%s) OR {engaged}", values))
    if search is not None and search.strip():
        conditions.append(_named(search.strip()[:200]))
    make = (AgentConnection, AgentEdge, objects.agent)
    return await connection(context, Selection(AGENTS, conditions=tuple(conditions)), asked, make)


def _named(part: str) -> Condition:
    """Agents with this part in their name. None has a NUL in it, and PostgreSQL takes none in a text."""
    if "\0" in part:
        return Condition("FALSE")
    return Condition("position(lower(%s) IN lower(a.legal_name)) > 0", (part,))


@edge(Practice, "staff")
async def staff(
    context: Context, practice: Practice, training: list[TrainingFilter] | None, **asked: Any
) -> StaffMemberConnection:
    return await _staff(context, Selection(STAFF, UUID(practice.id), _by_training(context, training)), asked)


def _by_training(context: Context, training: list[TrainingFilter] | None) -> tuple[Condition, ...]:
    """Who is on the list changes with the day, also where nobody is on it."""
    if training is None:
        return ()
    now = context.request.now
    hold_until(next_midnight(now))
    wanted = {"overdue": TrainingFilter.OVERDUE in training, "soon": TrainingFilter.DUE_SOON in training}
    return (training_due(**wanted, policy=context.policy, now=now),)


@edge(Viewer, "staff_of")
async def staff_of(context: Context, viewer: Viewer, **asked: Any) -> StaffMemberConnection:
    return await _staff(context, Selection(STAFF_OF, viewer.actor.user_id), asked)


async def _staff(context: Context, selection: Selection, asked: Mapping[str, Any]) -> StaffMemberConnection:
    node: Callable[[Row], StaffMember] = context.staff_member
    return await connection(context, selection, asked, (StaffMemberConnection, StaffMemberEdge, node))


@edge(Agent, "members")
async def members(context: Context, agent: Agent, **asked: Any) -> AgentMemberConnection:
    return await _members(context, Selection(MEMBERS, UUID(agent.id)), asked)


@edge(Viewer, "member_of")
async def member_of(context: Context, viewer: Viewer, **asked: Any) -> AgentMemberConnection:
    return await _members(context, Selection(MEMBER_OF, viewer.actor.user_id), asked)


async def _members(context: Context, selection: Selection, asked: Mapping[str, Any]) -> AgentMemberConnection:
    node: Callable[[Row], AgentMember] = objects.member
    return await connection(context, selection, asked, (AgentMemberConnection, AgentMemberEdge, node))


@dataclass(frozen=True, slots=True)
class Along:
    """A page of engagements that was read along with its practice's row: how it was asked for, and what it is."""

    asked: Mapping[str, Any]
    page: Listed
    hot: bool  # of the columns that a compiled selection asks for, and no others


@dataclass(frozen=True, slots=True)
class Below:
    """How the engagements of a practice are asked for right below it. `plain` is the statement without a filter."""

    asked: Mapping[str, Any]
    cut: Cut
    read: Read | None
    plain: PageAndParent

    def statement(self, selection: Selection) -> PageAndParent:
        if not selection.conditions:
            return self.plain
        listing = self.read.of(selection) if self.read else OF_PRACTICE
        return page_and_parent(listing, selection.conditions, self.cut, PARENT)


def _below(asked: dict[str, Any], page: Shape) -> Below | None:
    try:
        found = cut(OF_PRACTICE.name, **{name: value for name, value in asked.items() if name != "status"})
    except InvalidInput:  # the edge will say so, at its place
        return None
    read = reads.of_page(page)
    return Below(asked, found, read, page_and_parent(read.listing if read else OF_PRACTICE, (), found, PARENT))


async def practice(context: Context, key: UUID, info: strawberry.Info) -> Practice | None:
    """A practice by its id; read in one statement with the page of its engagements where that is asked for, too."""
    below = context.ahead.below(info, Practice, "engagements", _below) if context.ahead else None
    if below is None:
        row = await context.row("practice", key)
        return objects.practice(row) if row else None
    note(("practices.id", key))
    selection = _of_practice(context, key, below.asked["status"])
    found = await context.lists.page_and_parent(selection, below.statement(selection))
    if found is None:
        return None
    row, page = found
    listed = Listed(selection, page, EngagementEdge, context.engagement)
    if below.read is not None:
        listed.made = Rows(page.rows, await agents_met.meet(context, [row[reads.AGENT_ID] for row in page.rows]))
    made = objects.practice(row)
    made.along = Along(below.asked, listed, below.read is not None)
    return made


def _along(context: Context, practice: Practice, asked: Mapping[str, Any]) -> EngagementConnection | None:
    along: Along | None = practice.along
    if along is None or along.asked != asked or (along.hot and context.ahead is None):
        return None
    return EngagementConnection(listed=along.page)


@edge(Practice, "engagements", at_hand=_along)
async def engagements_of_practice(
    context: Context, practice: Practice, status: list[EngagementStatus] | None, **asked: Any
) -> EngagementConnection:
    found = _along(context, practice, {**asked, "status": status})
    if found is not None:
        return found
    return await _engagements(context, _of_practice(context, UUID(practice.id), status), asked)


def _of_practice(context: Context, key: UUID, status: list[EngagementStatus] | None) -> Selection:
    return Selection(OF_PRACTICE, key, _of_status(context, status))


@edge(Agent, "engagements")
async def engagements_of_agent(
    context: Context, agent: Agent, status: list[EngagementStatus] | None, **asked: Any
) -> EngagementConnection:
    """All of them for the agent's own people; for a practice only its own, so that no other client is named."""
    seen = _seen(context, UUID(agent.id))
    conditions = (*seen, *_of_status(context, status))
    return await _engagements(context, Selection(OF_AGENT, UUID(agent.id), conditions), asked)


def _seen(context: Context, agent_id: UUID) -> tuple[Condition, ...]:
    if context.actor is None:
        return (Condition("FALSE"),)
    reach = context.actor.reach("engagements.read")
    if reach.everywhere or agent_id in reach.agents:
        return ()
    return (Condition("e.practice_id = ANY (%s)", (_sorted(reach.practices),)),)


def _of_status(context: Context, status: list[EngagementStatus] | None) -> tuple[Condition, ...]:
    if status is None:
        return ()
    return (engagement_status([one.value for one in status], context.policy, context.now),)


async def _engagements(context: Context, selection: Selection, asked: Mapping[str, Any]) -> EngagementConnection:
    node: Callable[[Row], Engagement] = context.engagement
    return await connection(context, selection, asked, (EngagementConnection, EngagementEdge, node))


def _sorted(ids: frozenset[UUID]) -> tuple[UUID, ...]:
    """In one order, so that equal sets make equal selections."""
    return tuple(sorted(ids))
