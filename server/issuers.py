"""The issuers that the settings trust: from a bearer's token to what it says, or to nobody.

    form · a trusted issuer's · claims that hold now · a key of that issuer's · its signature

In this order, cheapest first; nothing is believed before the last. A verified token is remembered until it is over or
its key is taken back, so that a client that uses one for an hour costs one verification.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import limits
from operations.identity import Vouched, make_known
from resolvers.context import Context
from resolvers.credential import Claims
from resolvers.execution import RequestFacts
from server import issuer_claims, issuer_token
from server.http_errors import Code, RequestRejected
from server.issuer_fetch import Fetcher
from server.issuer_keys import IssuerKeys, KeysUnknown
from server.issuer_settings import TrustedIssuer

UNKNOWN = "the keys of this token's issuer cannot be had now; try again"


class TrustedIssuers:
    """`https_only`: keys are fetched over TLS and in no other way."""

    def __init__(self, trusted: Iterable[TrustedIssuer], *, https_only: bool) -> None:
        self._fetcher = Fetcher(https_only=https_only)
        self._keys = {issuer.issuer: IssuerKeys(issuer, self._fetcher) for issuer in trusted}
        self._verified: OrderedDict[bytes, Claims] = OrderedDict()

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
        name = hashlib.sha256(token.encode()).digest()
        found = self._verified.get(name)
        with _or_busy():
            claims = await self._looked_at(token, now) if found is None else await self._again(found, now)
        self._remember(name, claims)
        return claims

    async def renewed(self, facts: RequestFacts) -> RequestFacts:
        """The same question by whom the issuer's keys say now, for a socket shows its token once and asks for a day.
        Raises RequestRejected (503)."""
        credential = facts.credential
        if credential is None or credential.claims is None:
            return facts
        with _or_busy():
            claims = await self._again(credential.claims, facts.now)
        return replace(facts, credential=None if claims is None else replace(credential, claims=claims))

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

    async def _looked_at(self, token: str, now: datetime) -> Claims | None:
        shown = issuer_token.read(token)
        said = None if shown is None else shown.said.get("iss")
        keys = self._keys.get(said) if isinstance(said, str) else None
        if shown is None or keys is None:
            return None
        claims = issuer_claims.read(shown.said, keys.issuer, now)
        key = None if claims is None else await keys.find(shown.kid, shown.alg, now)
        if claims is None or key is None or not issuer_token.is_signed(shown, key):
            return None
        return replace(claims, confirmed_until=keys.confirmed_until(now), signed_by=key)

    async def _again(self, claims: Claims, now: datetime) -> Claims | None:
        """What was right before, if it still is."""
        keys = self._keys[claims.issuer]
        await keys.renew(now)
        if claims.until <= now or not keys.has(claims.signed_by):
            return None
        until = keys.confirmed_until(now)
        return claims if claims.confirmed_until == until else replace(claims, confirmed_until=until)

    def _remember(self, name: bytes, claims: Claims | None) -> None:
        self._verified.pop(name, None)
        if claims is not None:
            self._verified[name] = claims
        while len(self._verified) > limits.of("issuer_tokens_remembered"):
            self._verified.popitem(last=False)


@contextmanager
def _or_busy() -> Iterator[None]:
    try:
        yield
    except KeysUnknown:
        raise RequestRejected(503, Code.BUSY, UNKNOWN, Retry_After="30") from None
