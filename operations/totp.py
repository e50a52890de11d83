"""Codes of an authenticator app (RFC 6238): enrolling one, and using a code once.

The secret has to be known to compute codes, so it cannot be hashed; it is encrypted under a key that the pepper makes,
with the factor's id as associated data: a stolen database gives no codes, and a row moved to somebody else neither.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import limits
from authz.actor import Access
from errors import InvalidInput, NotFound
from models import Factor, User
from models.connection import Connection
from models.identifier import parse, uuid7
from models.unit_of_work import unit_of_work
from operations import pepper, recovery, wording
from operations.factors import hold_to_change, refuse_too_many
from operations.record import record_own

if TYPE_CHECKING:
    from schema.factor import BeginTotpInput, ConfirmTotpInput

STEP = 30  # seconds (RFC 6238 §5.2)
DIGITS = 6
SKEW = 1  # steps to either side: clocks of telephones, and the time it takes to type (RFC 6238 §5.2)
ISSUER = "Sparekey"
NONCE = 12  # bytes (NIST SP 800-38D §8.2)

_OF_USER = """
SELECT id, secret, last_step FROM factors
WHERE user_id = $1 AND kind = 'totp' AND confirmed_at IS NOT NULL AND removed_at IS NULL
"""
# Of several uses of a code at once the first one moves the step, and the others find no row.
_USE = """
UPDATE factors SET last_step = $2, last_used_at = $3
WHERE id = $1 AND removed_at IS NULL AND coalesce(last_step, -1) < $2 RETURNING id
"""
_CONFIRM = "UPDATE factors SET confirmed_at = $2, last_step = $3, last_used_at = $2 WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Begun:
    """`secret` in base 32, and the same in an otpauth URI for a QR code. Shown once."""

    factor_id: UUID
    secret: str
    uri: str

    def __repr__(self) -> str:
        return f"Begun({self.factor_id})"


@dataclass(frozen=True, slots=True)
class Added:
    """A factor that counts from now on, and the first recovery codes where there were none."""

    factor_id: UUID
    codes: recovery.Codes


async def begin_totp(access: Access, typed: BeginTotpInput) -> Begun:
    """Draw a secret. It counts for nothing until a code of it was entered; an earlier one that never was is forgotten.

    Refuses, first match wins: StepUpRequired, InvalidInput, LimitReached.
    """

    async def work(connection: Connection) -> Begun:
        user_id = await hold_to_change(connection, access)
        label = wording.text("label", typed.label, 100)
        await refuse_too_many(connection, user_id)
        await Factor.filter(user_id=user_id, kind="totp", confirmed_at=None).using_db(connection).delete()
        factor_id, secret = uuid7(), pyotp.random_base32()  # 160 bits (RFC 4226 §4, R6)
        fields = {"kind": "totp", "label": label, "secret": seal(factor_id, secret), "added_at": access.now}
        await Factor.create(using_db=connection, id=factor_id, user_id=user_id, **fields)
        user = await User.get(id=user_id, using_db=connection)
        await record_own(connection, access, "factor.begun", "began to add an authenticator app", _said(factor_id))
        return Begun(factor_id, secret, pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=ISSUER))

    return await unit_of_work(work)


async def confirm_totp(access: Access, typed: ConfirmTotpInput) -> Added:
    """From now on the app's codes count, and signing in asks for them. The code that confirms is used up.

    A wrong code is counted nowhere: whoever enrols knows the secret. Refuses, first match wins: StepUpRequired,
    NotFound (also once it was confirmed, or begun too long ago), LimitReached, InvalidInput.
    """

    async def work(connection: Connection) -> Added:
        user_id = await hold_to_change(connection, access)
        factor = await _begun(connection, user_id, parse(typed.factor_id), access.now)
        await refuse_too_many(connection, user_id)
        step = _step_of(typed.code, unseal(factor.id, factor.secret or b""), access.now, None)
        if step is None:
            raise InvalidInput("code", "enter the six digits that the app shows now; if it is wrong, set its clock")
        await connection.execute_query_dict(_CONFIRM, [factor.id, access.now, step])
        codes = await recovery.first_codes(connection, user_id, access.now)
        await record_own(connection, access, "factor.added", "added an authenticator app", _said(factor.id))
        return Added(factor.id, codes)

    return await unit_of_work(work)


async def use_totp(connection: Connection, user_id: UUID, typed: str, now: datetime) -> bool:
    """Whether it is a code of one of the person's apps that was not used yet; then it is used now."""
    for row in await connection.execute_query_dict(_OF_USER, [user_id]):
        step = _step_of(typed, unseal(row["id"], row["secret"]), now, row["last_step"])
        if step is not None and await connection.execute_query_dict(_USE, [row["id"], step, now]):
            return True
    return False


def seal(factor_id: UUID, secret: str) -> bytes:
    """nonce ‖ AES-256-GCM(secret), for this factor only."""
    nonce = secrets.token_bytes(NONCE)
    return nonce + _cipher().encrypt(nonce, secret.encode(), factor_id.bytes)


def unseal(factor_id: UUID, sealed: bytes) -> str:
    """ "" for what was sealed for another factor or under another pepper: no code is right for it."""
    try:
        return _cipher().decrypt(sealed[:NONCE], sealed[NONCE:], factor_id.bytes).decode()
    except (InvalidTag, ValueError):
        return ""


def _cipher() -> AESGCM:
    return AESGCM(pepper.keyed("totp secret"))


def _step_of(typed: str, secret: str, now: datetime, after: int | None) -> int | None:
    """The time step whose code this is, of those near now that are newer than the last one used."""
    code = "".join(typed.split())
    if not secret or not (code.isascii() and code.isdigit() and len(code) == DIGITS):
        return None
    app, current = pyotp.TOTP(secret), int(now.timestamp()) // STEP
    steps = [step for step in range(current - SKEW, current + SKEW + 1) if step > (-1 if after is None else after)]
    return next((step for step in steps if hmac.compare_digest(app.generate_otp(step), code)), None)


async def _begun(connection: Connection, user_id: UUID, factor_id: UUID | None, now: datetime) -> Factor:
    since = now - timedelta(seconds=limits.of("enrolment_seconds"))
    wanted = {"id": factor_id, "user_id": user_id, "kind": "totp", "confirmed_at": None, "added_at__gt": since}
    found = await Factor.filter(**wanted).using_db(connection).first()
    if found is None:
        raise NotFound
    return found


def _said(factor_id: UUID) -> dict[str, str]:
    return {"factor": str(factor_id), "kind": "totp"}
