"""What a root field is about: from the ids in its arguments to the place where its permission is asked.

An id that is malformed, unknown or another tenant's ends in the same NotFound.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias
from uuid import UUID

from authz.actor import PLATFORM, Place
from errors import NotFound
from models import memory
from models.connection import watched_read
from models.identifier import parse
from resolvers.context import Context

Arguments: TypeAlias = Mapping[str, Any]
Locate: TypeAlias = Callable[[Context, Arguments], Awaitable[Place]]

_ENGAGEMENT = "SELECT practice_id, agent_id FROM engagements WHERE id = $1"
_REVIEW = "SELECT practice_id FROM reviews WHERE id = $1"
_STAFF = "SELECT practice_id FROM staff_members WHERE id = $1"
_MEMBER = "SELECT agent_id FROM agent_members WHERE id = $1"
_API_KEY = "SELECT agent_id FROM api_keys WHERE id = $1"
_INVITATION = "SELECT practice_id, agent_id FROM invitations WHERE id = $1"
_TOKEN = "SELECT agent_id FROM connect_tokens WHERE id = $1"  # noqa: S105  (a table's name)


async def platform(context: Context, arguments: Arguments) -> Place:
    return PLATFORM


async def practice(context: Context, arguments: Arguments) -> Place:
    return Place(frozenset({_id(arguments, "practice_id")}))


async def own_practice(context: Context, arguments: Arguments) -> Place:
    """Outsiders who work in the practice do not see who else does."""
    return Place(frozenset({_id(arguments, "practice_id")}), party_only=True)


async def agent(context: Context, arguments: Arguments) -> Place:
    """An agent is seen from within, and by the staff of practices that engaged it."""
    return await around_agent(context, _id(arguments, "agent_id"))


async def around_agent(context: Context, agent_id: UUID) -> Place:
    return Place(await context.clients(agent_id), agent_id, party_only=True)


async def engagement(context: Context, arguments: Arguments) -> Place:
    row = await _row(_ENGAGEMENT, "engagements.id", _id(arguments, "engagement_id"))
    return Place(frozenset({row["practice_id"]}), row["agent_id"], party_only=True)


async def staff(context: Context, arguments: Arguments) -> Place:
    """Outsiders who work in the practice do not see its staff."""
    row = await _row(_STAFF, "staff_members.id", _id(arguments, "staff_id"))
    return Place(frozenset({row["practice_id"]}), party_only=True)


async def review(context: Context, arguments: Arguments) -> Place:
    """The practice's own: an agent does not see how it is looked at."""
    memory.spoil()
    row = await _row(_REVIEW, "reviews.id", _id(arguments, "review_id"))
    return Place(frozenset({row["practice_id"]}), party_only=True)


async def member(context: Context, arguments: Arguments) -> Place:
    """The agent's people are its own to deal with."""
    row = await _row(_MEMBER, "agent_members.id", _id(arguments, "member_id"))
    return Place(agent=row["agent_id"])


async def token(context: Context, arguments: Arguments) -> Place:
    """Tokens are the agent's own: no practice sees them."""
    memory.spoil()
    row = await _row(_TOKEN, "connect_tokens.id", _id(arguments, "token_id"))
    return Place(agent=row["agent_id"])


async def api_key(context: Context, arguments: Arguments) -> Place:
    """As tokens."""
    memory.spoil()
    row = await _row(_API_KEY, "api_keys.id", _id(arguments, "api_key_id"))
    return Place(agent=row["agent_id"])


async def invitation(context: Context, arguments: Arguments) -> Place:
    """Of a practice, for its staff only, or of an agent."""
    memory.spoil()
    row = await _row(_INVITATION, "invitations.id", _id(arguments, "invitation_id"))
    own = Place(frozenset({row["practice_id"]}), party_only=True)
    return own if row["practice_id"] else Place(agent=row["agent_id"])


def _id(arguments: Arguments, name: str) -> UUID:
    """The id of this name among a field's arguments, in its `input`, or plainly as `id`."""
    source = arguments.get("input")
    typed = getattr(source, name) if source is not None else arguments.get(name, arguments.get("id"))
    found = parse(str(typed))
    if found is None:
        raise NotFound
    return found


async def _row(query: str, watched: str, key: UUID) -> Mapping[str, Any]:
    memory.note((watched, key))
    rows = await watched_read(query, key)
    if not rows:
        raise NotFound
    return rows[0]
