"""Authenticator apps and recovery codes: enrolling, signing in with them, and what does not work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from models import Factor, Session
from models.asyncpg_client import AsyncpgClient
from models.unit_of_work import unit_of_work
from operations import totp
from operations.recovery import use_recovery_code
from tests.factors import MINE, RENEW, begin, confirm, enrolled, remove, with_password
from tests.statements import noted
from tests.stored import events, rows
from tests.town import Town


async def proven(town: Town, user_id: str) -> None:
    """As if the session had been begun with a second factor, without the slow hash."""
    await Session.filter(user_id=user_id).update(second_factor=True, reauthenticated_at=town.clock.now)


async def test_a_secret_counts_for_nothing_until_a_code_of_it_was_entered(town: Town) -> None:
    ann = await with_password(town)
    begun = await begin(ann.client)
    uri = urlsplit(begun["otpauthUri"])
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/Sparekey:ann%40elm.example")
    assert parse_qs(uri.query) == {"secret": [begun["secret"]], "issuer": ["Sparekey"]}
    assert (await ann.client.ask(MINE))["factors"] == []
    assert (await ann.sign_in())["__typename"] == "SignInSuccess"
    ann.secret = begun["secret"]
    wrong = f"{(int(ann.code()) + 1) % 1_000_000:06d}"
    assert (await confirm(ann.client, begun["factorId"], wrong))["field"] == "code"
    added = await confirm(ann.client, begun["factorId"], f" {ann.code()[:3]} {ann.code()[3:]} ")
    assert (added["factor"]["kind"], added["factor"]["label"]) == ("TOTP", "Ann's phone")
    assert len(set(added["recoveryCodes"])) == 10
    mine = await ann.client.ask(MINE)
    assert ([each["id"] for each in mine["factors"]], mine["recoveryCodesLeft"]) == ([begun["factorId"]], 10)
    assert [e["type"] for e in await events() if "factor" in e["type"]] == ["factor.begun", "factor.added"]


async def test_the_secret_is_stored_encrypted_for_its_own_row_and_pepper(town: Town) -> None:
    ann, bob = await enrolled(town, password=False), await enrolled(town, "bob@elm.example", password=False)
    mine, other = await Factor.get(id=ann.factor_id), await Factor.get(id=bob.factor_id)
    assert ann.secret.encode() not in (mine.secret or b"")
    assert totp.unseal(mine.id, mine.secret or b"") == ann.secret
    assert totp.unseal(mine.id, other.secret or b"") == "", "a row's secret moved to another row gives no codes"
    assert totp.unseal(mine.id, (mine.secret or b"")[:-1] + b"x") == ""
    assert totp.unseal(mine.id, b"") == ""
    assert totp.seal(mine.id, ann.secret) != totp.seal(mine.id, ann.secret)


async def test_signing_in_asks_for_the_factor_only_after_the_right_password(town: Town) -> None:
    ann = await enrolled(town)
    town.clock.advance(seconds=30)
    missing = await ann.sign_in()
    assert (missing["problem"], missing["secondFactorRequired"]) == ("SIGN_IN_FAILED", True)
    assert (await ann.sign_in(" "))["secondFactorRequired"] is True
    for second_factor in (None, ann.code()):
        refused = await ann.sign_in(second_factor, password="wrong horse")
        assert (refused["problem"], refused["secondFactorRequired"]) == ("SIGN_IN_FAILED", False)
    wrong = await ann.sign_in("12345678")
    assert (wrong["problem"], wrong["secondFactorRequired"]) == ("SIGN_IN_FAILED", True)
    accepted = await ann.sign_in(ann.code())
    assert accepted["viewer"]["session"]["secondFactor"] is True
    assert (await events("user.signed_in"))[-1]["after"]["second_factor"] == "totp"


async def test_somebody_without_a_factor_is_not_asked_and_has_none_whatever_they_type(town: Town) -> None:
    ann = await with_password(town)
    assert (await ann.sign_in("123456"))["viewer"]["session"]["secondFactor"] is False


async def test_signing_in_without_a_factor_costs_no_statement_more(town: Town, database: AsyncpgClient) -> None:
    ann = await with_password(town)
    await ann.sign_in()
    async with noted(database) as seen:
        await ann.sign_in()
    about = [statement for statement in seen if "factors" in statement or "recovery_codes" in statement]
    assert len(about) == 1, about
    assert "password_hash" in about[0], "it is the statement that finds the account"


async def test_the_session_of_a_sign_in_is_known_by_its_factor(town: Town) -> None:
    ann = await enrolled(town)
    assert (await ann.client.ask(MINE))["session"]["secondFactor"] is False
    assert (await ann.client.do("reauthenticate", "", password="correct horse"))["problem"] == "SIGN_IN_FAILED"
    assert (await ann.prove())["viewer"]["session"]["secondFactor"] is True
    assert (await ann.client.ask(MINE))["session"]["secondFactor"] is True


@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_the_code_of_one_step_before_or_after_is_right(town: Town, steps: int, accepted: bool) -> None:
    ann = await enrolled(town)
    town.clock.advance(seconds=300)
    answer = await ann.sign_in(ann.code(steps))
    assert (answer["__typename"] == "SignInSuccess") is accepted


async def test_no_code_works_twice_nor_one_older_than_the_last(town: Town) -> None:
    ann = await enrolled(town)
    assert (await ann.sign_in(ann.code()))["problem"] == "SIGN_IN_FAILED", "it confirmed the app"
    town.clock.advance(seconds=300)
    older, now, code = ann.code(-1), ann.code(), ann.code(1)
    assert (await ann.sign_in(code))["__typename"] == "SignInSuccess"
    for used in (code, now, older):
        assert (await ann.sign_in(used))["problem"] == "SIGN_IN_FAILED"


async def test_of_sixteen_uses_of_a_code_at_once_one_works(town: Town, database: AsyncpgClient) -> None:
    ann = await enrolled(town, password=False)
    town.clock.advance(seconds=30)
    code, user_id, now = ann.code(), UUID(ann.client.user_id), town.clock.now
    uses = (unit_of_work(lambda c: totp.use_totp(c, user_id, code, now)) for _ in range(16))
    assert sorted(await asyncio.gather(*uses)) == [False] * 15 + [True]


async def test_a_recovery_code_works_once_however_it_is_typed(town: Town) -> None:
    ann = await enrolled(town)
    code = ann.recovery_codes[3]
    assert (await ann.sign_in(f" {code.upper().replace('-', ' ')}"))["__typename"] == "SignInSuccess"
    assert (await events("user.signed_in"))[-1]["after"]["second_factor"] == "recovery_code"
    assert (await ann.sign_in(code))["problem"] == "SIGN_IN_FAILED"
    assert (await ann.client.ask(MINE))["recoveryCodesLeft"] == 9


async def test_of_sixteen_uses_of_a_recovery_code_at_once_one_works(town: Town, database: AsyncpgClient) -> None:
    ann = await enrolled(town, password=False)
    code, user_id, now = ann.recovery_codes[0], UUID(ann.client.user_id), town.clock.now
    uses = (unit_of_work(lambda c: use_recovery_code(c, user_id, code, now)) for _ in range(16))
    assert sorted(await asyncio.gather(*uses)) == [False] * 15 + [True]


async def test_a_recovery_code_of_somebody_else_opens_nothing(town: Town) -> None:
    ann, bob = await enrolled(town), await enrolled(town, "bob@elm.example", password=False)
    town.clock.advance(seconds=30)
    assert (await ann.sign_in(bob.recovery_codes[0]))["problem"] == "SIGN_IN_FAILED"
    assert (await ann.sign_in(bob.code()))["problem"] == "SIGN_IN_FAILED"


async def test_new_recovery_codes_end_the_old_ones(town: Town) -> None:
    ann = await enrolled(town)
    assert (await ann.client.ask(RENEW))["problem"] == "STEP_UP_REQUIRED"
    await ann.prove(ann.recovery_codes[0])
    renewed = await ann.client.ask(RENEW)
    assert len(set(renewed["recoveryCodes"]) - set(ann.recovery_codes)) == 10
    assert (await ann.sign_in(ann.recovery_codes[1]))["problem"] == "SIGN_IN_FAILED"
    assert (await ann.sign_in(renewed["recoveryCodes"][0]))["__typename"] == "SignInSuccess"
    assert len(await events("recovery_codes.renewed")) == 1


async def test_without_a_factor_there_are_no_recovery_codes(town: Town) -> None:
    ann = await town.person("ann@elm.example")
    assert (await ann.ask(RENEW))["problem"] == "NOT_FOUND"
    assert await rows("SELECT FROM recovery_codes") == []


async def test_wrong_second_factors_have_a_budget_of_their_own(town: Town) -> None:
    ann = await enrolled(town)
    town.clock.advance(seconds=30)
    await ann.sign_in("000000x")
    await rows("UPDATE attempt_budgets SET short_count = 10 WHERE scope = 'factor_user' AND short_count = 1")
    refused = await ann.sign_in(ann.code(), address="192.0.2.7")
    assert (refused["problem"], refused["retryAfterSeconds"]) == ("RATE_LIMITED", 900)
    assert (await ann.sign_in(ann.recovery_codes[0]))["problem"] == "RATE_LIMITED"
    assert (await ann.sign_in(password="wrong horse"))["problem"] == "SIGN_IN_FAILED"
    town.clock.advance(seconds=900)
    assert (await ann.sign_in(ann.code()))["__typename"] == "SignInSuccess"
    assert await rows("SELECT FROM attempt_budgets WHERE scope IN ('factor_user', 'password_account')") == []


async def test_factors_change_only_soon_after_a_proof_and_with_a_factor_once_there_is_one(town: Town) -> None:
    bob = await town.person("bob@elm.example", signed_in_ago=601)
    assert (await begin(bob))["problem"] == "STEP_UP_REQUIRED"
    ann = await enrolled(town, password=False)
    spare = "01975f0e-0000-7000-8000-000000000001"
    asks: list[Callable[[], Awaitable[Any]]] = [
        lambda: begin(ann.client),
        lambda: confirm(ann.client, spare, "000000"),
        lambda: remove(ann.client, ann.factor_id),
        lambda: ann.client.ask(RENEW),
    ]
    assert [(await ask())["problem"] for ask in asks] == ["STEP_UP_REQUIRED"] * 4, "begun without the factor"
    await proven(town, ann.client.user_id)
    town.clock.advance(seconds=601)
    assert [(await ask())["problem"] for ask in asks] == ["STEP_UP_REQUIRED"] * 4, "with it, but too long ago"
    town.clock.advance(seconds=-1)
    assert (await begin(ann.client))["__typename"] == "BeginTotpSuccess"
    assert (await remove(ann.client, ann.factor_id))["__typename"] == "RemoveFactorSuccess"


async def test_removing_the_last_factor_deletes_the_recovery_codes(town: Town) -> None:
    ann = await enrolled(town, password=False)
    await proven(town, ann.client.user_id)
    begun = await begin(ann.client, "Tablet")
    first = ann.secret
    ann.secret = begun["secret"]
    second = await confirm(ann.client, begun["factorId"], ann.code())
    assert second["recoveryCodes"] == [], "there are some already"
    left = await remove(ann.client, ann.factor_id, idempotencyKey="a")
    assert left["viewer"] == {"factors": [{"id": begun["factorId"]}], "recoveryCodesLeft": 10}
    assert (await remove(ann.client, ann.factor_id, idempotencyKey="a")) == left
    assert (await remove(ann.client, ann.factor_id))["problem"] == "NOT_FOUND"
    assert (await remove(ann.client, begun["factorId"]))["viewer"] == {"factors": [], "recoveryCodesLeft": 0}
    assert await rows("SELECT FROM recovery_codes") == []
    assert [bytes(row["secret"]) for row in await rows("SELECT secret FROM factors")] == [b"", b""]
    assert [event["after"]["kind"] for event in await events("factor.removed")] == ["totp", "totp"]
    assert first != ann.secret


async def test_a_removed_app_signs_nobody_in(town: Town) -> None:
    ann = await enrolled(town)
    await ann.prove()
    await remove(ann.client, ann.factor_id)
    town.clock.advance(seconds=30)
    assert (await ann.sign_in())["viewer"]["session"]["secondFactor"] is False


async def test_somebody_elses_factor_is_not_found(town: Town) -> None:
    ann, bob = await enrolled(town, password=False), await enrolled(town, "bob@elm.example", password=False)
    await proven(town, ann.client.user_id)
    begun = await begin(await town.person("cleo@elm.example"))
    assert (await remove(ann.client, bob.factor_id))["problem"] == "NOT_FOUND"
    assert (await confirm(ann.client, begun["factorId"], "123456"))["problem"] == "NOT_FOUND"
    assert (await confirm(ann.client, ann.factor_id, "123456"))["problem"] == "NOT_FOUND", "it was confirmed before"


async def test_a_secret_that_was_not_confirmed_within_ten_minutes_is_over(town: Town) -> None:
    ann = await with_password(town)
    begun = await begin(ann.client)
    ann.secret = begun["secret"]
    town.clock.advance(seconds=600)
    assert (await confirm(ann.client, begun["factorId"], ann.code()))["problem"] == "NOT_FOUND"
    again = await begin(ann.client)
    assert [str(row["id"]) for row in await rows("SELECT id FROM factors")] == [again["factorId"]]


async def test_a_person_has_at_most_ten_factors(town: Town) -> None:
    ann = await enrolled(town, password=False)
    await proven(town, ann.client.user_id)
    kept = "user_id, kind, label, secret, added_at, confirmed_at"
    await rows(f"INSERT INTO factors (id, {kept}) SELECT gen_random_uuid(), {kept} FROM factors, generate_series(1, 9)")
    assert (await begin(ann.client))["limit"] == 10
