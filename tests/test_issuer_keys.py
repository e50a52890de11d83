"""The keys of an issuer: fetched once, renewed in time, rotated, and what is left when the issuer is not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

import limits
from server.http_errors import RequestRejected
from server.issuers import TrustedIssuers
from tests.http_door import NOW, codes, door
from tests.issuer import Issuer, jwk, serving, trusting
from tests.socket_door import World, served
from tests.test_credentials import ASK, bearer, open_context, refusal

HOUR = timedelta(hours=1)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@dataclass
class Place:
    issuer: Issuer
    issuers: TrustedIssuers

    async def knows(self, now: datetime = NOW, **made: Any) -> bool | None:
        """Whether a token is right that was made just now; None where that cannot be said."""
        try:
            return await self.issuers.claims(self.issuer.token(now, **made), now) is not None
        except RequestRejected as rejected:
            return None if (rejected.status, rejected.headers["Retry-After"]) == (503, "30") else False

    async def settled(self) -> None:
        """What was begun in the background has ended."""
        for keys in self.issuers._keys.values():
            if keys._fetching is not None:
                await asyncio.wait({keys._fetching})


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with serving() as issuer, trusting(issuer.trusted()) as issuers:
        yield Place(issuer, issuers)


async def test_keys_are_found_by_discovery_and_fetched_once_however_many_ask(place: Place) -> None:
    assert await asyncio.gather(*(place.knows(sub=str(each)) for each in range(16))) == [True] * 16
    assert place.issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_a_url_in_the_settings_is_asked_without_discovery() -> None:
    async with serving() as issuer, trusting(issuer.trusted(jwks_url=f"{issuer.url}/keys")) as issuers:
        assert await Place(issuer, issuers).knows()
        assert issuer.asked == ["/keys"]


@pytest.mark.parametrize(
    ("max_age", "lifetime"), [(None, 300), (0, 300), (1, 300), (600, 600), (3_600, 3_600), (10**8, 3_600)]
)
async def test_a_set_holds_as_long_as_the_issuer_says_between_five_minutes_and_an_hour(
    place: Place, max_age: int | None, lifetime: int
) -> None:
    place.issuer.max_age = max_age
    assert await place.knows()
    assert await place.knows(after(lifetime * 0.75 - 1))
    await place.settled()
    assert place.issuer.fetches == 1
    place.issuer.answer = (500, {}, b"")
    assert await place.knows(after(lifetime - 1))  # renewed behind its back, in vain
    await place.settled()
    assert place.issuer.fetches == 2
    claims = await place.issuers.claims(place.issuer.token(), NOW)
    assert claims is not None
    assert claims.confirmed_until == after(lifetime)


async def test_a_set_is_renewed_in_the_background_before_its_end(place: Place) -> None:
    assert await place.knows()
    place.issuer.pause = 0.2
    async with asyncio.timeout(0.15):
        assert await place.knows(after(451))
    await place.settled()
    assert place.issuer.fetches == 2
    assert await place.knows(after(451 + 449))
    assert place.issuer.fetches == 2


async def test_a_new_key_works_at_once_and_a_removed_one_stops_with_the_next_set(place: Place) -> None:
    assert await place.knows()
    place.issuer.keys = [jwk("ES256"), jwk("ES256", "two", "new")]
    assert await place.knows(after(31), header={"kid": "two"}, place="new")
    assert await place.knows(after(31))
    place.issuer.keys = [jwk("ES256", "two", "new")]
    shown = place.issuer.token(after(31), exp=int(after(3_600).timestamp()))
    assert await place.issuers.claims(shown, after(31)) is not None
    assert await place.issuers.claims(shown, after(31 + 449)) is not None
    assert await place.issuers.claims(shown, after(31 + 600)) is None
    assert not await place.knows(after(31 + 600))
    assert await place.knows(after(31 + 600), header={"kid": "two"}, place="new")


async def test_a_removed_key_stops_after_a_quiet_night_too(place: Place) -> None:
    """Whoever comes first does not get the old set."""
    assert await place.knows()
    place.issuer.keys = [jwk("ES256", "two", "new")]
    assert not await place.knows(NOW + 9 * HOUR)


async def test_another_key_under_the_same_name_ends_what_the_old_one_signed(place: Place) -> None:
    shown = place.issuer.token(exp=int(after(3_600).timestamp()))
    assert await place.issuers.claims(shown, NOW) is not None
    place.issuer.keys = [jwk("ES256", "one", "new")]
    assert await place.knows(after(600), place="new")
    assert await place.issuers.claims(shown, after(600)) is None


async def test_made_up_key_ids_cause_one_fetch_in_thirty_seconds(place: Place) -> None:
    assert await place.knows()
    for seconds in (1, 10, 29):
        made = [place.knows(after(seconds), header={"kid": f"{seconds} {each}"}) for each in range(16)]
        assert await asyncio.gather(*made) == [False] * 16
    assert place.issuer.fetches == 1
    made = [place.knows(after(31), header={"kid": f"made up {each}"}) for each in range(16)]
    assert await asyncio.gather(*made) == [False] * 16
    assert place.issuer.fetches == 2
    assert await place.knows(after(32))


async def test_a_request_that_came_a_little_before_the_keys_fetches_none(place: Place) -> None:
    assert await place.knows(after(10))
    assert await place.knows(NOW)
    assert not await place.knows(NOW, header={"kid": "made up"})
    await place.settled()
    assert place.issuer.fetches == 1


async def test_a_clock_that_was_set_back_makes_no_set_last_longer(place: Place) -> None:
    assert await place.knows()
    place.issuer.keys = [jwk("ES256", "two", "new")]
    assert not await place.knows(NOW - HOUR)
    assert place.issuer.fetches == 2


async def test_a_slow_issuer_holds_few_requests_and_no_others(place: Place) -> None:
    most = limits.of("issuer_waiting")
    place.issuer.pause = 0.1
    found = await asyncio.gather(*(place.knows(sub=str(each)) for each in range(most + 5)))
    assert sorted(map(str, found)) == ["None"] * 5 + ["True"] * most
    assert place.issuer.fetches == 1


UNUSABLE: dict[str, tuple[int, dict[str, str], bytes]] = {
    "not JSON": (200, {}, b"<html>"),
    "not JSON at all": (200, {}, b"\xff\xfe"),
    "a list": (200, {}, b"[]"),
    "no keys": (200, {}, b"{}"),
    "keys that are no list": (200, {}, b'{"keys": {"kid": "one"}}'),
    "an empty list": (200, {}, b'{"keys": []}'),
    "huge": (200, {}, orjson.dumps({"keys": [jwk("ES256")], "more": "a" * 262_144})),
    "10,000 keys": (200, {}, orjson.dumps({"keys": [*([{}] * 10_000), jwk("ES256")]})),
    "101 keys": (200, {}, orjson.dumps({"keys": [jwk("ES256")] * 101})),
    "500": (500, {}, orjson.dumps({"keys": [jwk("ES256")]})),
    "204": (204, {}, b""),
    "a redirect": (302, {"Location": "/elsewhere"}, b""),
    "compressed": (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"),
    "nested too deep": (200, {}, b'{"keys":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
}


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE)
async def test_what_is_no_set_of_keys_replaces_none_and_is_said_once(
    place: Place, answer: tuple[int, dict[str, str], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    assert await place.knows()
    place.issuer.answer = answer
    for seconds in (600, 640, 680):
        assert await place.knows(after(seconds))
        await place.settled()
    assert place.issuer.fetches == 4
    assert "/elsewhere" not in place.issuer.asked
    (said,) = [record.message for record in caplog.records if record.name == "sparekey.issuers"]
    assert said.startswith(f"the keys of the issuer {place.issuer.url} cannot be had: ")
    place.issuer.answer = None
    assert await place.knows(after(720))
    await place.settled()
    assert caplog.records[-1].message == f"the keys of the issuer {place.issuer.url} are there again"


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE)
async def test_before_there_are_keys_a_token_is_neither_right_nor_wrong(
    place: Place, answer: tuple[int, dict[str, str], bytes]
) -> None:
    place.issuer.answer = answer
    assert await place.knows() is None
    place.issuer.answer = None
    assert await place.knows(after(29)) is None
    assert await place.knows(after(31)) is True


async def test_an_issuer_that_is_down_is_waited_for_once_and_holds_nobody_up(place: Place) -> None:
    assert await place.knows()
    place.issuer.answer, place.issuer.pause = (500, {}, b""), 0.15
    assert await place.knows(after(600))
    async with asyncio.timeout(0.1):
        many = (place.knows(after(631), sub=str(each)) for each in range(limits.of("issuer_waiting") + 5))
        assert set(await asyncio.gather(*many)) == {True}
    await place.settled()
    assert place.issuer.fetches == 3


async def test_a_removed_key_stops_after_a_night_that_began_with_a_failure(place: Place) -> None:
    assert await place.knows()
    place.issuer.answer = (500, {}, b"")
    assert await place.knows(after(600))
    place.issuer.answer, place.issuer.keys = None, [jwk("ES256", "two", "new")]
    assert not await place.knows(NOW + 9 * HOUR)


async def test_an_issuer_that_is_down_is_missed_after_a_day(place: Place) -> None:
    assert await place.knows()
    place.issuer.answer = (503, {}, b"")
    assert await place.knows(NOW + 24 * HOUR - timedelta(seconds=1))
    assert await place.knows(NOW + 24 * HOUR) is None
    claims = await place.issuers.claims(place.issuer.token(NOW + HOUR), NOW + HOUR)
    assert claims is not None
    assert claims.confirmed_until is not None
    assert NOW + HOUR < claims.confirmed_until <= NOW + 24 * HOUR + timedelta(seconds=30)


async def test_an_issuer_that_is_slow_is_not_waited_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The three seconds of the limit are one here."""
    monkeypatch.setattr(limits, "LIMITS", limits.read({"SPAREKEY_LIMIT_ISSUER_FETCH_SECONDS": "1"}))
    place.issuer.pause = 0.7  # twice: discovery and keys are one second together
    began = asyncio.get_running_loop().time()
    assert await place.knows() is None
    assert asyncio.get_running_loop().time() - began < 1.3


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "http://127.0.0.1:1"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": ["a"]},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "/keys"},
        {"jwks_uri": "http://[::1"},
        {"jwks_uri": "http://127.0.0.1:1/keys"},
    ],
)
async def test_a_discovery_document_of_another_issuer_or_without_an_address_finds_nothing(
    place: Place, discovery: dict[str, Any]
) -> None:
    place.issuer.discovery = discovery
    assert await place.knows() is None
    assert place.issuer.fetches == 0


async def test_outside_development_keys_are_fetched_over_tls_only() -> None:
    async with serving() as issuer, trusting(issuer.trusted(), https_only=True) as issuers:
        assert await Place(issuer, issuers).knows() is None
        assert issuer.asked == []


async def test_a_server_that_cannot_have_the_keys_starts_says_so_once_and_answers_503_at_the_door(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.issuer.answer = (500, {}, b"")
    place.issuers.start(NOW)
    await place.settled()
    assert [record.levelno for record in caplog.records if record.name == "sparekey.issuers"] == [logging.WARNING]
    async with door(signed_in=False, open_context=open_context, issuers=place.issuers) as caller:
        response = await caller.ask(ASK, headers=bearer(place.issuer.token()))
    assert (response.status_code, codes(response), response.headers["retry-after"]) == (503, ["BUSY"], "30")
    async with served(World(), open_context=open_context, issuers=place.issuers) as port:
        assert await refusal(port, {"authorization": f"Bearer {place.issuer.token()}"}) == 1013
    assert place.issuer.fetches == 1


async def test_a_request_that_goes_away_leaves_the_fetch_to_the_next(place: Place) -> None:
    place.issuer.pause = 0.05
    impatient = asyncio.create_task(place.knows())
    await asyncio.sleep(0.02)
    impatient.cancel()
    await asyncio.wait({impatient})
    assert await place.knows()
    assert place.issuer.fetches == 1


async def test_two_keys_of_one_name_are_told_apart_by_their_kind_or_not_taken(place: Place) -> None:
    place.issuer.keys = [{**jwk(alg), "alg": None} for alg in ("ES256", "RS256")]
    assert await place.knows()
    assert await place.knows(alg="RS256")
    place.issuer.keys = [jwk("ES256"), jwk("ES256", place="new")]
    assert not await place.knows(after(600))


async def test_a_key_without_an_algorithm_works_with_those_of_its_kind_and_one_with_it_with_that(
    place: Place,
) -> None:
    free = {name: value for name, value in jwk("RS256").items() if name not in ("alg", "use")}
    place.issuer.keys = [free, jwk("RS256", "pinned")]
    assert [await place.knows(alg=alg) for alg in ("RS256", "PS512", "ES256")] == [True, True, False]
    pinned = {"kid": "pinned"}
    assert [await place.knows(alg=alg, header=pinned) for alg in ("RS256", "PS256")] == [True, False]


async def test_no_more_verified_tokens_are_remembered_than_the_limit_and_no_wrong_ones(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = limits.read({"SPAREKEY_LIMIT_ISSUER_TOKENS_REMEMBERED": "2"})
    monkeypatch.setattr(limits, "LIMITS", few)
    for each in range(4):
        assert await place.issuers.claims(place.issuer.token(sub=str(each)), NOW) is not None
    kept = list(place.issuers._verified)
    assert len(kept) == 2
    assert await place.issuers.claims(place.issuer.token()[:-4] + "AAAA", NOW) is None
    assert list(place.issuers._verified) == kept
