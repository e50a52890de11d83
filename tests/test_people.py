from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.stored import events, rows
from tests.town import Client, Town

PASSWORD = "correct horse"
SIGNED_IN = """
... on SignInSuccess { viewer { user { id email name } session { id startedAt expiresAt reauthenticatedAt } } }
... on SignInFailed { secondFactorRequired } ... on RateLimited { retryAfterSeconds } ... on InvalidInput { field }
"""


async def sign_up(client: Client, email: str = "ann@elm.example", password: str = PASSWORD, name: str = "Ann") -> Any:
    return await client.do("signUp", SIGNED_IN, email=email, password=password, name=name)


async def sign_in(client: Client, email: str = "ann@elm.example", password: str = PASSWORD) -> Any:
    return await client.do("signIn", SIGNED_IN, email=email, password=password)


async def is_signed_in(client: Client) -> bool:
    answer = await client.send("{ viewer { user { id } } }")
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


async def test_signing_up_signs_in(town: Town) -> None:
    ann = town.visitor()
    answer = await sign_up(ann, email=" Ann@Elm.example ")
    assert answer["viewer"]["user"]["email"] == "ann@elm.example"
    assert await is_signed_in(ann)
    assert [event["type"] for event in await events()] == ["user.signed_up"]


async def test_a_wrong_password_an_unknown_e_mail_and_a_disabled_account_get_the_same_answer(town: Town) -> None:
    await sign_up(town.visitor())
    await sign_up(town.visitor(), email="bob@elm.example")
    await rows("UPDATE users SET disabled_at = $1 WHERE email = 'bob@elm.example'", town.clock.now)
    stranger = town.visitor()
    answers = [
        await sign_in(stranger, password="wrong horse"),
        await sign_in(stranger, email="nobody@elm.example"),
        await sign_in(stranger, email="bob@elm.example"),
    ]
    assert answers[0]["problem"] == "SIGN_IN_FAILED"
    assert answers[1] == answers[0]
    assert answers[2] == answers[0]
    assert stranger.reference is None


@pytest.mark.parametrize(("length", "accepted"), [(7, False), (8, True), (256, True), (257, False)])
async def test_a_password_has_8_to_256_characters(town: Town, length: int, accepted: bool) -> None:
    answer = await sign_up(town.visitor(), password="é" * length)
    assert answer["__typename"] == ("SignInSuccess" if accepted else "InvalidInput")
    assert accepted or answer["field"] == "password"
    assert await rows("SELECT FROM attempt_budgets WHERE scope = 'password_account'") == []


async def test_a_password_with_more_after_its_end_is_another_password(town: Town) -> None:
    await sign_up(town.visitor(), password="x" * 256)
    assert (await sign_in(town.visitor(), password="x" * 257))["problem"] == "SIGN_IN_FAILED"
    assert (await sign_in(town.visitor(), password="x" * 256))["__typename"] == "SignInSuccess"


@pytest.mark.parametrize("email", ["", "\0@elm.example", "ann@elm.example\0", "a" * 10_000, "'; --", "\u202eann"])
async def test_an_e_mail_that_cannot_be_one_signs_nobody_in(town: Town, email: str) -> None:
    await sign_up(town.visitor())
    assert (await sign_in(town.visitor(), email=email))["problem"] == "SIGN_IN_FAILED"


async def test_an_e_mail_has_one_account_however_it_is_spelt(town: Town) -> None:
    await sign_up(town.visitor())
    stranger = town.visitor()
    assert (await sign_up(stranger, email="ANN@elm.example", password="my own words"))["problem"] == "SIGN_IN_FAILED"
    assert stranger.reference is None
    assert (await sign_in(stranger, password="my own words"))["problem"] == "SIGN_IN_FAILED"


async def test_of_two_sign_ups_at_once_with_one_e_mail_one_succeeds(town: Town) -> None:
    answers = await asyncio.gather(*(sign_up(town.visitor(), password=f"password {n}") for n in range(2)))
    assert sorted(answer["__typename"] for answer in answers) == ["SignInFailed", "SignInSuccess"]
    assert len(await rows("SELECT FROM users")) == 1


async def test_signing_out_ends_the_session_and_clears_the_cookie(town: Town) -> None:
    ann = town.visitor()
    await sign_up(ann)
    reference = ann.reference
    assert await ann.ask("mutation { signOut }") is True
    assert ann.reference is None
    ann.http.cookies.set("sparekey", str(reference))
    assert not await is_signed_in(ann)
    assert [event["type"] for event in await events()] == ["user.signed_up", "user.signed_out"]


@pytest.mark.parametrize("again", [sign_in, lambda ann: sign_up(ann, email="ann@harbour.example")])
async def test_signing_in_or_up_again_ends_the_browsers_earlier_session(town: Town, again: Any) -> None:
    ann, phone = town.visitor(), town.visitor()
    await sign_up(ann)
    await sign_in(phone)
    before = ann.reference
    await again(ann)
    assert ann.reference not in (None, before)
    old = town.visitor()
    old.http.cookies.set("sparekey", str(before))
    assert [await is_signed_in(client) for client in (ann, phone, old)] == [True, True, False]


async def test_a_session_ends_after_15_minutes_without_use(town: Town) -> None:
    ann = town.visitor()
    await sign_up(ann)
    town.clock.advance(minutes=14, seconds=59)
    assert await is_signed_in(ann)
    town.clock.advance(minutes=15)
    assert not await is_signed_in(ann)
    assert ann.reference is None


async def test_a_session_in_use_ends_after_12_hours(town: Town) -> None:
    ann = town.visitor()
    await sign_up(ann)
    for _ in range(12 * 6 - 1):
        town.clock.advance(minutes=10)
        assert await is_signed_in(ann)
    town.clock.advance(minutes=10)
    assert not await is_signed_in(ann)


async def test_entering_the_password_again_renews_the_session_under_a_new_reference(town: Town) -> None:
    ann = town.visitor()
    await sign_up(ann)
    before = ann.reference
    town.clock.advance(minutes=11)
    answer = await ann.do("reauthenticate", SIGNED_IN, password=PASSWORD)
    assert answer["viewer"]["session"]["reauthenticatedAt"] == "2026-11-23T12:11:00Z"
    assert ann.reference not in (None, before)
    ann.http.cookies.clear()
    ann.http.cookies.set("sparekey", str(before))
    assert not await is_signed_in(ann)


async def test_a_wrong_password_entered_again_changes_nothing(town: Town) -> None:
    ann = town.visitor()
    await sign_up(ann)
    before = ann.reference
    assert (await ann.do("reauthenticate", SIGNED_IN, password="wrong horse"))["problem"] == "SIGN_IN_FAILED"
    assert ann.reference == before
    assert await is_signed_in(ann)


async def test_somebody_disabled_is_signed_out_at_once(town: Town) -> None:
    ann = await town.person("ann@elm.example")
    assert await is_signed_in(ann)
    await rows("UPDATE users SET disabled_at = $1 WHERE email = 'ann@elm.example'", town.clock.now)
    assert not await is_signed_in(ann)


async def test_after_ten_wrong_passwords_the_right_one_waits_five_minutes_whoever_tries(town: Town) -> None:
    await sign_up(town.visitor("198.51.100.1"))
    for email in ("ann@elm.example", "nobody@elm.example"):
        await sign_in(town.visitor(), email=email, password="wrong horse")
        await rows("UPDATE attempt_budgets SET short_count = 10 WHERE scope = 'password_account' AND short_count = 1")
        refused = await sign_in(town.visitor("192.0.2.7"), email=email)
        assert (refused["problem"], refused["retryAfterSeconds"]) == ("RATE_LIMITED", 300)
    town.clock.advance(minutes=5)
    assert (await sign_in(town.visitor()))["__typename"] == "SignInSuccess"


async def test_signing_in_to_ones_own_account_buys_no_guesses_at_others(town: Town) -> None:
    await sign_up(town.visitor())
    await sign_in(town.visitor(), email="nobody@elm.example")
    await sign_in(town.visitor())
    (left,) = await rows("SELECT short_count FROM attempt_budgets WHERE scope = 'password_address'")
    assert left["short_count"] == 1
