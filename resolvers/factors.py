"""Mutations about second factors, and the fields that show them to their person."""

from __future__ import annotations

from uuid import UUID

import strawberry

from authz.actor import Access
from models.connection import Row, read
from operations import factors, recovery, totp
from resolvers.answers import repeatable
from resolvers.context import Context
from resolvers.edges import edge
from resolvers.guard import requires
from schema.factor import (
    BeginTotpInput,
    BeginTotpResult,
    BeginTotpSuccess,
    ConfirmTotpInput,
    FactorResult,
    FactorSuccess,
    RecoveryCodesResult,
    RecoveryCodesSuccess,
    RemoveFactorInput,
    RemoveFactorResult,
    RemoveFactorSuccess,
)
from schema.kinds import FactorKind
from schema.person import Factor, Viewer

_COUNTING = """
SELECT id, kind, label, added_at, last_used_at FROM factors
WHERE user_id = $1 AND confirmed_at IS NOT NULL AND removed_at IS NULL ORDER BY id
"""
_CODES_LEFT = "SELECT count(*) AS codes FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL"


@edge(Viewer, "factors")
async def factors_of_viewer(context: Context, viewer: Viewer) -> list[Factor]:
    return [_factor(row) for row in await read(_COUNTING, viewer.actor.user_id)]


@edge(Viewer, "second_factor_required")
def second_factor_required(context: Context, viewer: Viewer) -> bool:
    required: bool = viewer.actor.second_factor_required
    return required


@edge(Viewer, "recovery_codes_left")
async def recovery_codes_left(context: Context, viewer: Viewer) -> int:
    (row,) = await read(_CODES_LEFT, viewer.actor.user_id)
    return int(row["codes"])


@strawberry.type
class FactorMutation:
    @strawberry.mutation(
        description="Begin to add an authenticator app: show the QR code, then `confirmTotp`. Needs a recent password, "
        "and a second factor with it once you have one.",
        extensions=requires("account.factors.manage"),
    )
    async def begin_totp(self, access: Access, input: BeginTotpInput) -> BeginTotpResult:
        begun = await totp.begin_totp(access, input)
        factor_id = strawberry.ID(str(begun.factor_id))
        return BeginTotpSuccess(factor_id=factor_id, secret=begun.secret, otpauth_uri=begun.uri)

    @strawberry.mutation(
        description="Finish adding an authenticator app with its first code. From now on signing in asks for one. "
        "Needs the same proof as `beginTotp`.",
        extensions=requires("account.factors.manage"),
    )
    async def confirm_totp(self, access: Access, input: ConfirmTotpInput) -> FactorResult:
        added = await totp.confirm_totp(access, input)
        return await added_factor(access, added.factor_id, added.codes)

    @strawberry.mutation(
        description="Make ten new recovery codes; the old ones stop working. Needs a recent sign-in with a second "
        "factor.",
        extensions=requires("account.factors.manage"),
    )
    async def renew_recovery_codes(self, access: Access) -> RecoveryCodesResult:
        codes = await recovery.renew_recovery_codes(access)
        return RecoveryCodesSuccess(recovery_codes=list(codes.shown))

    @strawberry.mutation(
        description="Remove a second factor of yours for good; with the last one the recovery codes go, too. Needs a "
        "recent sign-in with a second factor.",
        extensions=requires("account.factors.manage"),
    )
    async def remove_factor(
        self, info: strawberry.Info, access: Access, input: RemoveFactorInput
    ) -> RemoveFactorResult:
        await factors.remove_factor(access, input, repeatable(info, access, input))
        return RemoveFactorSuccess(viewer=Viewer(actor=access.actor))


async def added_factor(access: Access, factor_id: UUID, codes: recovery.Codes) -> FactorSuccess:
    rows = await read(_COUNTING, access.actor.user_id)
    (row,) = (row for row in rows if row["id"] == factor_id)
    return FactorSuccess(factor=_factor(row), recovery_codes=list(codes.shown))


def _factor(row: Row) -> Factor:
    return Factor(
        id=strawberry.ID(str(row["id"])),
        kind=FactorKind(row["kind"]),
        label=row["label"],
        added_at=row["added_at"],
        last_used_at=row["last_used_at"],
    )
