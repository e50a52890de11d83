"""What a trusted issuer may write into its tokens, and what we read in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from server import issuer_claims
from tests.http_door import NOW
from tests.issuer import ALL, Issuer, jwk, serving, trusting


def at(seconds: float) -> float:
    return NOW.timestamp() + seconds


@pytest.mark.parametrize("alg", ALL)
async def test_a_token_of_each_algorithm_is_somebody(alg: str) -> None:
    async with serving() as issuer, trusting(issuer.trusted()) as issuers:
        issuer.keys = [jwk(alg, "another", "elsewhere"), jwk(alg)]
        assert await issuers.claims(issuer.token(alg=alg), NOW) is not None
        assert await issuers.claims(issuer.token(alg=alg, place="elsewhere"), NOW) is None
        assert await issuers.claims(issuer.token(alg=alg)[:-8] + "AAAAAAAA", NOW) is None


GOOD: dict[str, Callable[[Issuer], str]] = {
    "at+jwt": lambda issuer: issuer.token(header={"typ": "at+jwt"}),
    "application/at+jwt": lambda issuer: issuer.token(header={"typ": "application/AT+JWT"}),
    "no typ": lambda issuer: issuer.token(header={"typ": None}),
    "no kid where one key fits": lambda issuer: issuer.token(header={"kid": None}),
    "headers that mean nothing": lambda issuer: issuer.token(header={"x5t": "a" * 27, "nonce": "b"}),
    "a header of 500 characters": lambda issuer: issuer.token(header={"x5t#S256": "a" * 400}),
    "one audience of several": lambda issuer: issuer.token(aud=["other", "sparekey"]),
    "no iat": lambda issuer: issuer.token(iat=None),
    "times with fractions": lambda issuer: issuer.token(exp=NOW.timestamp() + 30.5),
    "a day long": lambda issuer: issuer.token(exp=NOW.timestamp() + 86_400),
    "a subject of 255 characters": lambda issuer: issuer.token(sub="é" * 255),
    "begins now": lambda issuer: issuer.token(nbf=NOW.timestamp()),
}


@pytest.mark.parametrize("made", GOOD.values(), ids=GOOD)
async def test_what_an_issuer_may_write_is_accepted(made: Callable[[Issuer], str]) -> None:
    async with serving() as issuer, trusting(issuer.trusted()) as issuers:
        assert await issuers.claims(made(issuer), NOW) is not None


async def test_claims_are_read_for_the_issuer_that_they_name_and_no_other() -> None:
    """Who looks for the keys has compared the two before; this does not rely on it."""
    issuer = Issuer("https://id.example")
    assert issuer_claims.read(issuer.claims(), issuer.trusted(), NOW) is not None
    assert issuer_claims.read(issuer.claims(), issuer.trusted(issuer="https://id.example/"), NOW) is None


async def claims_of(now: datetime = NOW, proves: bool = True, **changes: Any) -> Any:
    async with serving() as issuer:
        trusted = issuer.trusted(email_domains=frozenset({"elm.example"}), proves_sign_in=proves)
        async with trusting(trusted) as issuers:
            return await issuers.claims(issuer.token(now, **changes), now)


@pytest.mark.parametrize(
    ("email", "verified", "found"),
    [
        ("Amy@Elm.example", True, "amy@elm.example"),
        ("amy@elm.example", None, None),
        ("amy@elm.example", False, None),
        ("amy@elm.example", "true", None),
        ("amy@elm.example", 1, None),
        ("amy@evil.example", True, None),
        ("amy@elm.example@evil.example", True, None),
        ("amy@sub.elm.example", True, None),
        ("amy@elm.example\n", True, "amy@elm.example"),
        ("amy\0@elm.example", True, None),
        (["amy@elm.example"], True, None),
        (None, True, None),
    ],
)
async def test_an_address_counts_where_the_issuer_verified_it_and_may_speak_for_it(
    email: Any, verified: Any, found: str | None
) -> None:
    assert (await claims_of(email=email, email_verified=verified)).email == found


@pytest.mark.parametrize(
    ("methods", "second"),
    [
        (["pwd"], False),
        (["otp"], False),
        (["hwk"], False),
        (["pwd", "otp"], True),
        (["pwd", "pin"], False),
        (["hwk", "fpt"], True),
        (["hwk", "user"], False),
        (["mfa"], True),
        (["pwd", "mfa", "rsa"], True),
        (["sms", "otp"], False),
        ("mfa", False),
        ([["mfa"]], False),
        ([None, {}], False),
        (None, False),
    ],
)
async def test_two_kinds_of_proof_are_a_second_factor(methods: Any, second: bool) -> None:
    assert (await claims_of(amr=methods)).second_factor is second


@pytest.mark.parametrize(("said", "found"), [(-30, -30), (0, 0), (59, 0), (61, None), (600, None), (-90_000, -90_000)])
async def test_when_the_person_signed_in_is_never_in_the_future(said: int, found: int | None) -> None:
    expected = None if found is None else NOW + timedelta(seconds=found)
    assert (await claims_of(auth_time=at(said))).authenticated_at == expected


@pytest.mark.parametrize("said", ["now", True, None, [], -1, 10**18])
async def test_a_time_that_is_none_proves_nothing(said: Any) -> None:
    assert (await claims_of(auth_time=said)).authenticated_at is None


async def test_when_and_how_somebody_signed_in_there_proves_nothing_unless_the_settings_say_so() -> None:
    said = await claims_of(proves=False, auth_time=at(0), amr=["pwd", "otp", "mfa"])
    assert (said.authenticated_at, said.second_factor) == (None, False)
