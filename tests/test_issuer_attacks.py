"""Tokens at the door that are not a trusted issuer's: every way that we know of to make one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server import issuer_token
from server.issuer_key_set import read as read_keys
from server.issuers import TrustedIssuers
from tests.http_door import NOW, Caller, codes, door
from tests.issuer import Issuer, b64, jwk, of_json, private_key, serving, signature, token, trusting
from tests.test_credentials import ASK, INVALID, bearer, open_context


@dataclass
class Place:
    """An issuer, a door that trusts it, and a clock."""

    issuer: Issuer
    issuers: TrustedIssuers
    caller: Caller

    async def status(self, shown: str) -> int:
        response = await self.caller.ask(ASK, headers=bearer(shown))
        if response.status_code == 401:
            assert codes(response) == ["BEARER_INVALID"]
            assert response.headers["www-authenticate"] == INVALID
        return int(response.status_code)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with (
        serving() as issuer,
        trusting(issuer.trusted()) as issuers,
        door(signed_in=False, open_context=open_context, issuers=issuers) as caller,
    ):
        yield Place(issuer, issuers, caller)


def unsigned(alg: Any, issuer: Issuer, end: str = "") -> str:
    return f"{of_json({'alg': alg, 'typ': 'JWT', 'kid': 'one'})}.{of_json(issuer.claims())}.{end}"


def hmac_of(secret: bytes) -> Callable[[Issuer], str]:
    """A token that is a MAC under something public."""
    header = {"alg": "HS256", "typ": "JWT", "kid": "one"}
    return lambda issuer: token(header, issuer.claims(), lambda text: hmac.digest(secret, text, hashlib.sha256))


def pem(form: Encoding, alg: str = "ES256") -> bytes:
    return bytes(private_key(alg).public_key().public_bytes(form, PublicFormat.SubjectPublicKeyInfo))


def with_header(**header: Any) -> Callable[[Issuer], str]:
    return lambda issuer: issuer.token(header=header)


def with_claims(**changes: Any) -> Callable[[Issuer], str]:
    return lambda issuer: issuer.token(**changes)


def tampered(issuer: Issuer) -> str:
    first, _, last = issuer.token().split(".")
    return f"{first}.{of_json(issuer.claims(sub='somebody-else'))}.{last}"


def tampered_header(issuer: Issuer) -> str:
    _, second, last = issuer.token().split(".")
    return f"{of_json({'alg': 'ES256', 'kid': 'one'})}.{second}.{last}"


def raw(payload: bytes) -> Callable[[Issuer], str]:
    return lambda issuer: token({"alg": "ES256", "kid": "one"}, b64(payload), lambda text: signature("ES256", text))


def issued_by(change: Callable[[str], Any]) -> Callable[[Issuer], str]:
    return lambda issuer: issuer.token(iss=change(issuer.url))


def at(seconds: float) -> float:
    return NOW.timestamp() + seconds


NO_ALGORITHM = ("none", "None", "NONE", "nOnE", "none ", "", None, 0, ["none"], {"alg": "none"})
OWN = jwk("ES256", "own", "attacker")
ATTACKS: dict[str, Callable[[Issuer], str]] = {
    **{f"alg {alg} without a signature": partial(unsigned, alg) for alg in NO_ALGORITHM},
    "alg none with the right signature of ES256": lambda issuer: unsigned("none", issuer, issuer.token().split(".")[2]),
    "alg none with a signature of one byte": lambda issuer: unsigned("none", issuer, "AA"),
    "alg in lower case": with_header(alg="es256"),
    "alg left out": with_header(alg=None),
    "HMAC of the public key's PEM": hmac_of(pem(Encoding.PEM)),
    "HMAC of the public key's PEM without its last line end": hmac_of(pem(Encoding.PEM).rstrip()),
    "HMAC of the public key's DER": hmac_of(pem(Encoding.DER)),
    "HMAC of the JWK": hmac_of(orjson.dumps(jwk("ES256"))),
    "HMAC of nothing": hmac_of(b""),
    "ES256K": with_header(alg="ES256K"),
    "a kid that is a path": with_header(kid="../../../../dev/null"),
    "a kid that is a URL": with_header(kid="http://127.0.0.1/keys/one"),
    "a kid that is SQL": with_header(kid="one' OR 'a'='a"),
    "a kid with a NUL": with_header(kid="one\0"),
    "a kid of 4 kB": with_header(kid="a" * 4_096),
    "a kid of 10 kB": with_header(kid="a" * 10_240),
    "a kid that is a number": with_header(kid=1),
    "a kid that is a list": with_header(kid=["one"]),
    "jku": with_header(jku="http://127.0.0.1/keys"),
    "jwk": lambda issuer: issuer.token(place="attacker", header={"jwk": OWN, "kid": None}),
    "jwk beside a right signature": with_header(jwk=OWN),
    "x5u": with_header(x5u="http://127.0.0.1/cert"),
    "x5c": with_header(x5c=["MIIB"]),
    "crit": with_header(crit=["exp"]),
    "crit of nothing": with_header(crit=[]),
    "b64 false": with_header(b64=False, crit=["b64"]),
    "b64 alone": with_header(b64=False),
    "zip": with_header(zip="DEF"),
    "typ of a logout token": with_header(typ="logout+jwt"),
    "typ that is no text": with_header(typ=["JWT"]),
    "a header of 3 kB": with_header(x5t="a" * 3_000),
    "signed by somebody else's key": lambda issuer: issuer.token(place="attacker"),
    "an RSA algorithm with a key of EC": lambda issuer: issuer.token(alg="RS256"),
    "another algorithm than its key is for": lambda issuer: issuer.token(alg="ES384"),
    "no signature": lambda issuer: issuer.token().rpartition(".")[0] + ".",
    "two segments": lambda issuer: issuer.token().rpartition(".")[0],
    "four segments": lambda issuer: issuer.token() + ".AAAA",
    "a JWE's five segments": lambda issuer: ".".join(
        [of_json({"alg": "dir", "enc": "A128GCM", "kid": "one"}), "", "AAAA", "AAAA", "AAAA"]
    ),
    "five whole segments": lambda issuer: issuer.token() + ".AAAA.AAAA",
    "a tampered payload": tampered,
    "a tampered header": tampered_header,
    "a payload that is a list": raw(b"[1]"),
    "a payload that is not JSON": raw(b"{"),
    "a payload that is not UTF-8": raw(b'{"iss":"\xff"}'),
    "padding": lambda issuer: issuer.token() + "==",
    "the other alphabet of base64": lambda issuer: issuer.token().replace("-", "+").replace("_", "/") + "/",
    "over-long": with_claims(more="a" * 8_000),
    "no iss": with_claims(iss=None),
    "iss that is a list": issued_by(lambda url: [url]),
    "iss with a slash behind it": issued_by(lambda url: url + "/"),
    "iss with something behind it": issued_by(lambda url: url + ".evil.example"),
    "the start of iss": issued_by(lambda url: url[:-1]),
    "iss in capitals": issued_by(str.upper),
    "iss with a space": issued_by(lambda url: url + " "),
    "no aud": with_claims(aud=None),
    "another aud": with_claims(aud="other"),
    "aud in capitals": with_claims(aud="SPAREKEY"),
    "the start of aud": with_claims(aud="sparekey-admin"),
    "a list without our aud": with_claims(aud=["other", "sparekey2"]),
    "an empty list for aud": with_claims(aud=[]),
    "our aud in a list in a list": with_claims(aud=[["sparekey"]]),
    "an object with our aud": with_claims(aud={"sparekey": True}),
    "no exp": with_claims(exp=None),
    "exp as a text": with_claims(exp=str(at(300))),
    "exp that is true": with_claims(exp=True),
    "exp without end": with_claims(exp=10**18),
    "exp as a list": with_claims(exp=[at(300)]),
    "exp below nothing": with_claims(exp=-1),
    "more than a day from iat to exp": with_claims(exp=at(86_401)),
    "more than a day without iat": with_claims(iat=None, exp=at(86_401)),
    "iat as a text": with_claims(iat="now"),
    "nbf as a text": with_claims(nbf="now"),
    "nbf in the future": with_claims(nbf=at(61)),
    "iat in the future": with_claims(iat=at(61)),
    "no sub": with_claims(sub=None),
    "an empty sub": with_claims(sub=""),
    "sub of 256 characters": with_claims(sub="a" * 256),
    "sub that is a number": with_claims(sub=7),
    "sub with a NUL": with_claims(sub="a\0b"),
}


@pytest.mark.parametrize("made", ATTACKS.values(), ids=ATTACKS)
async def test_a_token_that_is_not_the_issuers_opens_nothing(place: Place, made: Callable[[Issuer], str]) -> None:
    assert await place.status(place.issuer.token()) == 200
    assert await place.status(made(place.issuer)) == 401


FORM = [
    name for name in ATTACKS if name.startswith(("alg", "HMAC", "ES256K", "jku", "x5", "crit", "b64", "zip", "typ"))
]
FORM += [
    "a kid of 4 kB",
    "a kid of 10 kB",
    "a kid that is a list",
    "jwk",
    "a JWE's five segments",
    "padding",
    "over-long",
]


@pytest.mark.parametrize("name", FORM)
async def test_what_has_not_the_form_is_refused_before_any_key_is_asked_for(place: Place, name: str) -> None:
    """Without the door, whose own limit comes before ours."""
    assert await place.issuers.claims(ATTACKS[name](place.issuer), NOW) is None
    assert place.issuer.asked == []


SKEWS = [
    # how far the issuer's clock is from ours, and whether its token of five minutes is accepted
    ("60 s fast", timedelta(seconds=60), 0, 200),
    ("61 s fast", timedelta(seconds=61), 0, 401),
    ("600 s fast", timedelta(seconds=600), 0, 401),
    ("60 s slow", timedelta(seconds=-60), 299, 200),
    ("600 s slow", timedelta(seconds=-600), 0, 401),
    ("expired by 59 s", timedelta(0), 359, 200),
    ("expired by 60 s", timedelta(0), 360, 401),
    ("expired by 61 s", timedelta(0), 361, 401),
]


@pytest.mark.parametrize(("skew", "later", "status"), [row[1:] for row in SKEWS], ids=[row[0] for row in SKEWS])
async def test_a_minute_between_two_clocks_is_borne_and_no_more(skew: timedelta, later: int, status: int) -> None:
    """`nbf` counts as `iat` does."""
    now = NOW + timedelta(seconds=later)
    async with serving() as issuer, trusting(issuer.trusted()) as issuers:
        shown = issuer.token(NOW + skew, nbf=int((NOW + skew).timestamp()))
        async with door(open_context=open_context, signed_in=False, issuers=issuers, clock=lambda: now) as caller:
            assert (await caller.ask(ASK, headers=bearer(shown))).status_code == status


async def test_a_token_ends_a_minute_after_exp_also_where_it_was_right_before(place: Place) -> None:
    shown = place.issuer.token()
    claims = await place.issuers.claims(shown, NOW)
    assert claims is not None
    assert claims.until == NOW + timedelta(seconds=360)
    assert await place.issuers.claims(shown, claims.until - timedelta(microseconds=1)) is not None
    assert await place.issuers.claims(shown, claims.until) is None


async def test_another_issuers_key_of_the_same_name_signs_nothing_for_this_one() -> None:
    async with serving() as one, serving() as other:
        other.keys = [jwk("ES256", "one", "other")]
        async with trusting(one.trusted(), other.trusted()) as issuers:
            assert await issuers.claims(other.token(place="other"), NOW) is not None
            assert await issuers.claims(one.token(), NOW) is not None
            assert await issuers.claims(other.token(place="other", iss=one.url), NOW) is None
            assert await issuers.claims(one.token(iss=other.url), NOW) is None


async def test_an_issuer_that_nobody_trusts_is_not_even_asked(place: Place) -> None:
    async with serving() as stranger:
        assert await place.status(stranger.token()) == 401
        assert await place.status(place.issuer.token(header={"jku": f"{stranger.url}/keys", "kid": "new"})) == 401
        assert stranger.asked == []


def test_what_was_read_in_a_token_is_what_was_signed() -> None:
    """Whoever reads the same bytes in two ways must see the same in both."""
    issuer = Issuer("https://id.example")
    shown, (key,) = issuer_token.read(issuer.token()), read_keys(orjson.dumps({"keys": issuer.keys}))
    assert shown is not None
    assert issuer_token.is_signed(shown, key)
    assert not issuer_token.is_signed(replace(shown, said=shown.said | {"sub": "somebody-else"}), key)
    assert not issuer_token.is_signed(replace(shown, alg="ES384"), key)
