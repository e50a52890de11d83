"""One's own password and sessions: seeing them, ending them, and who can be kept out of them by whom."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from argon2 import PasswordHasher

import limits
from operations import stretching
from operations.blocklist import refuse_guessable
from tests.socket_door import codes, socket
from tests.sockets import behind_uvicorn
from tests.stored import events, rows
from tests.test_people import PASSWORD, is_signed_in, sign_in, sign_up
from tests.town import COOKIE, Client, Town

OTHER = "an altogether other one"
SESSIONS = "{ viewer { sessions { id current browser address lastSeenAt } session { id current address } } }"
END_OTHERS = """mutation { endOtherSessions {
    __typename ... on EndOtherSessionsSuccess { ended } ... on Problem { problem: code message } } }"""
CHANGED = "... on ChangePasswordSuccess { viewer { user { email } } } ... on InvalidInput { field }"


async def change_password(client: Client, password: str = PASSWORD, new: str = OTHER) -> Any:
    return await client.do("changePassword", CHANGED, password=password, newPassword=new)


async def two_browsers(town: Town) -> tuple[Client, Client]:
    ann, phone = town.visitor("198.51.100.1"), town.visitor("2001:db8::1")
    phone.http.headers["user-agent"] = "Phone/1.0 (\x07" + "x" * 300
    await sign_up(ann)
    await sign_in(phone)
    return ann, phone


# Sessions.


async def test_a_person_sees_their_sessions_with_browser_and_network_the_latest_first(town: Town) -> None:
    ann, _ = await two_browsers(town)
    mine = await ann.ask(SESSIONS)
    assert [each["current"] for each in mine["sessions"]] == [False, True]
    phone, own = mine["sessions"]
    assert phone["browser"] == ("Phone/1.0 (" + "x" * 300)[:200]
    assert (phone["address"], own["address"]) == ("2001:db8::/64", "198.51.100.1")
    assert own["lastSeenAt"] == "2026-11-23T12:00:00Z"
    assert {"id": own["id"], "current": True, "address": "198.51.100.1"} == mine["session"]


async def test_sessions_that_are_over_and_those_of_others_are_not_in_the_list(town: Town) -> None:
    ann, phone = await two_browsers(town)
    await sign_up(town.visitor(), email="bob@elm.example")
    await phone.ask("mutation { signOut }")
    assert len((await ann.ask(SESSIONS))["sessions"]) == 1
    await sign_in(phone)
    town.clock.advance(minutes=14)
    assert len((await ann.ask(SESSIONS))["sessions"]) == 2
    town.clock.advance(minutes=2)
    assert len((await ann.ask(SESSIONS))["sessions"]) == 1


async def test_another_session_of_ones_own_is_ended_and_only_that_one(town: Town) -> None:
    ann, phone = await two_browsers(town)
    desk = town.visitor()
    await sign_in(desk)
    (lost,) = [each["id"] for each in (await phone.ask(SESSIONS))["sessions"] if each["current"]]
    left = await ann.do("endSession", "... on EndSessionSuccess { viewer { sessions { id } } }", sessionId=lost)
    assert len(left["viewer"]["sessions"]) == 2
    assert [await is_signed_in(client) for client in (ann, phone, desk)] == [True, False, True]
    assert (await events("user.session_ended"))[0]["after"] == {"session": lost}
    assert (await ann.do("endSession", "", sessionId=lost))["__typename"] == "EndSessionSuccess"
    assert len(await events("user.session_ended")) == 1


async def test_the_session_in_use_and_somebody_elses_are_not_ended_this_way(town: Town) -> None:
    ann, _ = await two_browsers(town)
    bob = town.visitor()
    await sign_up(bob, email="bob@elm.example")
    bobs, anns = [(await who.ask(SESSIONS))["session"]["id"] for who in (bob, ann)]
    assert (await ann.do("endSession", "", sessionId=anns))["problem"] == "INVALID_INPUT"
    assert (await ann.do("endSession", "", sessionId=bobs))["problem"] == "NOT_FOUND"
    assert [await is_signed_in(client) for client in (ann, bob)] == [True, True]


async def test_all_other_sessions_end_at_once_and_nobody_elses(town: Town) -> None:
    ann, phone = await two_browsers(town)
    bob = town.visitor()
    await sign_up(bob, email="bob@elm.example")
    assert (await ann.ask(END_OTHERS))["ended"] == 1
    assert (await ann.ask(END_OTHERS))["ended"] == 0
    assert [await is_signed_in(client) for client in (ann, phone, bob)] == [True, False, True]
    assert len(await events("user.sessions_ended")) == 1


async def test_an_ended_session_answers_nothing_more_on_an_open_socket(town: Town) -> None:
    ann, phone = await two_browsers(town)
    async with behind_uvicorn(town.app) as port, socket(port, cookie=f"{COOKIE}={phone.reference}") as peer:
        await peer.subscribe("1", "{ viewer { user { email } } }")
        assert "errors" not in (await peer.hear_until("complete"))[0]["payload"]
        await ann.ask(END_OTHERS)
        await peer.subscribe("2", "{ viewer { user { email } } }")
        assert codes(await peer.hear()) == ["NOT_SIGNED_IN"]


# The password.


async def test_a_changed_password_ends_every_other_session_and_renews_this_one(town: Town) -> None:
    ann, phone = await two_browsers(town)
    before = ann.reference
    assert (await change_password(ann))["__typename"] == "ChangePasswordSuccess"
    assert ann.reference not in (None, before)
    old = town.visitor()
    old.http.cookies.set(COOKIE, str(before))
    assert [await is_signed_in(client) for client in (ann, phone, old)] == [True, False, False]
    assert (await sign_in(town.visitor()))["problem"] == "SIGN_IN_FAILED"
    assert (await sign_in(town.visitor(), password=OTHER))["__typename"] == "SignInSuccess"
    assert len(await events("user.password_changed")) == 1


async def test_a_wrong_password_changes_nothing_and_is_counted_as_everywhere(town: Town) -> None:
    ann, phone = await two_browsers(town)
    assert (await change_password(ann, password="wrong horse"))["problem"] == "SIGN_IN_FAILED"
    (counted,) = await rows("SELECT short_count FROM attempt_budgets WHERE scope = 'password_network'")
    assert counted["short_count"] == 1
    assert [await is_signed_in(client) for client in (ann, phone)] == [True, True]
    assert (await sign_in(town.visitor()))["__typename"] == "SignInSuccess"


async def test_a_new_password_is_looked_at_before_the_old_one_is_counted(town: Town) -> None:
    ann, _ = await two_browsers(town)
    for new in ("short", "x" * 257, "iloveyou", "ann-elm-example"):
        assert (await change_password(ann, password="wrong horse", new=new))["field"] == "newPassword"
    assert await rows("SELECT FROM attempt_budgets WHERE scope = 'password_network'") == []


@pytest.mark.usefixtures("slow_hashes")
async def test_no_session_begins_with_a_password_that_is_changed_meanwhile(town: Town) -> None:
    """Whichever is first: a sign-in that was proved with the old password fails, or its session ends."""
    ann, _ = await two_browsers(town)
    intruders = [town.visitor(f"192.0.2.{n}") for n in range(4)]
    await asyncio.gather(change_password(ann), *(sign_in(each) for each in intruders))
    assert [await is_signed_in(client) for client in (ann, *intruders)] == [True, *[False] * 4]


@pytest.mark.parametrize(
    "password",
    [
        "iloveyou",
        "ILoveYou",
        "password1",
        "baseball",
        "Ann Example",
        "ann@elm.example1",
        "Sparekey",
        "sparekey-2026",
        "elm.example!",
    ],
)
async def test_the_first_that_are_guessed_are_no_passwords(town: Town, password: str) -> None:
    refused = await sign_up(town.visitor(), password=password, name="Ann Example")
    assert (refused["__typename"], refused["field"]) == ("InvalidInput", "password")
    assert await rows("SELECT FROM users") == []


@pytest.mark.parametrize(
    "password", ["my example of elms", "sparekey opens it", "!!!!!!!!", "1029384756102", "correct horse"]
)
async def test_what_only_holds_such_words_is_a_password(password: str) -> None:
    await refuse_guessable("password", password, ("Ann Example", "ann@elm.example"))


async def test_a_password_is_the_same_however_a_keyboard_writes_its_accents(town: Town) -> None:
    await sign_up(town.visitor(), password="ne\u0301cessaire \ufb01n")
    assert (await sign_in(town.visitor(), password="n\u00e9cessaire fin"))["__typename"] == "SignInSuccess"


@pytest.mark.usefixtures("slow_hashes")
async def test_a_hash_with_other_parameters_is_made_anew_at_the_next_sign_in(town: Town) -> None:
    await sign_up(town.visitor())
    (user,) = await rows("SELECT password_hash FROM users")
    assert user["password_hash"].startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    await rows("UPDATE users SET password_hash = $1", weak)
    assert (await sign_in(town.visitor(), password="wrong horse"))["problem"] == "SIGN_IN_FAILED"
    (user,) = await rows("SELECT password_hash FROM users")
    assert user["password_hash"] == weak
    for _ in range(2):
        assert (await sign_in(town.visitor()))["__typename"] == "SignInSuccess"
        (again,) = await rows("SELECT password_hash FROM users")
        assert again["password_hash"] != weak
        assert not stretching._PASSWORDS.check_needs_rehash(again["password_hash"])
    (user,) = await rows("SELECT password_hash FROM users")
    assert user == again


# Who keeps whom out.


async def test_guessing_from_elsewhere_locks_nobody_out_of_where_they_sign_in(town: Town) -> None:
    await sign_up(town.visitor("198.51.100.1"))
    await sign_in(town.visitor("192.0.2.7"), password="wrong horse")
    await rows("UPDATE attempt_budgets SET short_count = 10 WHERE scope = 'password_account'")
    for stranger in ("192.0.2.7", "203.0.113.9"):
        assert (await sign_in(town.visitor(stranger)))["problem"] == "RATE_LIMITED"
    assert (await sign_in(town.visitor("198.51.100.1")))["__typename"] == "SignInSuccess"
    assert (await sign_in(town.visitor("192.0.2.7")))["problem"] == "RATE_LIMITED", "nothing is forgiven elsewhere"


async def test_whoever_sits_in_a_known_network_guesses_no_more_than_others(town: Town) -> None:
    await sign_up(town.visitor())
    await sign_in(town.visitor(), password="wrong horse")
    await rows("UPDATE attempt_budgets SET short_count = 10 WHERE scope = 'password_network'")
    assert (await sign_in(town.visitor()))["problem"] == "RATE_LIMITED"


async def test_a_network_is_known_for_ninety_days_and_to_one_account(town: Town) -> None:
    await sign_up(town.visitor())
    await sign_up(town.visitor("192.0.2.7"), email="bob@elm.example")
    town.clock.advance(seconds=limits.of("known_network_seconds") - 1)
    await sign_in(town.visitor("192.0.2.7"), password="wrong horse")
    scopes = "SELECT scope FROM attempt_budgets WHERE scope IN ('password_network', 'password_account') ORDER BY 1"
    assert [row["scope"] for row in await rows(scopes)] == ["password_account"]
    await sign_in(town.visitor(), password="wrong horse")
    assert [row["scope"] for row in await rows(scopes)] == ["password_account", "password_network"]
    await rows("DELETE FROM attempt_budgets")
    town.clock.advance(seconds=1)
    await sign_in(town.visitor(), password="wrong horse")
    assert [row["scope"] for row in await rows(scopes)] == ["password_account"]


async def test_signing_up_with_a_taken_e_mail_says_what_a_wrong_password_says(town: Town) -> None:
    await sign_up(town.visitor())
    taken = await sign_up(town.visitor(), password="not my own words")
    assert taken == await sign_in(town.visitor(), password="not my own words")
    assert await rows("SELECT FROM attempt_budgets WHERE scope = 'password_account'") == []


async def test_one_network_asks_for_a_hundred_accounts_in_an_hour_whether_it_gets_them_or_not(town: Town) -> None:
    await sign_up(town.visitor())
    assert (await sign_up(town.visitor()))["problem"] == "SIGN_IN_FAILED"
    (counted,) = await rows("SELECT short_count FROM attempt_budgets WHERE scope = 'sign_up_address'")
    assert counted["short_count"] == 2
    await rows("UPDATE attempt_budgets SET short_count = 100 WHERE scope = 'sign_up_address'")
    for email in ("ann@elm.example", "new@elm.example"):
        assert (await sign_up(town.visitor(), email=email))["problem"] == "RATE_LIMITED"
    assert (await sign_up(town.visitor("192.0.2.7"), email="new@elm.example"))["__typename"] == "SignInSuccess"
