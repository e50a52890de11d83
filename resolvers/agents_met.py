"""The agents that a page shows, which are the same on many pages: from memory where that is known to be true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from errors import NotFound
from models.memory import recording
from resolvers.context import Context
from resolvers.remembered import AgentRow, Remembered
from resolvers.rows import load_rows, note_rows


async def meet(context: Context, keys: Sequence[UUID]) -> list[AgentRow]:
    """These agents. Raises NotFound. What a mutation changed itself is not confirmed."""
    if recording() is not None:
        note_rows("agent", keys)
    remembered = context.remembered if context.request.confirmed and not context.mutations else None
    try:
        if remembered is not None:
            return list(map(remembered.agents.the, keys))
    except KeyError:
        pass
    found = await (_read(keys) if remembered is None else _read_to_remember(remembered, keys))
    return [found[key] for key in keys]


async def _read_to_remember(remembered: Remembered, keys: Sequence[UUID]) -> dict[UUID, AgentRow]:
    """Read now: what the operation has seen of them may be older than the recording."""
    with remembered.changes.recorded() as made:
        note_rows("agent", keys)
        found = await _read(keys)
        remembered.agents.keep(found, made)
    return found


async def _read(keys: Iterable[UUID]) -> dict[UUID, AgentRow]:
    wanted = list(dict.fromkeys(keys))
    rows = [row for row in await load_rows("agent", wanted) if row is not None]
    if len(rows) < len(wanted):
        raise NotFound
    return {row["id"]: AgentRow(row) for row in rows}
