"""Loading any object again by its id: what it is, and whether the caller may see it, in a few statements."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias
from uuid import UUID

import limits
from authz.actor import Place
from errors import InvalidInput, NotFound, NotPermitted, Refusal
from models.connection import Row, read
from models.identifier import parse
from resolvers import denied, invited, objects, places
from resolvers.context import Context
from schema.node import Node

_KINDS = """
SELECT id, 'practice' AS kind FROM practices WHERE id = ANY ($1)
UNION ALL SELECT id, 'agent' FROM agents WHERE id = ANY ($1)
UNION ALL SELECT id, 'engagement' FROM engagements WHERE id = ANY ($1)
UNION ALL SELECT id, 'staff' FROM staff_members WHERE id = ANY ($1)
UNION ALL SELECT id, 'member' FROM agent_members WHERE id = ANY ($1)
UNION ALL SELECT id, 'token' FROM connect_tokens WHERE id = ANY ($1)
UNION ALL SELECT id, 'api_key' FROM api_keys WHERE id = ANY ($1)
UNION ALL SELECT id, 'invitation' FROM invitations WHERE id = ANY ($1)
UNION ALL SELECT id, 'review' FROM reviews WHERE id = ANY ($1)
UNION ALL SELECT id, 'audit_event' FROM audit_events WHERE id = ANY ($1)
UNION ALL SELECT id, 'user' FROM users u WHERE id = ANY ($1) AND ($2 OR u.id = $3
    OR EXISTS (SELECT 1 FROM staff_members t WHERE t.user_id = u.id AND t.practice_id = ANY ($4))
    OR EXISTS (SELECT 1 FROM agent_members m WHERE m.user_id = u.id AND m.agent_id = ANY ($5)))
"""

Locate: TypeAlias = Callable[[Context, Row], Awaitable[Place]]


async def nodes(context: Context, ids: Sequence[str]) -> list[Node | None]:
    """The objects of these ids in their order; null for what is unknown, hidden or not permitted."""
    most = limits.of("page_size_most")
    if len(ids) > most:
        raise InvalidInput("ids", f"ask for at most {most} at once")
    keys = [parse(typed) for typed in ids]
    kinds = await _kinds(context, [key for key in keys if key is not None])
    return list(await asyncio.gather(*(_visible(context, key, kinds) for key in keys)))


async def node(context: Context, typed: str) -> Node | None:
    """The object of this id, or null where it is unknown. Raises NotFound for a hidden one, NotPermitted for a
    visible one."""
    key = parse(typed)
    if key is None:
        return None
    kinds = await _kinds(context, [key])
    return await _load(context, key, kinds[key]) if key in kinds else None


async def _visible(context: Context, key: UUID | None, kinds: Mapping[UUID, str]) -> Node | None:
    if key is None or key not in kinds:
        return None
    try:
        return await _load(context, key, kinds[key])
    except Refusal:
        return None


async def _kinds(context: Context, keys: Sequence[UUID]) -> dict[UUID, str]:
    """What each id is. A person is found only by those who may see them in a practice or an agent."""
    if context.actor is None:
        return {}
    staff, members = context.actor.reach("staff.read"), context.actor.reach("members.read")
    everybody = staff.everywhere or members.everywhere
    values = [list(keys), everybody, context.actor.user_id, list(staff.practices), list(members.agents)]
    return {row["id"]: row["kind"] for row in await read(_KINDS, *values)}


async def _load(context: Context, key: UUID, kind: str) -> Node | None:
    row = await context.the(kind, key)
    permission, place = _of_invitation(row) if kind == "invitation" else _RULES[kind]
    if context.actor is not None and permission is not None:
        where = await place(context, row)
        try:
            context.actor.access(permission, where)
        except NotPermitted:
            denied.note(context, permission, where, "node")
            raise
    return _object(context, kind, row)


def _object(context: Context, kind: str, row: Row) -> Node:
    derived: dict[str, Callable[[], Node]] = {
        "practice": lambda: objects.practice(row),
        "agent": lambda: objects.agent(row),
        "engagement": lambda: context.engagement(row),
        "staff": lambda: context.staff_member(row),
        "member": lambda: objects.member(row),
        "token": lambda: objects.token(row, context.policy.tokens.attempts, context.now),
        "api_key": lambda: objects.api_key(row),
        "invitation": lambda: invited.invitation(row, context.now),
        "review": lambda: objects.review(row),
        "audit_event": lambda: objects.audit_event(row),
        "user": lambda: objects.user(row),
    }
    return derived[kind]()


async def _of_practice(context: Context, row: Row) -> Place:
    """An outsider who works in a practice does not learn who else does, nor that anything was recorded."""
    return Place(frozenset({row["practice_id"]}), party_only=True)


async def _of_chain(context: Context, row: Row) -> Place:
    """An event is the practice's, else the agent's. A person's own record belongs to no place: hidden from all."""
    if row["practice_id"]:
        return await _of_practice(context, row)
    if row["agent_id"]:
        return await _of_agent(context, row)
    raise NotFound


async def _practice(context: Context, row: Row) -> Place:
    return Place(frozenset({row["id"]}))


async def _agent(context: Context, row: Row) -> Place:
    return await places.around_agent(context, row["id"])


async def _of_agent(context: Context, row: Row) -> Place:
    return Place(agent=row["agent_id"])


async def _engagement(context: Context, row: Row) -> Place:
    return Place(frozenset({row["practice_id"]}), row["agent_id"], party_only=True)


def _of_invitation(row: Row) -> tuple[str, Locate]:
    """Whoever sees the people of a practice or of an agent sees who is to come."""
    return ("staff.read", _of_practice) if row["practice_id"] else ("members.read", _of_agent)


async def _nowhere(context: Context, row: Row) -> Place:
    return Place()


_RULES: dict[str, tuple[str | None, Locate]] = {
    "practice": ("practice.profile.read", _practice),
    "agent": ("agents.read", _agent),
    "engagement": ("engagements.read", _engagement),
    "staff": ("staff.read", _of_practice),
    "member": ("members.read", _of_agent),
    "token": ("tokens.read", _of_agent),
    "api_key": ("api_keys.manage", _of_agent),
    "review": ("agents.review", _of_practice),
    "audit_event": ("audit.read", _of_chain),
    "user": (None, _nowhere),
}
