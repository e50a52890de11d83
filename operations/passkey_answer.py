"""The browser's answers, judged by the library: bytes of anybody's making, of which nothing is believed before.

Whose credential it is, and that its challenge was ours, is for `operations/passkey.py` to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import webauthn
from webauthn.helpers import base64url_to_bytes

from errors import InvalidInput, SignInFailed

CREDENTIAL_BYTES = 1_023  # WebAuthn Level 3 §4, credential id
NOT_ACCEPTED = "the browser's answer does not fit; begin again with a new challenge"
WRONG = "this passkey does not open the account; begin again, or use the password"


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who the passkeys are for. `id` is the domain, `origin` the site's scheme, host and port."""

    id: str
    name: str
    origin: str


def registered(credential: Any, content: bytes, party: RelyingParty) -> tuple[bytes, bytes, int]:
    """Its id, public key (COSE) and counter. Raises InvalidInput."""
    try:
        found = webauthn.verify_registration_response(
            credential=_object(credential),
            expected_challenge=content,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except Exception:  # bytes of anybody's making: parsers of CBOR, COSE and X.509 raise what they like
        raise InvalidInput("credential", NOT_ACCEPTED) from None
    if len(found.credential_id) > CREDENTIAL_BYTES:
        raise InvalidInput("credential", NOT_ACCEPTED)
    return found.credential_id, found.credential_public_key, found.sign_count


def signed(credential: Any, content: bytes, party: RelyingParty, owner: dict[str, Any]) -> int:
    """The authenticator's counter. Raises SignInFailed."""
    try:
        found = webauthn.verify_authentication_response(
            credential=_object(credential),
            expected_challenge=content,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=bytes(owner["public_key"]),
            credential_current_sign_count=owner["sign_count"],
            require_user_verification=True,
        )
    except Exception:  # as above
        raise SignInFailed(WRONG) from None
    return found.new_sign_count


def _object(credential: Any) -> dict[str, Any]:
    """Never text, which the library would parse as JSON again."""
    if not isinstance(credential, dict):
        raise ValueError("a credential is a JSON object")
    return credential


def bytes_of(value: object, name: str) -> bytes:
    text = value.get(name) if isinstance(value, dict) else None
    try:
        return base64url_to_bytes(text) if isinstance(text, str) else b""
    except ValueError:
        return b""
