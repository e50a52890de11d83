"""Passkeys: what passes between the browser's `navigator.credentials` and the mutations."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import field
from strawberry.scalars import JSON

from schema.factor import LABEL
from schema.inputs import _silent
from schema.problem import InvalidInput, LimitReached, NotPermitted, RateLimited, StepUpRequired

CHALLENGE = "From the mutation that began it. It works once, for five minutes."


@strawberry.input(description="A passkey that the browser has made.")
class FinishPasskeyInput:
    challenge_id: strawberry.ID = field(description=CHALLENGE)
    credential: JSON = field(description="What `navigator.credentials.create` gave: its `toJSON()`.")
    label: str = field(description=LABEL)
    __repr__ = _silent


@strawberry.input(description="What a passkey has signed.")
class PasskeyAnswerInput:
    challenge_id: strawberry.ID = field(description=CHALLENGE)
    credential: JSON = field(description="What `navigator.credentials.get` gave: its `toJSON()`.")
    __repr__ = _silent


@strawberry.type(description="What to ask the browser for.")
class BeginPasskeySuccess:
    challenge_id: strawberry.ID = field(description="Send it with the browser's answer.")
    options: JSON = field(
        description="For the browser: `PublicKeyCredential.parseCreationOptionsFromJSON(options)` to add a passkey, "
        "`parseRequestOptionsFromJSON(options)` to use one."
    )


BeginPasskeyResult = Annotated[
    BeginPasskeySuccess | StepUpRequired | NotPermitted | InvalidInput | LimitReached | RateLimited,
    strawberry.union(
        "BeginPasskeyResult",
        description="What `beginPasskey`, `beginPasskeySignIn` and `beginPasskeyReauthentication` answer. InvalidInput "
        "says that passkeys are not set up on this server.",
    ),
]
