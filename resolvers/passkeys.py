"""Mutations about passkeys."""

from __future__ import annotations

from typing import cast

import strawberry
from strawberry.scalars import JSON

from authz.actor import Access
from operations import passkey
from resolvers.context import context_of
from resolvers.factors import added_factor
from resolvers.guard import public, requires
from resolvers.identity import replaces, welcome
from schema.factor import FactorResult
from schema.passkey import BeginPasskeyResult, BeginPasskeySuccess, FinishPasskeyInput, PasskeyAnswerInput
from schema.results import SignInResult


@strawberry.type
class PasskeyMutation:
    @strawberry.mutation(
        description="Begin to add a passkey: hand the options to `navigator.credentials.create`, then `finishPasskey`. "
        "Needs a recent password, and a second factor with it once you have one.",
        extensions=requires("account.factors.manage"),
    )
    async def begin_passkey(self, info: strawberry.Info, access: Access) -> BeginPasskeyResult:
        return _success(await passkey.begin_passkey(access, context_of(info).relying_party))

    @strawberry.mutation(
        description="Add the passkey that the browser has made. Needs the same proof as `beginPasskey`.",
        extensions=requires("account.factors.manage"),
    )
    async def finish_passkey(self, info: strawberry.Info, access: Access, input: FinishPasskeyInput) -> FactorResult:
        added = await passkey.finish_passkey(access, input, context_of(info).relying_party)
        return await added_factor(access, added.factor_id, added.codes)

    @strawberry.mutation(
        description="Begin to sign in with a passkey: hand the options to `navigator.credentials.get`, then "
        "`signInWithPasskey`. No e-mail is asked: the passkey knows whose it is.",
        extensions=public(),
    )
    async def begin_passkey_sign_in(self, info: strawberry.Info) -> BeginPasskeyResult:
        context = context_of(info)
        return _success(await passkey.begin_sign_in(context.visit, context.relying_party))

    @strawberry.mutation(
        description="Sign in with a passkey alone: it counts as both factors. The session's cookie comes with the "
        "answer; an earlier session of this browser ends.",
        extensions=public(),
    )
    async def sign_in_with_passkey(self, info: strawberry.Info, input: PasskeyAnswerInput) -> SignInResult:
        context = context_of(info)
        return await welcome(
            context, await passkey.sign_in(context.visit, input, context.relying_party, replaces(context))
        )

    @strawberry.mutation(
        description="Begin to prove yourself again with a passkey of yours, instead of the password: then "
        "`reauthenticateWithPasskey`.",
        extensions=requires("account.read"),
    )
    async def begin_passkey_reauthentication(self, info: strawberry.Info, access: Access) -> BeginPasskeyResult:
        return _success(await passkey.begin_reauthentication(access.actor, context_of(info).relying_party))

    @strawberry.mutation(
        description="The same as `reauthenticate`, with a passkey: sensitive changes are allowed for ten minutes. The "
        "cookie is renewed.",
        extensions=requires("account.read"),
    )
    async def reauthenticate_with_passkey(
        self, info: strawberry.Info, access: Access, input: PasskeyAnswerInput
    ) -> SignInResult:
        context = context_of(info)
        opened = await passkey.reauthenticate(context.visit, access.actor, input, context.relying_party)
        return await welcome(context, opened)


def _success(asked: passkey.Asked) -> BeginPasskeySuccess:
    return BeginPasskeySuccess(challenge_id=strawberry.ID(str(asked.challenge_id)), options=cast(JSON, asked.options))
