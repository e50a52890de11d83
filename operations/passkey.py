"""Passkeys (WebAuthn Level 3): adding one, and signing in or proving oneself with one.

The authenticator verifies its person (by PIN or biometry) and signs for one origin, so a passkey is both factors and
cannot be phished (NIST SP 800-63B-4 §3.2.5). What the protocol demands the library verifies; here is what it leaves to
its user: challenges that work once, whose credential it is, and a counter that only grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
import webauthn
from tortoise.exceptions import IntegrityError
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

import limits
from authz.actor import Access, Actor
from errors import InvalidInput, NotFound, SignInFailed
from models import Factor, User
from models.connection import Connection, client
from models.identifier import parse, uuid7
from models.unit_of_work import unit_of_work
from operations import challenge, recovery, wording
from operations.challenge import ENROL, REAUTHENTICATE, SIGN_IN
from operations.factors import hold_to_change, refuse_too_many
from operations.passkey_answer import WRONG, RelyingParty, bytes_of, registered, signed
from operations.record import record_own
from operations.session import Opened, Visit, enter
from operations.totp import Added

if TYPE_CHECKING:
    from schema.passkey import FinishPasskeyInput, PasskeyAnswerInput

NOT_SET_UP = "passkeys are not set up here: the operator has to write the address of the site in SPAREKEY_PUBLIC_URL"

_OWNER = """
SELECT f.id, f.user_id, f.public_key, f.sign_count, u.name FROM factors f JOIN users u ON u.id = f.user_id
WHERE f.credential_id = $1 AND f.removed_at IS NULL AND u.disabled_at IS NULL
"""
# An authenticator without a counter says 0 for ever; any other's grows, or there are two of it (Level 3 §6.1.1).
_USE = """
UPDATE factors SET sign_count = $2, last_used_at = $3
WHERE id = $1 AND removed_at IS NULL AND (sign_count < $2 OR (sign_count = 0 AND $2 = 0)) RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """`options` go to `navigator.credentials` as they are."""

    challenge_id: UUID
    options: dict[str, Any]

    def __repr__(self) -> str:
        return f"Asked({self.challenge_id})"


async def begin_passkey(access: Access, party: RelyingParty | None) -> Asked:
    """Options for `navigator.credentials.create`. Refuses, first match wins: InvalidInput (not set up),
    StepUpRequired, LimitReached."""
    known = _set_up(party)

    async def work(connection: Connection) -> Asked:
        user_id = await hold_to_change(connection, access)
        await refuse_too_many(connection, user_id)
        user = await User.get(id=user_id, using_db=connection)
        made = await challenge.of_person(connection, user_id, ENROL, access.now)
        options = webauthn.generate_registration_options(
            rp_id=known.id,
            rp_name=known.name,
            user_id=user_id.bytes,
            user_name=user.email,
            user_display_name=user.name,
            challenge=made.content,
            timeout=limits.of("challenge_seconds") * 1000,
            exclude_credentials=await _credentials(connection, user_id),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
        )
        return Asked(made.id, _plain(options))

    return await unit_of_work(work)


async def finish_passkey(access: Access, typed: FinishPasskeyInput, party: RelyingParty | None) -> Added:
    """The passkey counts from now on.

    Refuses, first match wins: InvalidInput (not set up, label), StepUpRequired, NotFound (no such challenge of this
    person), InvalidInput (the answer, or a passkey that is known already), LimitReached.
    """
    known, label = _set_up(party), wording.text("label", typed.label, 100)
    await unit_of_work(lambda connection: hold_to_change(connection, access))
    content = await challenge.take(parse(typed.challenge_id), ENROL, access.actor.user_id, access.now)
    if content is None:
        raise NotFound
    credential_id, public_key, sign_count = registered(typed.credential, content, known)

    async def work(connection: Connection) -> Added:
        user_id = await hold_to_change(connection, access)
        await refuse_too_many(connection, user_id)
        factor = Factor(id=uuid7(), user_id=user_id, kind="passkey", label=label, sign_count=sign_count)
        factor.credential_id, factor.public_key = credential_id, public_key
        factor.added_at = factor.confirmed_at = access.now
        await factor.save(using_db=connection, force_create=True)
        codes = await recovery.first_codes(connection, user_id, access.now)
        after = {"factor": str(factor.id), "kind": "passkey"}
        await record_own(connection, access, "factor.added", "added a passkey", after)
        return Added(factor.id, codes)

    try:
        return await unit_of_work(work)
    except IntegrityError:
        raise InvalidInput("credential", "this passkey is added already") from None


async def begin_sign_in(visit: Visit, party: RelyingParty | None) -> Asked:
    """Options for `navigator.credentials.get`, the same for everybody. Refuses, first match wins: InvalidInput (not
    set up), RateLimited."""
    known = _set_up(party)
    return _asked(await challenge.of_stranger(visit.address, visit.now), known, [])


async def begin_reauthentication(actor: Actor, party: RelyingParty | None) -> Asked:
    """The same for somebody signed in: only their own passkeys. Refuses: InvalidInput (not set up)."""
    known = _set_up(party)

    async def work(connection: Connection) -> Asked:
        made = await challenge.of_person(connection, actor.user_id, REAUTHENTICATE, actor.now)
        return _asked(made, known, await _credentials(connection, actor.user_id))

    return await unit_of_work(work)


async def sign_in(
    visit: Visit, typed: PasskeyAnswerInput, party: RelyingParty | None, replaces: UUID | None = None
) -> Opened:
    """Sign in with a passkey alone, which is both factors; a session this browser had before ends.

    No budget: there is nothing to guess. Refuses, first match wins: InvalidInput (not set up), SignInFailed.
    """
    return await _enter(visit, typed, _set_up(party), None, replaces)


async def reauthenticate(visit: Visit, actor: Actor, typed: PasskeyAnswerInput, party: RelyingParty | None) -> Opened:
    """Renew the session of the signed-in person by one of their own passkeys. Refuses as `sign_in`."""
    return await _enter(visit, typed, _set_up(party), actor.user_id, actor.session_id)


async def _enter(
    visit: Visit, typed: PasskeyAnswerInput, party: RelyingParty, user_id: UUID | None, replaces: UUID | None
) -> Opened:
    purpose = SIGN_IN if user_id is None else REAUTHENTICATE
    content = await challenge.take(parse(typed.challenge_id), purpose, user_id, visit.now)
    owner = await _owner(typed.credential, user_id)
    if content is None or owner is None:
        raise SignInFailed(WRONG)
    sign_count = signed(typed.credential, content, party, owner)

    async def work(connection: Connection) -> Opened:
        if not await connection.execute_query_dict(_USE, [owner["id"], sign_count, visit.now]):
            raise SignInFailed(WRONG)
        return await enter(connection, visit, owner["user_id"], owner["name"], "passkey", replaces)

    return await unit_of_work(work)


async def _owner(credential: object, user_id: UUID | None) -> dict[str, Any] | None:
    """Whose passkey it says it is. It also says whose it thinks it is (§7.2 step 6), which nobody else can be."""
    rows = await client().execute_query_dict(_OWNER, [bytes_of(credential, "rawId")])
    owner = dict(rows[0]) if rows else None
    if owner is None or (user_id is not None and owner["user_id"] != user_id):
        return None
    response = credential.get("response") if isinstance(credential, dict) else None
    handle = bytes_of(response, "userHandle")
    same = handle == owner["user_id"].bytes
    return owner if same or (user_id is not None and not handle) else None


async def _credentials(connection: Connection, user_id: UUID) -> list[PublicKeyCredentialDescriptor]:
    counting = Factor.filter(user_id=user_id, kind="passkey", removed_at=None).using_db(connection)
    return [PublicKeyCredentialDescriptor(id=each.credential_id or b"") for each in await counting]


def _asked(made: challenge.Challenge, party: RelyingParty, allowed: list[PublicKeyCredentialDescriptor]) -> Asked:
    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        challenge=made.content,
        timeout=limits.of("challenge_seconds") * 1000,
        allow_credentials=allowed,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return Asked(made.id, _plain(options))


def _plain(options: Any) -> dict[str, Any]:
    plain: dict[str, Any] = orjson.loads(webauthn.options_to_json(options))
    return plain


def _set_up(party: RelyingParty | None) -> RelyingParty:
    if party is None:
        raise InvalidInput("passkey", NOT_SET_UP)
    return party
