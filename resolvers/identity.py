"""Mutations about who is signed in."""

from __future__ import annotations

from uuid import UUID

import strawberry

from authz.actor import Access
from authz.life import Party
from operations import session
from operations.record import Who
from resolvers.context import Context, context_of
from resolvers.credential import of_session
from resolvers.execution import ENDED
from resolvers.guard import public, requires
from schema.inputs import ReauthenticateInput, SignInInput, SignUpInput
from schema.person import Viewer
from schema.results import SignInResult, SignInSuccess


@strawberry.type
class IdentityMutation:
    @strawberry.mutation(
        description="Open an account and sign in. An e-mail that has an account already is answered as a failed "
        "sign-in is: offer to sign in instead.",
        extensions=public(),
    )
    async def sign_up(self, info: strawberry.Info, input: SignUpInput) -> SignInResult:
        context = context_of(info)
        opened = await session.sign_up(context.visit, input.name, input.email, input.password, replaces(context))
        return await welcome(context, opened)

    @strawberry.mutation(
        description="Sign in. The session's cookie comes with the answer; an earlier session of this browser ends.",
        extensions=public(),
    )
    async def sign_in(self, info: strawberry.Info, input: SignInInput) -> SignInResult:
        context = context_of(info)
        typed = input.email, input.password
        opened = await session.sign_in(context.visit, *typed, replaces(context), input.second_factor)
        return await welcome(context, opened)

    @strawberry.mutation(
        description="Enter the password (and the second factor, if you have one) again: sensitive changes are allowed "
        "for ten minutes. The cookie is renewed.",
        extensions=requires("account.read"),
    )
    async def reauthenticate(self, info: strawberry.Info, access: Access, input: ReauthenticateInput) -> SignInResult:
        context = context_of(info)
        opened = await session.reauthenticate(context.visit, access.actor, input.password, input.second_factor)
        return await welcome(context, opened)

    @strawberry.mutation(
        description="End this session. Always true; the cookie is cleared.",
        extensions=requires("account.sessions.end"),
    )
    async def sign_out(self, info: strawberry.Info, access: Access) -> bool:
        actor = access.actor
        if actor.session_id is not None:
            who = Who(actor.name, actor.user_id, Party.PLATFORM, access.policy.digest, access.now)
            await session.sign_out(actor.session_id, who)
            context_of(info).session_change = ENDED
        return True


def replaces(context: Context) -> UUID | None:
    """The session that this browser has already."""
    return context.actor.session_id if context.actor else None


async def welcome(context: Context, opened: session.Opened) -> SignInSuccess:
    context.session_change = opened.reference
    await context.sign_in_as(of_session(opened.reference))
    return SignInSuccess(viewer=Viewer(actor=context.actor))
