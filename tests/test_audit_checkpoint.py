"""A checkpoint is what it says: checked here with the published key and the library, by nothing of ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from models.identifier import uuid7
from operations import checkpoint, pepper
from operations.checkpoint import CheckpointInvalid, public_key, read, sign
from operations.record import GENESIS
from server.audit_download import KEYS
from tests.stored import events
from tests.town import PEPPER, START, Town

CHECKPOINT = """query ($id: ID!) { practice(id: $id) {
    auditCheckpoint { practiceId sequence hash at keyId statement signature }
} }"""


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def published(town: Town) -> dict[str, Any]:
    answer = await town.visitor().http.get(KEYS)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/jwk-set+json")
    (key,) = orjson.loads(answer.content)["keys"]
    found: dict[str, Any] = key
    return found


async def test_a_practice_gets_a_signed_statement_of_where_its_record_stands(town: Town) -> None:
    elm = await town.practice()
    await town.staff(elm, "bea@elm.example", "scheduler")
    town.clock.advance(minutes=7)
    found = (await elm.owner.ask(CHECKPOINT, id=elm.id))["auditCheckpoint"]
    key, last = await published(town), (await events())[-1]
    said = orjson.loads(found["statement"])
    public, signature = Ed25519PublicKey.from_public_bytes(decoded(key["x"])), decoded(found["signature"])
    public.verify(signature, found["statement"].encode())
    assert said == {
        "type": "sparekey-audit-checkpoint-1",
        "chain": elm.id,
        "sequence": last["sequence"],
        "hash": last["hash"],
        "at": "2026-11-23T12:07:00.000000Z",
        "keyId": key["kid"],
    }
    shown = {"practiceId": elm.id, "sequence": 3, "hash": last["hash"], "at": "2026-11-23T12:07:00Z"}
    assert found == shown | {name: found[name] for name in ("keyId", "statement", "signature")}
    assert found["keyId"] == key["kid"]
    kept = read(orjson.dumps(found), [public_key()])
    assert (str(kept.chain_id), kept.sequence, kept.hash, kept.at) == (elm.id, 3, last["hash"], town.clock.now)


async def test_every_checkpoint_is_of_now(town: Town) -> None:
    """It is never answered from memory."""
    elm = await town.practice()
    first = (await elm.owner.ask(CHECKPOINT, id=elm.id))["auditCheckpoint"]
    town.clock.advance(seconds=1)
    second = (await elm.owner.ask(CHECKPOINT, id=elm.id))["auditCheckpoint"]
    assert (first["hash"], first["at"] < second["at"]) == (second["hash"], True)


def test_the_key_follows_from_the_pepper_and_from_nothing_else() -> None:
    """HKDF-SHA256 (RFC 5869) worked out here: extract with a salt of zeros, expand with the purpose."""
    pepper.use(PEPPER)
    pseudorandom = hmac.new(bytes(32), PEPPER, hashlib.sha256).digest()
    seed = hmac.new(pseudorandom, checkpoint.PURPOSE.encode() + b"\x01", hashlib.sha256).digest()
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert decoded(public_key()["x"]) == public
    assert public_key() == public_key()
    assert (public_key()["kty"], public_key()["crv"], public_key()["use"]) == ("OKP", "Ed25519", "sig")
    pepper.use(b"q" * 32)
    assert decoded(public_key()["x"]) != public
    pepper.use(PEPPER)


def test_a_keys_name_is_its_thumbprint() -> None:
    """The example of RFC 8037, appendix A.3; whatever name a set gives a key, it is found by this one."""
    x, thumbprint = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    given = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "mine"}, {"kty": "EC", "crv": "P-256"}]}
    assert [key["kid"] for key in checkpoint.key_set(orjson.dumps(given))] == [thumbprint]


def spoilt(content: dict[str, str], **parts: str) -> bytes:
    return orjson.dumps(content | parts)


def is_read(content: bytes, keys: list[checkpoint.Key]) -> bool:
    try:
        read(content, keys)
    except CheckpointInvalid:
        return False
    return True


def test_what_is_not_a_checkpoint_of_this_key_is_refused() -> None:
    pepper.use(b"q" * 32)
    other, strange = public_key(), sign(uuid7(), 1, GENESIS, START)
    pepper.use(PEPPER)
    signed = sign(uuid7(), 2, "a" * 64, START)
    content, keys = {"statement": signed.statement, "signature": signed.signature}, [public_key()]
    assert read(spoilt(content, note="kept in the safe"), keys).sequence == 2
    refused = {
        "not JSON": (b"{", keys),
        "no object": (b"[]", keys),
        "no signature": (orjson.dumps({"statement": signed.statement}), keys),
        "another sequence": (spoilt(content, statement=signed.statement.replace(':2,"', ':1,"')), keys),
        "the same, written anew": (spoilt(content, statement=signed.statement.replace(",", ", ")), keys),
        "another's signature": (spoilt(content, signature=strange.signature), keys),
        "a signature that is none": (spoilt(content, signature="é"), keys),
        "a signature that is too long": (spoilt(content, signature=signed.signature + "AAAA"), keys),
        "a statement that is none": (spoilt(content, statement="no JSON"), keys),
        "an unknown key": (spoilt(content), [other]),
        "no key": (spoilt(content), []),
    }
    accepted = [what for what, (given, known) in refused.items() if is_read(given, known)]
    assert accepted == []
    assert is_read(orjson.dumps({"statement": strange.statement, "signature": strange.signature}), [*keys, other])


def test_something_else_that_the_key_signed_is_no_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    pepper.use(PEPPER)
    monkeypatch.setattr(checkpoint, "TYPE", "something-else-1")
    signed = sign(UUID(int=1), 1, GENESIS, START + timedelta(days=1))
    monkeypatch.undo()
    with pytest.raises(CheckpointInvalid, match="not a checkpoint"):
        read(orjson.dumps({"statement": signed.statement, "signature": signed.signature}), [public_key()])
