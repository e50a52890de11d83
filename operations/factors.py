"""What all second factors share: who may change them, when one counts, and how one is removed.

Whoever holds a stolen session must not add a factor of their own or remove the owner's. So every change needs a recent
proof, and once a factor counts, a proof that used one (NIST SP 800-63B-4 §4.1.2: binding at the same assurance level).
And it needs a session of ours: a factor that was added by a trusted issuer's token would outlive the trust in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import limits
from authz.actor import Access
from errors import LimitReached, NotFound, StepUpRequired
from models import Factor, RecoveryCode
from models.connection import Connection
from models.identifier import parse
from models.unit_of_work import unit_of_work
from operations.idempotency import Answer, Request, once
from operations.people import take_turns
from operations.record import record_own
from operations.step_up import require_recent

if TYPE_CHECKING:
    from schema.factor import RemoveFactorInput

_HAS = "SELECT 1 FROM factors WHERE user_id = $1 AND confirmed_at IS NOT NULL AND removed_at IS NULL LIMIT 1"
# What could still be used is wiped: the same authenticator may be added again, and a stolen database opens nothing.
_REMOVE = """
UPDATE factors SET removed_at = $3, secret = CASE WHEN secret IS NULL THEN NULL ELSE ''::bytea END,
    credential_id = CASE WHEN credential_id IS NULL THEN NULL ELSE uuid_send(id) END,
    public_key = CASE WHEN public_key IS NULL THEN NULL ELSE ''::bytea END
WHERE id = $1 AND user_id = $2 AND confirmed_at IS NOT NULL AND removed_at IS NULL RETURNING kind
"""


async def remove_factor(access: Access, typed: RemoveFactorInput, request: Request) -> UUID:
    """End a factor for good; with the last one the recovery codes go, too.

    Refuses, first match wins: IdempotencyConflict, StepUpRequired, NotFound (also for somebody else's).
    """

    async def work(connection: Connection) -> Answer:
        user_id = await hold_to_change(connection, access)
        factor_id = parse(typed.factor_id)
        removed = await connection.execute_query_dict(_REMOVE, [factor_id, user_id, access.now])
        if not removed:
            raise NotFound
        after = {"factor": str(factor_id), "kind": removed[0]["kind"]}
        if not await has_factor(connection, user_id):
            await RecoveryCode.filter(user_id=user_id).using_db(connection).delete()
        await record_own(connection, access, "factor.removed", "removed a second factor", after)
        answer = {"factor": str(factor_id)}
        await request.remember(connection, answer)
        return answer

    return UUID((await once(request, lambda: unit_of_work(work)))["factor"])


async def hold_to_change(connection: Connection, access: Access) -> UUID:
    """The person, held until the transaction ends. Raises StepUpRequired."""
    user_id, seconds = access.actor.user_id, limits.of("step_up_seconds")
    require_recent(access)
    if access.actor.session_id is None:
        raise StepUpRequired(seconds)
    await take_turns(connection, user_id)
    if not access.actor.second_factor and await has_factor(connection, user_id):
        raise StepUpRequired(seconds)
    return user_id


async def has_factor(connection: Connection, user_id: UUID) -> bool:
    return bool(await connection.execute_query_dict(_HAS, [user_id]))


async def refuse_too_many(connection: Connection, user_id: UUID) -> None:
    """Raises LimitReached."""
    most = limits.of("factors_per_user")
    counting = Factor.filter(user_id=user_id, removed_at=None, confirmed_at__isnull=False)
    if await counting.using_db(connection).count() >= most:
        raise LimitReached(most, "you have as many second factors as one may; remove one first")
