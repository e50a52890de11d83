"""Recovery codes: ten single-use codes for the day on which the phone is lost.

A code has 50 random bits. That is little for a secret that lives for years, so only an HMAC under the pepper is
stored, and wrong ones are counted as other second factors are (NIST SP 800-63B-4 §3.1.2.2: look-up secrets).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from authz.actor import Access
from errors import NotFound
from models import RecoveryCode
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import pepper
from operations.factors import has_factor, hold_to_change
from operations.record import record_own

HOW_MANY = 10
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letter that looks like a digit
HALF = 5  # characters on each side of the dash

_USE = """
UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Codes:
    """As they are shown, once."""

    shown: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Codes({len(self.shown)})"


async def renew_recovery_codes(access: Access) -> Codes:
    """Ten new codes; the old ones stop working. Refuses, first match wins: StepUpRequired, NotFound (no factor)."""

    async def work(connection: Connection) -> Codes:
        user_id = await hold_to_change(connection, access)
        if not await has_factor(connection, user_id):
            raise NotFound("you have no second factor yet; add one first")
        codes = await replace(connection, user_id, access.now)
        await record_own(connection, access, "recovery_codes.renewed", "made new recovery codes", {})
        return codes

    return await unit_of_work(work)


async def first_codes(connection: Connection, user_id: UUID, now: datetime) -> Codes:
    """Codes for somebody who has none, used ones included; nothing for anybody else."""
    if await RecoveryCode.filter(user_id=user_id).using_db(connection).exists():
        return Codes(())
    return await replace(connection, user_id, now)


async def replace(connection: Connection, user_id: UUID, now: datetime) -> Codes:
    await forget(connection, user_id)
    shown = tuple(_new_code() for _ in range(HOW_MANY))
    made = [RecoveryCode(user_id=user_id, code_hash=_hash(user_id, code), made_at=now) for code in shown]
    await RecoveryCode.bulk_create(made, using_db=connection)
    return Codes(shown)


async def forget(connection: Connection, user_id: UUID) -> None:
    await RecoveryCode.filter(user_id=user_id).using_db(connection).delete()


async def use_recovery_code(connection: Connection, user_id: UUID, typed: str, now: datetime) -> bool:
    """Use a code up. Of several uses at once the row's lock lets one through."""
    return bool(await connection.execute_query_dict(_USE, [user_id, _hash(user_id, typed), now]))


def _new_code() -> str:
    drawn = "".join(secrets.choice(ALPHABET) for _ in range(2 * HALF))
    return f"{drawn[:HALF]}-{drawn[HALF:]}"


def _hash(user_id: UUID, typed: str) -> bytes:
    """Of the code without dashes and spaces; `o`, `i` and `l` are read as the digits that they look like."""
    plain = "".join(typed.split()).replace("-", "").lower().translate(str.maketrans("oil", "011"))
    return pepper.keyed("recovery code", user_id.bytes, plain.encode(errors="replace"))
