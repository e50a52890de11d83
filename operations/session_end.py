"""Ending one's own sessions in other browsers, for a telephone that was lost or a desk that somebody else sits at now.

It needs a recent proof: whoever holds a stolen session must not end those of its owner (OWASP ASVS 5.0 §7.5.2).
"""

from __future__ import annotations

from uuid import UUID

from authz.actor import Access
from errors import InvalidInput, NotFound
from models import Session
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations.idempotency import Answer, Request, once
from operations.people import end_sessions
from operations.record import record_own
from operations.step_up import require_recent


async def end_session(access: Access, session_id: UUID | None, request: Request) -> None:
    """End another session of one's own. One that is over stays as it is.

    Refuses, first match wins: IdempotencyConflict, StepUpRequired, InvalidInput (the session in use), NotFound (also
    for somebody else's).
    """

    async def work(connection: Connection) -> Answer:
        require_recent(access)
        if session_id == access.actor.session_id:
            raise InvalidInput("sessionId", "this is the session that you are using; signOut ends it")
        own = Session.filter(id=session_id, user_id=access.actor.user_id).using_db(connection)
        found = await own.select_for_update().first()
        if found is None:
            raise NotFound
        if found.ended_at is None:
            await own.update(ended_at=access.now)
            after = {"session": str(session_id)}
            await record_own(connection, access, "user.session_ended", "ended a session elsewhere", after)
        answer = {"session": str(session_id)}
        await request.remember(connection, answer)
        return answer

    await once(request, lambda: unit_of_work(work))


async def end_other_sessions(access: Access) -> int:
    """End all of one's own sessions but the one in use, and say how many. Refuses: StepUpRequired."""

    async def work(connection: Connection) -> int:
        require_recent(access)
        ended = await end_sessions(connection, access.actor.user_id, access.now, but=access.actor.session_id)
        if ended:
            after = {"sessions": sorted(map(str, ended))}
            await record_own(connection, access, "user.sessions_ended", "ended all other sessions", after)
        return len(ended)

    return await unit_of_work(work)
