"""What one worker remembers between requests: who is asking, what was answered, and the agents that many pages show.

An actor is found again by the hash of the session's reference, an answer by the hash of everything it was asked
with, an agent by its id. All only after `confirm`, and only in a request that began before it: see
`models/freshness.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import limits
from authz.actor import Actor
from models.connection import Row
from models.freshness import Freshness
from models.memory import Changes, Memory, Rows
from models.tenancy import NOBODY, Acting
from operations.denials import Denials
from operations.last_use import LastUses
from operations.role_use import RoleUses
from resolvers.inforce import InForce


@dataclass(slots=True)
class Known:
    """A person, for whom the database is asked then, the set by which they were looked at, and the last use of the
    session that is written down."""

    actor: Actor
    acting: Acting
    in_force: InForce
    seen: datetime


def acting_of(actor: Actor | None) -> Acting:
    """For whom the database is asked."""
    return Acting(actor.user_id, actor.operator) if actor else NOBODY


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What an engagement's standing depends on of its agent."""

    kind: str
    closed: bool
    suspended: bool


_side = cache(Side)  # one object for all agents that are alike, so that comparing them is comparing objects


class AgentRow(dict[str, Any]):
    """An agent's row, and its side of an engagement. In which field of which document it is shown how, is kept with
    it."""

    __slots__ = ("shown", "side")

    def __init__(self, row: Row) -> None:
        super().__init__(row)
        self.side = _side(row["kind"], row["closed_at"] is not None, row["suspended_at"] is not None)
        self.shown: dict[object, Any] = {}


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer's bytes, and the policy that it was made under."""

    body: bytes
    policy_digest: str


class Remembered:
    """And what is written down a moment later: last uses, and refused attempts. `dsn` and `server_settings` are those
    of the database that is asked."""

    def __init__(self, dsn: str, server_settings: Mapping[str, str] | None = None) -> None:
        self.actors: Memory[Known] = Memory(limits.of("seats_remembered"))
        self.answers: Memory[Kept] = Memory(limits.of("answer_cache_bytes"))
        self.agents = Rows("agents.id", limits.of("agents_remembered"))
        self.changes = Changes(self.actors, self.answers, self.agents)
        self.uses = LastUses()
        self.denials = Denials()
        self.role_uses = RoleUses()
        self.freshness = Freshness(dsn, self.changes, server_settings or {})

    def confirm(self) -> Awaitable[bool]:
        """Whether this request may use what is remembered. Called once the request is there."""
        return self.freshness.confirm()

    async def close(self) -> None:
        await self.uses.close()
        await self.denials.close()
        await self.role_uses.close()
        await self.freshness.close()
