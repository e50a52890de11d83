"""People with second factors: enrolling, computing codes, signing in with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyotp

from models import User
from operations import stretching
from tests.town import COOKIE, Client, Town

PASSWORD = "correct horse"
REFUSED = """
... on StepUpRequired { maxAgeSeconds } ... on InvalidInput { field } ... on LimitReached { limit }
"""
BEGUN = "... on BeginTotpSuccess { factorId secret otpauthUri }" + REFUSED
ADDED = "... on FactorSuccess { factor { id kind label addedAt lastUsedAt } recoveryCodes }" + REFUSED
REMOVED = (
    "... on RemoveFactorSuccess { viewer { factors { id } recoveryCodesLeft } }... on StepUpRequired { maxAgeSeconds }"
)
MINE = "{ viewer { factors { id kind label lastUsedAt } recoveryCodesLeft session { secondFactor } } }"
RENEW = """mutation { renewRecoveryCodes {
    __typename ... on RecoveryCodesSuccess { recoveryCodes } ... on Problem { problem: code }
} }"""
ASKED = """{ __typename ... on BeginPasskeySuccess { challengeId options } ... on StepUpRequired { maxAgeSeconds }
    ... on InvalidInput { field } ... on RateLimited { retryAfterSeconds } ... on Problem { problem: code message } }"""
SIGNED_IN = """
... on SignInSuccess { viewer { session { secondFactor } } } ... on SignInFailed { secondFactorRequired }
... on RateLimited { retryAfterSeconds }
"""


@dataclass
class Person:
    """Somebody with a password and an authenticator app."""

    town: Town
    client: Client
    factor_id: str = ""
    secret: str = field(default="", repr=False)
    recovery_codes: list[str] = field(default_factory=list, repr=False)

    def code(self, later: int = 0) -> str:
        """What the app shows now, or so many steps later."""
        return pyotp.TOTP(self.secret).at(self.town.clock.now, counter_offset=later)

    async def sign_in(self, second_factor: str | None = None, password: str = PASSWORD, address: str = "") -> Any:
        """In another browser."""
        typed = {} if second_factor is None else {"secondFactor": second_factor}
        visitor = self.town.visitor(*([address] if address else []))
        return await visitor.do("signIn", SIGNED_IN, email=self.client.email, password=password, **typed)

    async def prove(self, second_factor: str | None = None) -> Any:
        """`reauthenticate`, with the app's next code unless another is given; the old one is used up."""
        self.town.clock.advance(seconds=30)
        typed = {"password": PASSWORD, "secondFactor": second_factor or self.code()}
        return await renewing(self.client, "reauthenticate", **typed)


async def renewing(client: Client, mutation: str, **typed: Any) -> Any:
    """A mutation after which the browser has a new cookie; the town set the first one by hand, without a domain."""
    before = client.reference
    answer = await client.do(mutation, SIGNED_IN, **typed)
    after = [cookie.value for cookie in client.http.cookies.jar if cookie.value != before]
    if after:
        client.http.cookies.clear()
        client.http.cookies.set(COOKIE, str(after[0]))
    return answer


async def asked(client: Client, mutation: str) -> Any:
    """A challenge of one of the `beginPasskey…` mutations."""
    return await client.ask(f"mutation {{ {mutation} {ASKED} }}")


async def begin(client: Client, label: str = "Ann's phone") -> Any:
    return await client.do("beginTotp", BEGUN, label=label)


async def confirm(client: Client, factor_id: str, code: str) -> Any:
    return await client.do("confirmTotp", ADDED, factorId=factor_id, code=code)


async def remove(client: Client, factor_id: str, **typed: Any) -> Any:
    return await client.do("removeFactor", REMOVED, factorId=factor_id, **typed)


async def with_password(town: Town, email: str = "ann@elm.example") -> Person:
    client = await town.person(email)
    await User.filter(id=client.user_id).update(password_hash=await stretching.hash_password(PASSWORD))
    return Person(town, client)


async def enrolled(town: Town, email: str = "ann@elm.example", *, password: bool = True) -> Person:
    """With an app that counts. The session was begun without it."""
    person = await with_password(town, email) if password else Person(town, await town.person(email))
    begun = await begin(person.client)
    person.factor_id, person.secret = begun["factorId"], begun["secret"]
    added = await confirm(person.client, person.factor_id, person.code())
    assert added["__typename"] == "FactorSuccess", added
    person.recovery_codes = added["recoveryCodes"]
    return person
