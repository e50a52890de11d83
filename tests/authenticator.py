"""A passkey in software: ES256, attestation `none`, as a browser and its authenticator make them together.

What it is told to do wrong it does wrong: another origin, another domain, no verification of the person, a counter that
goes backwards, a signature of something else.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

import cbor2
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40  # flags (WebAuthn Level 3 §6.1)
HERE = "https://keys.example.org"


@dataclass
class Authenticator:
    """One device with one passkey, once it has made it."""

    origin: str = HERE
    rp_id: str = ""  # the one of the options unless said otherwise
    verifies: bool = True
    counter: int = 0
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    handle: bytes = b""
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False)

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """What `navigator.credentials.create` gives for these options."""
        self.handle = base64url_to_bytes(options["user"]["id"])
        data = self._client_data("webauthn.create", options["challenge"])
        attested = bytes(16) + struct.pack(">H", len(self.credential_id)) + self.credential_id + self.public_key()
        authenticated = self._authenticator_data(options["rp"]["id"], ATTESTED) + attested
        statement = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": authenticated})
        return self._credential({"clientDataJSON": data, "attestationObject": statement})

    def get(self, options: dict[str, Any], *, counts: int = 1) -> dict[str, Any]:
        """What `navigator.credentials.get` gives."""
        self.counter += counts
        data = self._client_data("webauthn.get", options["challenge"])
        authenticated = self._authenticator_data(options["rpId"], 0)
        signature = self.key.sign(authenticated + hashlib.sha256(data).digest(), ec.ECDSA(SHA256()))
        said = {"clientDataJSON": data, "authenticatorData": authenticated, "signature": signature}
        return self._credential(said | {"userHandle": self.handle})

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return orjson.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False})

    def _authenticator_data(self, rp_id: str, flags: int) -> bytes:
        domain = hashlib.sha256((self.rp_id or rp_id).encode()).digest()
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        return domain + struct.pack(">BI", flags, self.counter)

    def public_key(self) -> bytes:
        """COSE (RFC 9053 §7.1.1): EC2, ES256, P-256, x, y."""
        numbers = self.key.public_key().public_numbers()
        x, y = (each.to_bytes(32) for each in (numbers.x, numbers.y))
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})

    def _credential(self, response: dict[str, bytes]) -> dict[str, Any]:
        name = bytes_to_base64url(self.credential_id)
        encoded = {key: bytes_to_base64url(value) for key, value in response.items()}
        return {"id": name, "rawId": name, "type": "public-key", "response": encoded, "clientExtensionResults": {}}
