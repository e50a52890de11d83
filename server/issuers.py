"""The issuers that the settings trust: from a bearer's token to what it says, or to nobody.

    form · a trusted issuer's · claims that hold now · a key of that issuer's · its signature

In this order, cheapest first; nothing is believed before the last. A verified token is remembered until it is over or
its key is taken back, so that a client that uses one for an hour costs one verification.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import limits
from operations.identity import Vouched, make_known
from resolvers.context import Context
from resolvers.credential import Claims
from server import issuer_claims, issuer_token
from server.http_errors import Code, RequestRejected
from server.issuer_fetch import Fetcher
from server.issuer_key_set import SigningKey
from server.issuer_keys import IssuerKeys, KeysUnknown
from server.issuer_settings import TrustedIssuer

UNKNOWN = "the keys of this token's issuer cannot be had now; try again"


@dataclass(slots=True)
class Verified:
    claims: Claims
    key: SigningKey


class TrustedIssuers:
    """`https_only`: keys are fetched over TLS and in no other way."""

    def __init__(self, trusted: Iterable[TrustedIssuer], *, https_only: bool) -> None:
        self._fetcher = Fetcher(https_only=https_only)
        self._keys = {issuer.issuer: IssuerKeys(issuer, self._fetcher) for issuer in trusted}
        self._verified: OrderedDict[bytes, Verified] = OrderedDict()

    def start(self, now: datetime) -> None:
        """Fetch every set, in the background: a server whose issuer is down serves everybody else."""
        for keys in self._keys.values():
            keys.fetch(now)

    async def stop(self) -> None:
        for keys in self._keys.values():
            await keys.stop()
        await self._fetcher.close()

    async def claims(self, token: str, now: datetime) -> Claims | None:
        """See `server/credentials.py`. Raises RequestRejected (503) where the keys cannot be had."""
        try:
            name = hashlib.sha256(token.encode()).digest()
            found = self._verified.get(name)
            verified = await self._looked_at(token, now) if found is None else await self._again(found, now)
        except KeysUnknown:
            raise RequestRejected(503, Code.BUSY, UNKNOWN, Retry_After="30") from None
        self._remember(name, verified)
        return None if verified is None else verified.claims

    async def welcome(self, context: Context) -> None:
        """Somebody who is nobody here yet and for whom an issuer vouches; see `operations/identity.py`."""
        claims = context.credential.claims if context.credential else None
        if context.actor is not None or claims is None:
            return
        issuer = self._keys[claims.issuer].issuer
        is_there = await make_known(
            Vouched(claims.issuer, claims.subject, claims.email, claims.name),
            context.policy_digest,
            context.request.now,
            link_by_email=issuer.link_by_email,
            create_users=issuer.create_users,
        )
        if is_there:
            await context.begin()

    async def _looked_at(self, token: str, now: datetime) -> Verified | None:
        shown = issuer_token.read(token)
        said = None if shown is None else shown.said.get("iss")
        keys = self._keys.get(said) if isinstance(said, str) else None
        if shown is None or keys is None:
            return None
        claims = issuer_claims.read(shown.said, keys.issuer, now)
        key = None if claims is None else await keys.find(shown.kid, shown.alg, now)
        if claims is None or key is None or not issuer_token.is_signed(shown, key):
            return None
        return Verified(replace(claims, confirmed_until=keys.confirmed_until(now)), key)

    async def _again(self, found: Verified, now: datetime) -> Verified | None:
        """A token that was right before. A clock that was set back is nobody's concern but the token's own times'."""
        keys = self._keys[found.claims.issuer]
        await keys.renew(now)
        if found.claims.until <= now or not keys.has(found.key):
            return None
        found.claims = replace(found.claims, confirmed_until=keys.confirmed_until(now))
        return found

    def _remember(self, name: bytes, verified: Verified | None) -> None:
        self._verified.pop(name, None)
        if verified is not None:
            self._verified[name] = verified
        while len(self._verified) > limits.of("issuer_tokens_remembered"):
            self._verified.popitem(last=False)
