"""What a token says, where it says it to us and now (RFC 7519 §4.1, OpenID Connect Core 1.0 §2 and §3.1.3.7).

    `iss` exactly the issuer · `aud` names us · `exp` is there and not over · `nbf`, `iat` not in the future
    `sub` of 1 to 255 characters · a day between `iat` (or now) and `exp` at most

Two clocks may differ by a minute. What only adds to it (`email`, `name`, `auth_time`, `amr`) is left out where it is
not well formed: then it proves nothing.

A token says only that somebody was signed in there some time ago, and whoever has it can show it: it is no password
that was entered a moment ago. So `auth_time` and `amr` count where the settings say that this issuer `proves_sign_in`
and nowhere else (OpenID Connect Core 1.0 §2: what the values of `amr` mean is for the two parties to agree upon).
Without them nothing sensitive can be done with its tokens, and where the policy asks holders of sensitive roles for a
second factor, those roles give nothing; the others do.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import limits
from errors import InvalidInput
from operations import wording
from resolvers.credential import Claims
from server.issuer_settings import TrustedIssuer

SUBJECT_CHARACTERS = 255  # OpenID Connect Core 1.0 §2
MOST_SECONDS = 253_402_300_799  # 9999-12-31T23:59:59Z
# RFC 8176 §2 by the kind of thing that a method proves (NIST SP 800-63B-4 §2.2.1). One method alone is one factor.
FACTORS = {
    **dict.fromkeys(("pwd", "pin", "kba"), "known"),
    **dict.fromkeys(("otp", "hwk", "swk", "pop", "sc", "sms", "tel"), "had"),
    **dict.fromkeys(("fpt", "face", "iris", "retina", "vbm"), "been"),
}


def read(said: dict[str, Any], issuer: TrustedIssuer, now: datetime) -> Claims | None:
    """None where it does not hold, is not for us or cannot be read."""
    until = _until(said, now)
    subject = said.get("sub")
    if until is None or said.get("iss") != issuer.issuer or not _is_for(said.get("aud"), issuer.audience):
        return None
    if not isinstance(subject, str) or not 1 <= len(subject) <= SUBJECT_CHARACTERS or "\0" in subject:
        return None
    return Claims(
        issuer=issuer.issuer,
        subject=subject,
        until=until,
        email=_email(said, issuer),
        authenticated_at=_authenticated_at(said, now) if issuer.proves_sign_in else None,
        second_factor=issuer.proves_sign_in and _is_second_factor(said.get("amr")),
        name=_name(said),
    )


def _until(said: dict[str, Any], now: datetime) -> datetime | None:
    """When it is over; None where it is, or where its times cannot be read."""
    leeway = timedelta(seconds=limits.of("issuer_leeway_seconds"))
    expires = _instant(said.get("exp"))
    for name in ("nbf", "iat"):
        begins = _instant(said.get(name))
        if name in said and (begins is None or begins > now + leeway):
            return None
    began = _instant(said.get("iat")) or now
    if expires is None or expires - began > timedelta(seconds=limits.of("issuer_token_seconds")):
        return None
    return expires + leeway if now < expires + leeway else None


def _instant(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MOST_SECONDS - 86_400:
        return None
    return datetime.fromtimestamp(value, UTC)


def _is_for(audience: Any, ours: str) -> bool:
    return audience == ours if isinstance(audience, str) else isinstance(audience, list) and ours in audience


def _email(said: dict[str, Any], issuer: TrustedIssuer) -> str | None:
    """Only what the issuer verified, by saying exactly so, and may speak for."""
    if said.get("email_verified") is not True or not isinstance(said.get("email"), str):
        return None
    try:
        address = wording.email("email", said["email"])
    except InvalidInput:
        return None
    return address if issuer.speaks_for(address) else None


def _name(said: dict[str, Any]) -> str | None:
    try:
        return wording.text("name", said["name"], 200) if isinstance(said.get("name"), str) else None
    except InvalidInput:
        return None


def _authenticated_at(said: dict[str, Any], now: datetime) -> datetime | None:
    """When the person signed in at the issuer: never later than now."""
    found = _instant(said.get("auth_time"))
    if found is None or found > now + timedelta(seconds=limits.of("issuer_leeway_seconds")):
        return None
    return min(found, now)


def _is_second_factor(methods: Any) -> bool:
    named = {method for method in methods if isinstance(method, str)} if isinstance(methods, list) else set[str]()
    return "mfa" in named or len({FACTORS[method] for method in named & FACTORS.keys()}) > 1
