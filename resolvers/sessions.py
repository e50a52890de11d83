"""Mutations about one's own password and sessions, and the fields that show the sessions to their person."""

from __future__ import annotations

from datetime import timedelta

import strawberry

from authz.actor import Access
from models.connection import Row, read
from models.identifier import parse
from operations import password, session_end
from resolvers.answers import repeatable
from resolvers.context import Context, context_of
from resolvers.edges import edge
from resolvers.guard import requires
from resolvers.identity import welcome
from schema.person import Session, Viewer
from schema.session import (
    ChangePasswordInput,
    ChangePasswordResult,
    ChangePasswordSuccess,
    EndOtherSessionsResult,
    EndOtherSessionsSuccess,
    EndSessionInput,
    EndSessionResult,
    EndSessionSuccess,
)

_LIVE = """
SELECT * FROM sessions
WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 AND last_seen_at > $3 ORDER BY id DESC LIMIT 100
"""


@edge(Viewer, "session")
async def session_of_viewer(context: Context, viewer: Viewer) -> Session | None:
    current = viewer.actor.session_id
    return None if current is None else _session(await context.the("session", current), viewer)


@edge(Viewer, "sessions")
async def sessions_of_viewer(context: Context, viewer: Viewer) -> list[Session]:
    unused_since = context.now - timedelta(seconds=context.sessions.idle_seconds)
    rows = await read(_LIVE, viewer.actor.user_id, context.now, unused_since)
    return [_session(row, viewer) for row in rows]


@strawberry.type
class SessionMutation:
    @strawberry.mutation(
        description="Change your password. All your other sessions end; API keys and passkeys go on.",
        extensions=requires("account.sessions.end"),
    )
    async def change_password(
        self, info: strawberry.Info, access: Access, input: ChangePasswordInput
    ) -> ChangePasswordResult:
        context, typed = context_of(info), (input.password, input.new_password, input.second_factor)
        opened = await password.change_password(context.visit, access.actor, *typed)
        return ChangePasswordSuccess(viewer=(await welcome(context, opened)).viewer)

    @strawberry.mutation(
        description="End one of your other sessions, in a browser that is lost or not yours. Needs a recent password.",
        extensions=requires("account.sessions.end"),
    )
    async def end_session(self, info: strawberry.Info, access: Access, input: EndSessionInput) -> EndSessionResult:
        await session_end.end_session(access, parse(input.session_id), repeatable(info, access, input))
        return EndSessionSuccess(viewer=Viewer(actor=access.actor))

    @strawberry.mutation(
        description="End all of your sessions but this one. Needs a recent password.",
        extensions=requires("account.sessions.end"),
    )
    async def end_other_sessions(self, access: Access) -> EndOtherSessionsResult:
        return EndOtherSessionsSuccess(ended=await session_end.end_other_sessions(access))


def _session(row: Row, viewer: Viewer) -> Session:
    return Session(
        id=strawberry.ID(str(row["id"])),
        current=row["id"] == viewer.actor.session_id,
        browser=row["browser"],
        address=row["address"],
        last_seen_at=row["last_seen_at"],
        started_at=row["started_at"],
        expires_at=row["expires_at"],
        reauthenticated_at=row["reauthenticated_at"],
        second_factor=row["second_factor"],
    )
