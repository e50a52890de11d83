"""Creating, rotating and revoking the keys of partner platforms.

Whoever makes a key proves first that it is them: a key outlives the session that made it. A key itself proves nothing,
so no key makes keys. The text of a key is shown once; it is made of a random seed under the pepper, as connect codes
are, so that a repeated request can be shown the same text. The seed is kept only beside an idempotency key.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import limits
from authz.actor import Access
from authz.scopes import carriable, nearest
from errors import InvalidInput, LimitReached, NotFound
from models import AccessToken, Agent, AgentMember, ApiKey
from models.connection import Connection
from models.identifier import parse, uuid7
from models.unit_of_work import unit_of_work
from operations import key_text, pepper, wording
from operations.idempotency import Answer, Request, once
from operations.record import About, record, who
from operations.step_up import require_recent

if TYPE_CHECKING:
    from schema.api_key import CreateApiKeyInput, RotateApiKeyInput

MOST_OF_A_CLIENT = 2  # the old one and the new one, while a client rotates
_CLIENTS = """
SELECT count(DISTINCT client_id) AS live FROM api_keys WHERE agent_id = $1 AND revoked_at IS NULL AND expires_at > $2
"""


@dataclass(frozen=True, slots=True)
class Made:
    """A key and its text, which is shown once and stored nowhere."""

    api_key_id: UUID
    text: str

    def __repr__(self) -> str:
        return f"Made({self.api_key_id})"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What makes the text of a key, before it is written."""

    prefix: str
    seed: bytes

    def __repr__(self) -> str:
        return f"Drawn({self.prefix})"

    @classmethod
    def new(cls) -> Drawn:
        return cls(key_text.new_prefix(), secrets.token_bytes(32))

    def text(self, request: Request) -> str:
        return key_text.key_of(self.prefix, pepper.keyed("api key", self.seed, (request.key or "").encode()))


async def create_api_key(access: Access, typed: CreateApiKeyInput, request: Request) -> Made:
    """Make a client's first key. Lives 90 days unless the caller says up to 365.

    A repeated request shows the text again, so it is asked for the proof, too. Refuses, first match wins:
    StepUpRequired, IdempotencyConflict, InvalidInput, NotFound, LimitReached.
    """
    _step_up(access)

    async def work(connection: Connection) -> Answer:
        label, expires_at = wording.text("label", typed.label, 100), _expiry(access, typed.expires_at)
        agent = await _locked_agent(connection, access)
        scopes = _scopes(access, agent, typed.scopes)
        member = await _member(connection, agent, parse(typed.member_id))
        await _refuse_too_many(connection, access, agent)
        made = {"client_id": uuid7(), "member_id": member.id, "label": label, "scopes": scopes}
        return await _make(connection, access, request, ApiKey(agent_id=agent.id, expires_at=expires_at, **made))

    return _shown(await once(request, lambda: unit_of_work(work)), request)


async def rotate_api_key(access: Access, api_key_id: UUID, typed: RotateApiKeyInput, request: Request) -> Made:
    """Make a second live key of the same client, for the same member with the same scopes; the old one stays.

    Refuses, first match wins: StepUpRequired, IdempotencyConflict, InvalidInput, LimitReached.
    """
    _step_up(access)

    async def work(connection: Connection) -> Answer:
        expires_at = _expiry(access, typed.expires_at)
        agent = await _locked_agent(connection, access)
        old = await ApiKey.get(id=api_key_id, using_db=connection)
        live = ApiKey.filter(client_id=old.client_id, revoked_at=None, expires_at__gt=access.now)
        found = await live.using_db(connection)
        if old.id not in {each.id for each in found}:
            raise InvalidInput("apiKeyId", "this key is over; create a new one")
        if len(found) >= MOST_OF_A_CLIENT:
            raise LimitReached(MOST_OF_A_CLIENT, "the client has two live keys; revoke the old one first")
        await _member(connection, agent, old.member_id, "apiKeyId")  # type: ignore[attr-defined]  # the foreign key's
        made = {name: getattr(old, name) for name in ("client_id", "agent_id", "member_id", "label", "scopes")}
        return await _make(connection, access, request, ApiKey(expires_at=expires_at, **made), rotates=old.id)

    return _shown(await once(request, lambda: unit_of_work(work)), request)


async def revoke_api_key(access: Access, api_key_id: UUID, request: Request) -> UUID:
    """End a key and its access tokens at once and for good. One that is revoked already stays as it is.

    Needs no proof: whoever found a key in the open must not look for a password first. Refuses: IdempotencyConflict.
    """

    async def work(connection: Connection) -> Answer:
        found = await ApiKey.filter(id=api_key_id).using_db(connection).select_for_update().get()
        if found.revoked_at is None:
            await _revoke(connection, access, found)
        answer = {"api_key": str(api_key_id)}
        await request.remember(connection, answer)
        return answer

    await once(request, lambda: unit_of_work(work))
    return api_key_id


def _step_up(access: Access) -> None:
    require_recent(access)


def _expiry(access: Access, typed: datetime | None) -> datetime:
    """Every key ends (NIST SP 800-57 part 1 §5.3: a cryptoperiod for each)."""
    most = limits.of("api_key_days_most")
    if typed is None:
        return access.now + timedelta(days=min(limits.of("api_key_days_default"), most))
    if not access.now < typed <= access.now + timedelta(days=most):
        raise InvalidInput("expiresAt", f"choose a time in the future, at most {most} days from now")
    return typed


def _scopes(access: Access, agent: Agent, typed: Sequence[str]) -> list[str]:
    """Sorted. Raises InvalidInput that names the first that no key of such an agent can carry."""
    if not typed:
        raise InvalidInput("scopes", "choose at least one permission")
    carried = carriable(access.policy, agent.kind)
    for place, key in enumerate(typed):
        if key not in carried:
            near = nearest(carried, key)
            hint = f"; did you mean {near}?" if near else ""
            raise InvalidInput(f"scopes.{place}", f"a key of this agent cannot carry such a permission{hint}")
    if len(set(typed)) != len(typed):
        raise InvalidInput("scopes", "name each permission once")
    return sorted(typed)


async def _locked_agent(connection: Connection, access: Access) -> Agent:
    """Its lock makes the counts hold."""
    return await Agent.filter(id=access.place.agent).using_db(connection).select_for_update().get()


async def _member(connection: Connection, agent: Agent, member_id: UUID | None, field: str = "memberId") -> AgentMember:
    """Raises NotFound for somebody else's, InvalidInput for one who is not at work."""
    found = await AgentMember.filter(id=member_id, agent_id=agent.id).using_db(connection).first()
    if found is None:
        raise NotFound
    if found.joined_at is None or found.departed_at is not None or found.suspended_at is not None:
        raise InvalidInput(field, "a key acts for somebody who works for the agent now; this member does not")
    return found


async def _refuse_too_many(connection: Connection, access: Access, agent: Agent) -> None:
    most = limits.of("api_clients_per_agent")
    (row,) = await connection.execute_query_dict(_CLIENTS, [agent.id, access.now])
    if row["live"] >= most:
        raise LimitReached(most, "the agent has as many clients with live keys as it may; revoke one first")


async def _make(
    connection: Connection, access: Access, request: Request, key: ApiKey, rotates: UUID | None = None
) -> Answer:
    drawn = Drawn.new()
    key.id, key.prefix, key.created_at = uuid7(), drawn.prefix, access.now
    key.secret_hash = hashlib.sha256(drawn.text(request).encode()).digest()
    key.created_by_id = access.actor.user_id
    await key.save(using_db=connection, force_create=True)
    after = _said(key) | ({"rotates": str(rotates)} if rotates else {})
    event, summary = ("api_key.rotated", "rotated an API key") if rotates else ("api_key.created", "created an API key")
    about = About(agent_id=access.place.agent)
    await record(connection, who(access, about), event, about, summary, after=after)
    answer = {"api_key": str(key.id), "prefix": drawn.prefix, "seed": drawn.seed.hex()}
    await request.remember(connection, answer)
    return answer


def _said(key: ApiKey) -> dict[str, object]:
    return {
        "api_key": str(key.id),
        "client": str(key.client_id),
        "member": str(key.member_id),  # type: ignore[attr-defined]  # the foreign key's
        "scopes": list(key.scopes),
        "expires_at": key.expires_at.isoformat(),
    }


def _shown(answer: Answer, request: Request) -> Made:
    drawn = Drawn(answer["prefix"], bytes.fromhex(answer["seed"]))
    return Made(UUID(answer["api_key"]), drawn.text(request))


async def _revoke(connection: Connection, access: Access, key: ApiKey) -> None:
    key.revoked_at = access.now
    key.revoked_by_id = access.actor.user_id
    await key.save(using_db=connection, update_fields=["revoked_at", "revoked_by_id"])
    ended = await AccessToken.filter(api_key_id=key.id).using_db(connection).delete()
    about = About(agent_id=access.place.agent)
    after = {"api_key": str(key.id), "access_tokens_ended": ended}
    await record(connection, who(access, about), "api_key.revoked", about, "revoked an API key", after=after)
