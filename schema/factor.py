"""Second factors: what is asked to add, renew and remove them, and what is answered."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import field

from schema.inputs import REPEAT, _optional, _silent
from schema.person import Factor, Viewer
from schema.problem import IdempotencyConflict, InvalidInput, LimitReached, NotFound, NotPermitted, StepUpRequired

LABEL = "What you call it, 1 to 100 characters: `Ann's phone`."


@strawberry.input(description="An authenticator app to add.")
class BeginTotpInput:
    label: str = field(description=LABEL)


@strawberry.input(description="The first code of an authenticator app.")
class ConfirmTotpInput:
    factor_id: strawberry.ID = field(description="From `beginTotp`, within ten minutes.")
    code: str = field(description="The six digits that the app shows now; spaces are left out.")
    __repr__ = _silent


@strawberry.input(description="A second factor to end.")
class RemoveFactorInput:
    factor_id: strawberry.ID = field(description="One of your own, from `Viewer.factors`.")
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.type(
    description="A secret to put into an authenticator app. It counts once `confirmTotp` had a code of it."
)
class BeginTotpSuccess:
    factor_id: strawberry.ID = field(description="For `confirmTotp`.")
    secret: str = field(description="To type into the app, in base 32. Shown once.")
    otpauth_uri: str = field(description="The same as a URI: show it as a QR code. Shown once.")
    __repr__ = _silent


@strawberry.type(description="The factor counts from now on.")
class FactorSuccess:
    factor: Factor = field(description="The new factor.")
    recovery_codes: list[str] = field(
        description="With your first factor: ten codes for the day it is lost, each works once. Shown once; let the "
        "person print or save them. Empty when you have some already."
    )
    __repr__ = _silent


@strawberry.type(description="Ten new recovery codes; the old ones do not work any more.")
class RecoveryCodesSuccess:
    recovery_codes: list[str] = field(description="The codes. Shown once; let the person print or save them.")
    __repr__ = _silent


@strawberry.type(description="The factor is gone.")
class RemoveFactorSuccess:
    viewer: Viewer = field(description="You, with the factors that are left.")


BeginTotpResult = Annotated[
    BeginTotpSuccess | StepUpRequired | NotPermitted | InvalidInput | LimitReached,
    strawberry.union("BeginTotpResult", description="What `beginTotp` answers."),
]
FactorResult = Annotated[
    FactorSuccess | StepUpRequired | NotPermitted | NotFound | InvalidInput | LimitReached,
    strawberry.union("FactorResult", description="What `confirmTotp` and `finishPasskey` answer."),
]
RecoveryCodesResult = Annotated[
    RecoveryCodesSuccess | StepUpRequired | NotPermitted | NotFound,
    strawberry.union("RecoveryCodesResult", description="What `renewRecoveryCodes` answers."),
]
RemoveFactorResult = Annotated[
    RemoveFactorSuccess | StepUpRequired | NotPermitted | NotFound | InvalidInput | IdempotencyConflict,
    strawberry.union("RemoveFactorResult", description="What `removeFactor` answers."),
]
