"""How many wrong codes are borne, by whom. Nobody needs a token to guess: the letters here name none."""

from __future__ import annotations

from typing import Any

import pytest

from operations import stretching
from tests.stored import as_owner, events, rows
from tests.town import START, Agency, Client, House, Town, build, wrong

GUESS = ("BCDF", "123456789018")  # the check digit is right
DAY = 86_400


async def guess(client: Client, house: House, times: int = 1) -> Any:
    """The last of so many wrong attempts: its code, or the seconds to wait."""
    for _ in range(times):
        answer = await client.preview(house, *GUESS)
    return answer.get("retryAfterSeconds", answer["problem"])


async def managers(town: Town, house: House, number: int) -> list[Client]:
    """People of one practice, each at an address of their own."""
    found = []
    for n in range(number):
        email = f"manager{n}@{house.id}.example"
        await town.staff(house, email, "manager")
        found.append(await town.person(email, address=f"192.0.2.{n}"))
    return found


async def counted(scope: str, column: str, value: int) -> None:
    """As if so many attempts had been made by everybody."""
    await rows(f"UPDATE attempt_budgets SET {column} = $2 WHERE scope = $1", scope, value)


# --- the calling user: 10 an hour, 30 a day, then locked for 24 hours


async def test_after_ten_wrong_codes_in_an_hour_a_user_waits_a_day_with_the_right_one_too(
    town: Town, elm_street: House, acme: Agency
) -> None:
    owner = elm_street.owner
    assert await guess(owner, elm_street, 10) == "TOKEN_REJECTED"
    assert await guess(owner, elm_street) == DAY
    letters, code = await acme.issue(ttlMinutes=60)
    for attempt in (owner.preview(elm_street, letters, code), owner.connect(elm_street, letters, code, acme)):
        assert (await attempt)["retryAfterSeconds"] == DAY
    misheard = await owner.preview(elm_street, letters, "123456789012")
    assert misheard["retryAfterSeconds"] == DAY
    assert (await rows("SELECT attempts FROM connect_tokens"))[0]["attempts"] == 0
    town.clock.advance(days=1, seconds=-1)
    again = await town.person(owner.email)
    assert await guess(again, elm_street) == 1
    town.clock.advance(seconds=1)
    token = await acme_again(town, acme)
    assert (await again.connect(elm_street, *token, acme))["__typename"] == "ConnectAgentSuccess"


async def acme_again(town: Town, acme: Agency) -> tuple[str, str]:
    """A token a day later, when the admin has signed in again."""
    return await Agency(acme.id, await town.person(acme.admin.email)).issue()


async def test_an_hour_begins_with_its_first_wrong_code(town: Town, elm_street: House) -> None:
    await guess(elm_street.owner, elm_street)
    town.clock.advance(minutes=59, seconds=59)
    owner = await town.person(elm_street.owner.email)
    await guess(owner, elm_street, 9)
    town.clock.advance(seconds=1)
    assert await guess(owner, elm_street, 10) == "TOKEN_REJECTED"
    assert await guess(owner, elm_street) == DAY


async def test_after_thirty_wrong_codes_in_a_day_a_user_waits_a_day(town: Town, elm_street: House) -> None:
    for _ in range(3):
        owner = await town.person(elm_street.owner.email)
        assert await guess(owner, elm_street, 10) == "TOKEN_REJECTED"
        town.clock.advance(minutes=61)
    assert await guess(await town.person(elm_street.owner.email), elm_street) == DAY


async def test_a_locked_user_costs_neither_the_practice_nor_the_address_anything(
    town: Town, elm_street: House, acme: Agency
) -> None:
    (manager,) = await managers(town, elm_street, 1)
    await guess(elm_street.owner, elm_street, 11)
    before = await rows("SELECT scope, short_count FROM attempt_budgets WHERE scope <> 'code_user' ORDER BY scope")
    assert await guess(elm_street.owner, elm_street, 30) == DAY
    after = await rows("SELECT scope, short_count FROM attempt_budgets WHERE scope <> 'code_user' ORDER BY scope")
    assert after == before
    assert (await manager.connect(elm_street, *await acme.issue(), acme))["__typename"] == "ConnectAgentSuccess"


async def test_a_user_is_locked_in_every_practice(town: Town, elm_street: House) -> None:
    harbour = await town.practice("Harbour Counselling")
    await town.staff(harbour, elm_street.owner.email, "manager")
    await guess(elm_street.owner, elm_street, 5)
    await guess(elm_street.owner, harbour, 5)
    assert await guess(elm_street.owner, harbour) == DAY


# --- the practice: 20 an hour, 50 a day, then paused for an hour, and its owner's audit told


async def test_after_twenty_wrong_codes_in_an_hour_a_practice_pauses_and_its_owner_is_told_once(
    town: Town, elm_street: House, acme: Agency
) -> None:
    ann, bob, cleo = await managers(town, elm_street, 3)
    for person, times in ((ann, 7), (bob, 7), (cleo, 6)):
        assert await guess(person, elm_street, times) == "TOKEN_REJECTED"
    assert await events("practice.codes_paused") == []
    assert await guess(cleo, elm_street) == 3600
    for person in (ann, bob, cleo, elm_street.owner):
        assert await guess(person, elm_street) == 3600
    (event,) = await events("practice.codes_paused")
    assert (str(event["practice_id"]), event["party"], event["actor"]) == (elm_street.id, "platform", "Sparekey")
    assert event["actor_user_id"] is None
    harbour = await town.practice("Harbour Counselling")
    assert await town.engage(harbour, acme)
    town.clock.advance(hours=1)
    owner = await town.person(elm_street.owner.email)
    assert (await owner.connect(elm_street, *await acme_again(town, acme), acme))["__typename"] == "ConnectAgentSuccess"


async def test_trying_on_in_a_paused_practice_locks_nobody(town: Town, elm_street: House) -> None:
    await guess(elm_street.owner, elm_street)
    await counted("code_practice", "short_count", 20)
    assert await guess(elm_street.owner, elm_street, 30) == 3600
    assert await rows("SELECT FROM attempt_budgets WHERE blocked_until > $1 AND scope <> 'code_practice'", START) == []


async def test_each_pause_of_a_practice_is_told_by_itself(town: Town, elm_street: House) -> None:
    for pauses in (1, 2):
        owner = await town.person(elm_street.owner.email)
        await guess(owner, elm_street)
        await counted("code_practice", "short_count", 20)
        assert await guess(owner, elm_street) == 3600
        assert len(await events("practice.codes_paused")) == pauses
        town.clock.advance(hours=1)


async def test_after_fifty_wrong_codes_in_a_day_a_practice_pauses(town: Town, elm_street: House) -> None:
    await guess(elm_street.owner, elm_street)
    await counted("code_practice", "long_count", 49)
    assert await guess(elm_street.owner, elm_street) == "TOKEN_REJECTED"
    assert await guess(elm_street.owner, elm_street) == 3600


# --- the address: 20 in ten minutes, then refused, doubling to an hour


async def crowd(town: Town, *addresses: str) -> list[tuple[Client, House]]:
    """Owners of as many practices, each at the given address."""
    found = []
    for n, address in enumerate(addresses):
        house = await town.practice(f"House{n} Therapy")
        found.append((await town.person(house.owner.email, address=address), house))
    return found


async def test_after_twenty_wrong_codes_in_ten_minutes_an_address_is_refused_whoever_sits_there(town: Town) -> None:
    people = await crowd(town, *["192.0.2.1"] * 3, "192.0.2.2")
    for (person, house), times in zip(people, (7, 7, 6), strict=False):
        assert await guess(person, house, times) == "TOKEN_REJECTED"
    for person, house in people[:3]:
        assert await guess(person, house) == 600
    assert await guess(*people[3]) == "TOKEN_REJECTED"


async def test_an_address_that_goes_on_is_refused_for_twice_as_long_each_time_to_an_hour(town: Town) -> None:
    ((_, house),) = await crowd(town, "192.0.2.1")
    for seconds in (600, 1200, 2400, 3600, 3600):
        person = await town.person(house.owner.email, address="192.0.2.1")
        await rows("DELETE FROM attempt_budgets WHERE scope <> 'code_address'")
        assert await guess(person, house) == "TOKEN_REJECTED"
        await counted("code_address", "short_count", 20)
        assert await guess(person, house) == seconds
        town.clock.advance(seconds=seconds)
    town.clock.advance(days=1)
    person = await town.person(house.owner.email, address="192.0.2.1")
    assert await guess(person, house) == "TOKEN_REJECTED"
    await counted("code_address", "short_count", 20)
    assert await guess(person, house) == 600


async def test_an_address_that_never_stops_for_months_is_still_refused_and_not_a_fault(town: Town) -> None:
    ((person, house),) = await crowd(town, "192.0.2.1")
    await guess(person, house)
    await rows("UPDATE attempt_budgets SET blocks = 100000, short_count = 20 WHERE scope = 'code_address'")
    assert await guess(person, house) == 3600


async def test_one_ipv6_network_is_one_address_however_many_it_has(town: Town) -> None:
    people = await crowd(town, "2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:2::1")
    await guess(*people[0])
    await counted("code_address", "short_count", 20)
    assert await guess(*people[1]) == 600
    assert await guess(*people[2]) == "TOKEN_REJECTED"


async def test_ipv4_addresses_written_as_ipv6_are_not_one_network(town: Town) -> None:
    people = await crowd(town, "::ffff:192.0.2.1", "::ffff:192.0.2.2", "192.0.2.1")
    await guess(*people[0])
    await counted("code_address", "short_count", 20)
    assert await guess(*people[1]) == "TOKEN_REJECTED"
    assert await guess(*people[2]) == 600


# --- the service: 1,000 an hour, then only users with an earlier success


async def test_after_a_thousand_wrong_codes_only_those_who_connected_somebody_before_go_on(
    town: Town, elm_street: House, acme: Agency
) -> None:
    harbour = await town.practice("Harbour Counselling")
    await town.engage(elm_street, acme)
    await guess(harbour.owner, harbour)
    await counted("code_service", "short_count", 1000)
    letters, code = await acme.issue(ttlMinutes=60)
    assert (await harbour.owner.preview(harbour, letters, code))["retryAfterSeconds"] == 3600
    assert (await elm_street.owner.preview(elm_street, letters, code))["__typename"] == "PreviewTokenSuccess"
    assert await guess(elm_street.owner, elm_street) == "TOKEN_REJECTED"
    assert (await harbour.owner.preview(harbour, letters, code))["retryAfterSeconds"] == 3600
    assert await events("practice.codes_paused") == []
    town.clock.advance(hours=1)
    stranger = await town.person(harbour.owner.email)
    token = await acme_again(town, acme)
    assert (await stranger.preview(harbour, *token))["__typename"] == "PreviewTokenSuccess"


# --- what resets a count, and what does not


async def test_new_tokens_and_a_new_server_reset_no_count(town: Town, elm_street: House, acme: Agency) -> None:
    for by in range(1, 11):
        letters, code = await acme.issue(externalRef="client 7")
        assert (await elm_street.owner.preview(elm_street, letters, wrong(code, by)))["problem"] == "TOKEN_REJECTED"
    restarted = build(town.clock)
    owner = await restarted.person(elm_street.owner.email)
    assert await guess(owner, elm_street) == DAY
    await owner.http.aclose()
    await restarted.remembered.close()


async def test_a_success_forgives_who_made_it_but_the_service_only_its_own_attempt(
    town: Town, elm_street: House, acme: Agency
) -> None:
    await guess(elm_street.owner, elm_street, 9)
    assert (await elm_street.owner.preview(elm_street, *await acme.issue()))["__typename"] == "PreviewTokenSuccess"
    left = await rows("SELECT scope, short_count FROM attempt_budgets WHERE scope LIKE 'code%'")
    assert left == [{"scope": "code_service", "short_count": 9}]
    assert await guess(elm_street.owner, elm_street, 10) == "TOKEN_REJECTED"


async def test_a_success_forgives_nobody_else(town: Town, elm_street: House, acme: Agency) -> None:
    ann, bob = await managers(town, elm_street, 2)
    await guess(ann, elm_street, 10)
    assert (await bob.preview(elm_street, *await acme.issue()))["__typename"] == "PreviewTokenSuccess"
    assert await guess(ann, elm_street) == DAY


async def test_when_the_counts_cannot_be_read_nothing_is_verified(
    town: Town, elm_street: House, acme: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters, code = await acme.issue()
    typed = {"practiceId": elm_street.id, "letters": letters, "code": code}
    verified: list[object] = []
    monkeypatch.setattr(stretching, "code_matches", lambda *given: verified.append(given))
    await as_owner("ALTER TABLE attempt_budgets RENAME TO elsewhere")
    try:
        document = "mutation ($input: PreviewTokenInput!) { previewToken(input: $input) { __typename } }"
        assert (await elm_street.owner.refusal(document, input=typed))["extensions"]["code"] == "INTERNAL"
    finally:
        await as_owner("ALTER TABLE elsewhere RENAME TO attempt_budgets")
    assert verified == []
    assert (await rows("SELECT attempts FROM connect_tokens"))[0]["attempts"] == 0
