"""What a caller shows to say who they are, as far as anything below the door knows of it.

The door hashes the secret at once: a session's reference, an API key or a token goes no further than its own file, so
it cannot get into a log, an error or a memory from anywhere else.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, field
from datetime import datetime


class Kind(enum.Enum):
    SESSION = "session"
    API_KEY = "api_key"
    ACCESS_TOKEN = "access_token"  # noqa: S105  (a kind of credential, and none itself)
    ISSUER = "issuer"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a trusted issuer says of its token's bearer, once the signature and the times were checked.

    `email` only where the issuer says that it verified the address. `authenticated_at` and `second_factor` where it
    says when and how the person signed in there, and the settings believe it in that. `until`: when it is over.
    `confirmed_until`: when it has to be shown to the issuer's keys again, whatever is remembered of it. `signed_by`:
    which of them it was.
    """

    issuer: str
    subject: str = field(repr=False)
    until: datetime
    email: str | None = field(default=None, repr=False)
    authenticated_at: datetime | None = None
    second_factor: bool = False
    name: str | None = field(default=None, repr=False)
    confirmed_until: datetime | None = None
    signed_by: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Credential:
    """`name`: the sha256 of the secret. A random one of 256 bits needs no slow hash. An issuer's has `claims`."""

    kind: Kind
    name: bytes = field(repr=False)
    claims: Claims | None = field(default=None, repr=False)


def of_secret(kind: Kind, secret: str, claims: Claims | None = None) -> Credential:
    return Credential(kind, hashlib.sha256(secret.encode()).digest(), claims)


def of_session(reference: str) -> Credential:
    return of_secret(Kind.SESSION, reference)
