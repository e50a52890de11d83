"""An issuer's keys as a worker knows them: fetched, renewed before they are old, and kept while the issuer is down.

    until 3/4 of the lifetime      used as they are
    until the end of it            used, and renewed in the background
    after it                       whoever comes waits for new ones; if there are none the last ones are used, and
                                   until the next attempt nobody waits
    24 hours after the last ones   nothing is known: 503

So a key that an issuer takes back stops within the lifetime of the set, also after a quiet night. One fetch at a time;
a key id that nobody knows, or a failure, causes one every 30 s at most, however many tokens ask for it.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

import limits
from server import issuer_key_set
from server.issuer_fetch import Fetcher
from server.issuer_key_set import SigningKey, Unusable
from server.issuer_settings import TrustedIssuer

LOGGER = logging.getLogger("sparekey.issuers")
EARLIER = timedelta(seconds=60)


class KeysUnknown(Exception):
    """Whether a token is right cannot be said now."""


class IssuerKeys:
    def __init__(self, issuer: TrustedIssuer, fetcher: Fetcher) -> None:
        self.issuer = issuer
        self._fetcher = fetcher
        self._keys: tuple[SigningKey, ...] = ()
        self._fetched: datetime | None = None
        self._lifetime = timedelta()
        self._tried: datetime | None = None
        self._failed: datetime | None = None
        self._waiting = 0
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str | None, alg: str, now: datetime) -> SigningKey | None:
        """The one key that may have signed a token with this header. Raises KeysUnknown."""
        await self.renew(now)
        found = self._the_one(kid, alg)
        if found is None and (self._fetching is not None or self._may_try(now)):
            self.fetch(now)
            await self._wait()
            found = self._the_one(kid, alg)
        return found

    def has(self, key: object) -> bool:
        """Whether the issuer still publishes it, as far as is known since `renew`."""
        return key in self._keys

    async def renew(self, now: datetime) -> None:
        """Returns when the keys may be used. Raises KeysUnknown."""
        if not _within(self._fetched, now, self._lifetime * 0.75) and self._may_try(now):
            self.fetch(now)
        is_down = self._keys and _within(self._failed, now, 2 * _spacing())
        if self._is_fresh(now):
            return
        if not is_down:
            await self._wait()
        down = timedelta(seconds=limits.of("issuer_keys_seconds_down"))
        if self._fetched is None or now >= self._fetched + down:
            raise KeysUnknown

    def confirmed_until(self, now: datetime) -> datetime:
        """From when on they have to be looked at again."""
        if self._fetched is not None and self._is_fresh(now):
            return self._fetched + self._lifetime
        return (self._tried or now) + _spacing()

    def fetch(self, now: datetime) -> None:
        """Begin to, unless somebody has. It belongs to no request: who asked may go away."""
        if self._fetching is None:
            self._tried = now
            self._fetching = asyncio.create_task(self._fetch(now))

    async def stop(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait({self._fetching})

    def _the_one(self, kid: str | None, alg: str) -> SigningKey | None:
        fitting = [key for key in self._keys if key.fits(kid, alg)]
        return fitting[0] if len(fitting) == 1 else None

    def _is_fresh(self, now: datetime) -> bool:
        return _within(self._fetched, now, self._lifetime)

    def _may_try(self, now: datetime) -> bool:
        return not _within(self._tried, now, _spacing())

    async def _wait(self) -> None:
        """At most so many at once: an issuer that is slow must not hold every place in the room."""
        if self._fetching is None:
            return
        if self._waiting >= limits.of("issuer_waiting"):
            raise KeysUnknown
        self._waiting += 1
        try:
            await asyncio.wait({self._fetching})
        finally:
            self._waiting -= 1

    async def _fetch(self, now: datetime) -> None:
        try:
            content, seconds = await self._fetcher.key_set(self.issuer)
            self._keys = issuer_key_set.read(content)
            self._fetched, self._lifetime = now, timedelta(seconds=seconds)
            self._say(None, now)
        except Unusable as unusable:
            self._say(str(unusable), now)
        finally:
            self._fetching = None

    def _say(self, reason: str | None, now: datetime) -> None:
        """Once when it begins to fail and once when it is over, not at every attempt between."""
        if reason is not None and self._failed is None:
            LOGGER.warning("the keys of the issuer %s cannot be had: %s", self.issuer.issuer, reason)
        if reason is None and self._failed is not None:
            LOGGER.warning("the keys of the issuer %s are there again", self.issuer.issuer)
        self._failed = None if reason is None else now


def _within(since: datetime | None, now: datetime, length: timedelta) -> bool:
    """`now` is when a request came: it may be a little before what was done since. Not where a clock was set back."""
    return since is not None and since - EARLIER <= now < since + length


def _spacing() -> timedelta:
    return timedelta(seconds=limits.of("issuer_refetch_seconds"))
