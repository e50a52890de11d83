"""Which of the keys that an issuer publishes can sign for us."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from server.issuer_key_set import Unusable, read
from tests.issuer import jwk, number, private_key

RSA = jwk("RS256")
WEAK: dict[str, dict[str, Any]] = {
    "for encryption": jwk("ES256", use="enc"),
    "not for verifying": jwk("ES256", key_ops=["sign"]),
    "for an algorithm that we do not take": jwk("ES256") | {"alg": "ES256K"},
    "for HMAC": jwk("ES256") | {"alg": "HS256"},
    "for another kind": jwk("ES256") | {"alg": "RS256"},
    "with its private part": jwk("ES256", d=number(private_key("ES256").private_numbers().private_value, 32)),
    "a secret": {"kty": "oct", "kid": "one", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"},
    "RSA of 1024 bits": RSA | {"n": number(2**1023 + 1)},
    "RSA of 2047 bits": RSA | {"n": number(2**2046 + 1, 256)},
    "RSA of 16384 bits": RSA | {"n": number(2**16383 + 1)},
    "RSA with an even exponent": RSA | {"e": "Ag"},
    "RSA without an exponent": {name: value for name, value in RSA.items() if name != "e"},
    "RSA with a number for a text": RSA | {"n": 7},
    "a point that is not on its curve": jwk("ES256", y=number(7, 32)),
    "a curve that we do not take": jwk("ES256", crv="secp256k1"),
    "another curve": jwk("ES256") | {"crv": "P-384", "alg": "ES384"},
    "X25519": jwk("EdDSA", crv="X25519"),
    "a kid that is a number": jwk("ES256", kid=None) | {"kid": 7},
    "no kty": {name: value for name, value in jwk("ES256").items() if name != "kty"},
    "kty as a list": jwk("ES256", kty=["EC"]),
}


@pytest.mark.parametrize("weak", WEAK.values(), ids=WEAK)
def test_a_key_that_cannot_sign_for_us_is_left_out_and_the_others_are_kept(weak: dict[str, Any]) -> None:
    good = jwk("ES384", "good")
    assert [key.kid for key in read(orjson.dumps({"keys": [weak, good, 7, None, []]}))] == ["good"]
    with pytest.raises(Unusable):
        read(orjson.dumps({"keys": [weak]}))
