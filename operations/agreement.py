"""The acts by which an agreement comes into force: the practice asks, the agent signs, the practice records.

In whatever order: it counts once both sides have acted for themselves, and from its first day on. What is agreed
already is not changed by saying it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from authz.actor import Access
from authz.agreement import TRAINING
from errors import InvalidInput
from models import Agreement
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import agreement_rows as rows
from operations import agreement_terms as terms
from operations.agreement_terms import Terms
from operations.facts import Held, hold_open
from operations.idempotency import Answer, Request, once
from operations.step_up import require_recent

if TYPE_CHECKING:
    from schema.agreement import RecordAgreementInput, SignAgreementInput

WORKER = "front_office_worker"


async def request_agreement(access: Access, engagement_id: UUID, request: Request) -> UUID:
    """The practice asks the agent to sign. One that waits for a side already stays as it is.

    Refuses, first match wins: IdempotencyConflict, NotFound, EngagementEnded. Returns the engagement's id.
    """

    async def work(connection: Connection) -> Answer:
        held = await hold_open(connection, access, engagement_id)
        stored = await rows.newest(connection, held)
        if stored is None or not rows.is_open(stored, access):
            made = await rows.begin(connection, access, held, stored, {"requested_at": access.now})
            await rows.tell(connection, access, held, "agreement.requested", "asked for an agreement with", made)
        return await _answer(connection, request, engagement_id)

    await once(request, lambda: unit_of_work(work))
    return engagement_id


async def sign_agreement(access: Access, engagement_id: UUID, typed: SignAgreementInput, request: Request) -> UUID:
    """The agent's own act, by a person who has just proved who they are: a signature binds the agent, and neither a
    screen that somebody left nor a program gives one. Signing what is signed already changes nothing.

    Refuses, first match wins: IdempotencyConflict, InvalidInput, NotFound, EngagementEnded, StepUpRequired,
    InvalidInput where the practice has recorded another document or other days.
    """

    async def work(connection: Connection) -> Answer:
        said = terms.signed(access, typed)
        held = await hold_open(connection, access, engagement_id)
        require_recent(access)
        act = {"agent_signed_at": access.now, "agent_signed_by_id": access.actor.user_id}
        changed = await _agree(connection, access, held, said, act)
        if changed is not None:
            await rows.tell(connection, access, held, "agreement.signed", "signed the agreement for", changed)
        return await _answer(connection, request, engagement_id)

    await once(request, lambda: unit_of_work(work))
    return engagement_id


async def record_agreement(access: Access, engagement_id: UUID, typed: RecordAgreementInput, request: Request) -> UUID:
    """The practice's own act, or its word that it has trained a worker as its own.

    Refuses, first match wins: IdempotencyConflict, InvalidInput, NotFound, EngagementEnded, NotPermitted for somebody
    of the agent, InvalidInput where the agent has signed another document or other days, or is no worker to train.
    """

    async def work(connection: Connection) -> Answer:
        by_training = typed.basis.value == TRAINING
        said = (terms.trained if by_training else terms.recorded)(access, typed)
        held = await hold_open(connection, access, engagement_id)
        rows.refuse_own(access, held)
        act = {"practice_signed_at": access.now, "practice_signed_by_id": access.actor.user_id}
        changed = await (_train if by_training else _agree)(connection, access, held, said, act)
        if changed is not None:
            what = "recorded the training of" if by_training else "recorded the agreement with"
            await rows.tell(connection, access, held, "agreement.recorded", what, changed)
        return await _answer(connection, request, engagement_id)

    await once(request, lambda: unit_of_work(work))
    return engagement_id


async def _agree(
    connection: Connection, access: Access, held: Held, said: Terms, act: dict[str, Any]
) -> Agreement | None:
    """One side's act on the agreement that waits, or on a new one; None where it is agreed already."""
    stored = await rows.newest(connection, held)
    if stored is None or stored.basis == TRAINING or rows.is_over(stored, access):
        return await rows.begin(connection, access, held, stored, _values(said) | act)
    if not rows.is_open(stored, access):
        return await _agree_again(connection, access, held, stored, said, act)
    if _other_side_acted(stored, act):
        return await rows.change(connection, access, stored, _values(_joined(access, said, stored, act)) | act)
    if _acted(stored, act) and _has(stored, _values(said)):
        return None
    return await rows.change(connection, access, stored, _values(said) | act)


async def _agree_again(
    connection: Connection, access: Access, held: Held, stored: Agreement, said: Terms, act: dict[str, Any]
) -> Agreement | None:
    """Both sides have acted on it: the practice may file it elsewhere; with anything else another one begins."""
    if terms.repeats(said, stored):
        if "agent_signed_at" in act or said.document_ref in (None, stored.document_ref):
            return None
        return await rows.change(connection, access, stored, {"document_ref": said.document_ref})
    if stored.effective_on and stored.effective_on > access.now.date():
        raise InvalidInput("engagementId", f"the agreement of both sides begins on {stored.effective_on}; end it first")
    return await rows.begin(connection, access, held, stored, _values(said) | act)


async def _train(
    connection: Connection, access: Access, held: Held, said: Terms, act: dict[str, Any]
) -> Agreement | None:
    """Training takes the place of an agreement at once: there is one basis at a time."""
    if held.row["agent_kind"] != WORKER:
        raise InvalidInput("basis", "only a front-office worker can be covered by training; record an agreement")
    stored = await rows.newest(connection, held)
    values = _values(said) | {"basis": TRAINING, "training_completed_on": said.training_completed_on}
    if stored is not None and not rows.is_over(stored, access) and _has(stored, values):
        return None
    return await rows.begin(connection, access, held, stored, values | act)


def _joined(access: Access, said: Terms, stored: Agreement, act: dict[str, Any]) -> Terms:
    """The reference is the practice's, where it has named one."""
    found = terms.together(access, said, stored)
    if "agent_signed_at" not in act or stored.document_ref is None:
        return found
    return Terms(found.effective_on, found.expires_on, stored.document_ref, found.document_sha256)


def _acted(stored: Agreement, act: dict[str, Any]) -> bool:
    return bool(stored.agent_signed_at if "agent_signed_at" in act else stored.practice_signed_at)


def _other_side_acted(stored: Agreement, act: dict[str, Any]) -> bool:
    return bool(stored.practice_signed_at if "agent_signed_at" in act else stored.agent_signed_at)


def _values(said: Terms) -> dict[str, Any]:
    names = ("effective_on", "expires_on", "document_ref", "document_sha256")
    return {name: getattr(said, name) for name in names}


def _has(stored: Agreement, values: dict[str, Any]) -> bool:
    return all(getattr(stored, name) == value for name, value in values.items())


async def _answer(connection: Connection, request: Request, engagement_id: UUID) -> Answer:
    answer = {"engagement": str(engagement_id)}
    await request.remember(connection, answer)
    return answer
