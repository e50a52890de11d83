"""Passkeys: adding one, signing in with it, and every answer that must not do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from models import Factor, PasskeyChallenge, Session, User
from resolvers.context import Context
from tests.authenticator import Authenticator
from tests.factors import ADDED, MINE, SIGNED_IN, asked, begin, enrolled, remove, renewing
from tests.stored import events, rows
from tests.town import Client, Town, build


async def finish(client: Client, begun: Any, credential: Any, label: str = "Laptop") -> Any:
    return await client.do("finishPasskey", ADDED, challengeId=begun["challengeId"], credential=credential, label=label)


async def add(client: Client, device: Authenticator | None = None) -> Authenticator:
    device = device or Authenticator()
    begun = await asked(client, "beginPasskey")
    added = await finish(client, begun, device.create(begun["options"]))
    assert added["__typename"] == "FactorSuccess", added
    return device


async def answer(client: Client, begun: Any, credential: Any, mutation: str = "signInWithPasskey") -> Any:
    return await client.do(mutation, SIGNED_IN, challengeId=begun["challengeId"], credential=credential)


async def sign_in(town: Town, device: Authenticator, **typed: Any) -> Any:
    browser = town.visitor()
    begun = await asked(browser, "beginPasskeySignIn")
    return await answer(browser, begun, device.get(begun["options"], **typed))


@pytest.fixture
async def ann(town: Town) -> Client:
    return await town.person("ann@elm.example")


async def test_a_passkey_is_added_and_opens_the_account_as_both_factors(town: Town, ann: Client) -> None:
    begun = await asked(ann, "beginPasskey")
    options = begun["options"]
    assert (options["rp"]["id"], options["attestation"]) == ("keys.example.org", "none")
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    device = Authenticator()
    added = await finish(ann, begun, device.create(options))
    assert (added["factor"]["kind"], added["factor"]["label"]) == ("PASSKEY", "Laptop")
    assert len(added["recoveryCodes"]) == 10
    assert [event["type"] for event in await events() if "factor" in event["type"]] == ["factor.added"]
    town.clock.advance(seconds=1)
    assert (await sign_in(town, device))["viewer"]["session"]["secondFactor"] is True
    assert (await events("user.signed_in"))[-1]["after"]["second_factor"] == "passkey"
    (mine,) = (await ann.ask(MINE))["factors"]
    assert mine["lastUsedAt"] == "2026-11-23T12:00:01Z"
    assert await PasskeyChallenge.all().count() == 0


async def test_nobody_is_named_when_a_stranger_begins(town: Town, ann: Client) -> None:
    await add(ann)
    options = (await asked(town.visitor(), "beginPasskeySignIn"))["options"]
    assert (options["rpId"], options["allowCredentials"], options["userVerification"]) == (
        "keys.example.org",
        [],
        "required",
    )


async def test_with_a_passkey_the_password_alone_is_not_enough_and_a_recovery_code_helps(town: Town) -> None:
    ann = await enrolled(town)
    await ann.prove()
    await add(ann.client)
    await remove(ann.client, ann.factor_id)
    assert (await ann.sign_in())["secondFactorRequired"] is True
    assert (await ann.sign_in(ann.recovery_codes[0]))["viewer"]["session"]["secondFactor"] is True


def other_origin(device: Authenticator) -> None:
    device.origin = "https://keys.example.org.evil.example"


def other_party(device: Authenticator) -> None:
    device.rp_id = "evil.example"


def no_verification(device: Authenticator) -> None:
    device.verifies = False


def stolen_credential(device: Authenticator) -> None:
    """It names the credential, and signs with a key of its own."""
    device.key = Authenticator().key


WRONG: list[Callable[[Authenticator], None]] = [other_origin, other_party, no_verification, stolen_credential]


@pytest.mark.parametrize("attack", WRONG)
async def test_a_wrong_answer_signs_nobody_in(town: Town, ann: Client, attack: Callable[..., None]) -> None:
    device = await add(ann)
    attack(device)
    refused = await sign_in(town, device)
    assert (refused["problem"], refused["secondFactorRequired"]) == ("SIGN_IN_FAILED", False)
    assert (await Factor.get(user_id=ann.user_id)).last_used_at is None


@pytest.mark.parametrize("attack", WRONG[:3])
async def test_a_wrong_answer_adds_no_passkey(town: Town, ann: Client, attack: Callable[..., None]) -> None:
    device = Authenticator()
    attack(device)
    begun = await asked(ann, "beginPasskey")
    refused = await finish(ann, begun, device.create(begun["options"]))
    assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "credential")
    assert (await finish(ann, begun, Authenticator().create(begun["options"])))["problem"] == "NOT_FOUND", "used up"
    assert await Factor.all().count() == 0


@pytest.mark.parametrize("part", ["signature", "authenticatorData", "clientDataJSON", "userHandle"])
async def test_a_tampered_answer_signs_nobody_in(town: Town, ann: Client, part: str) -> None:
    device = await add(ann)
    browser = town.visitor()
    begun = await asked(browser, "beginPasskeySignIn")
    credential = device.get(begun["options"])
    text = credential["response"][part]
    credential["response"][part] = text[:10] + ("A" if text[10] != "A" else "B") + text[11:]
    assert (await answer(browser, begun, credential))["problem"] == "SIGN_IN_FAILED"


async def test_an_answer_to_another_challenge_is_refused(town: Town, ann: Client) -> None:
    device = await add(ann)
    browser = town.visitor()
    first, second = [await asked(browser, "beginPasskeySignIn") for _ in range(2)]
    assert (await answer(browser, second, device.get(first["options"])))["problem"] == "SIGN_IN_FAILED"
    assert (await answer(browser, second, device.get(second["options"])))["problem"] == "SIGN_IN_FAILED", "used up"
    assert (await answer(browser, first, device.get(first["options"])))["__typename"] == "SignInSuccess"


async def test_an_answer_works_once(town: Town, ann: Client) -> None:
    device = await add(ann)
    begun = await asked(town.visitor(), "beginPasskeySignIn")
    credential = device.get(begun["options"])
    found = await asyncio.gather(*(answer(town.visitor(), begun, credential) for _ in range(8)))
    assert sorted(each["__typename"] for each in found) == ["SignInFailed"] * 7 + ["SignInSuccess"]
    assert (await answer(town.visitor(), begun, credential))["problem"] == "SIGN_IN_FAILED"


@pytest.mark.parametrize(("seconds", "accepted"), [(299, True), (300, False)])
async def test_a_challenge_lasts_five_minutes(town: Town, ann: Client, seconds: int, accepted: bool) -> None:
    device = await add(ann)
    begun = await asked(town.visitor(), "beginPasskeySignIn")
    town.clock.advance(seconds=seconds)
    found = await answer(town.visitor(), begun, device.get(begun["options"]))
    assert (found["__typename"] == "SignInSuccess") is accepted


@pytest.mark.parametrize(("seconds", "accepted"), [(299, True), (300, False)])
async def test_so_does_one_for_adding(town: Town, ann: Client, seconds: int, accepted: bool) -> None:
    begun = await asked(ann, "beginPasskey")
    town.clock.advance(seconds=seconds)
    found = await finish(ann, begun, Authenticator().create(begun["options"]))
    assert (found["__typename"] == "FactorSuccess") is accepted


async def test_a_challenge_is_for_one_purpose_and_one_person(town: Town, ann: Client) -> None:
    device = await add(ann)
    await Session.filter(user_id=ann.user_id).update(second_factor=True)
    bob = await town.person("bob@elm.example")
    stranger = await asked(town.visitor(), "beginPasskeySignIn")
    again = await asked(ann, "beginPasskeyReauthentication")
    adding = await asked(ann, "beginPasskey")
    create = {"user": {"id": "AAAA"}, "rp": {"id": "keys.example.org"}}
    for begun in (stranger, again):
        made = Authenticator().create(create | {"challenge": begun["options"]["challenge"]})
        assert (await finish(ann, begun, made))["problem"] == "NOT_FOUND"
    assert (await finish(bob, adding, Authenticator().create(adding["options"])))["problem"] == "NOT_FOUND"
    get = {"rpId": "keys.example.org", "challenge": adding["options"]["challenge"]}
    assert (await answer(ann, adding, device.get(get)))["problem"] == "SIGN_IN_FAILED"
    proof = "reauthenticateWithPasskey"
    assert (await answer(bob, again, device.get(again["options"]), proof))["problem"] == "SIGN_IN_FAILED"
    assert (await answer(ann, stranger, device.get(stranger["options"]), proof))["problem"] == "SIGN_IN_FAILED"
    assert (await answer(ann, again, device.get(again["options"])))["problem"] == "SIGN_IN_FAILED"
    assert (await finish(ann, adding, Authenticator().create(adding["options"])))["__typename"] == "FactorSuccess"


async def test_somebody_elses_passkey_proves_nothing(town: Town, ann: Client) -> None:
    """It may be right in every way: it is another person's."""
    await add(ann)
    bob = await town.person("bob@elm.example")
    device = await add(bob)
    begun = await asked(ann, "beginPasskeyReauthentication")
    refused = await answer(ann, begun, device.get(begun["options"]), "reauthenticateWithPasskey")
    assert refused["problem"] == "SIGN_IN_FAILED"
    device.handle = (await User.get(id=ann.user_id)).id.bytes
    assert (await sign_in(town, device))["problem"] == "SIGN_IN_FAILED", "it says that it is Ann's"


async def test_a_passkey_is_a_step_up_without_the_password(town: Town, ann: Client) -> None:
    device = await add(ann)
    town.clock.advance(seconds=601)
    assert (await begin(ann))["problem"] == "STEP_UP_REQUIRED"
    begun = await asked(ann, "beginPasskeyReauthentication")
    assert len(begun["options"]["allowCredentials"]) == 1
    before = ann.reference
    typed = {"challengeId": begun["challengeId"], "credential": device.get(begun["options"])}
    found = await renewing(ann, "reauthenticateWithPasskey", **typed)
    assert found["viewer"]["session"]["secondFactor"] is True
    assert ann.reference != before
    assert (await begin(ann))["__typename"] == "BeginTotpSuccess"


async def test_no_passkey_is_added_twice_nor_for_a_second_person(town: Town, ann: Client) -> None:
    device = await add(ann)
    await Session.filter(user_id=ann.user_id).update(second_factor=True)
    begun = await asked(ann, "beginPasskey")
    assert [each["id"] for each in begun["options"]["excludeCredentials"]] == [device.create(begun["options"])["id"]]
    for client in (ann, await town.person("bob@elm.example")):
        begun = await asked(client, "beginPasskey")
        refused = await finish(client, begun, device.create(begun["options"]))
        assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "credential")
    assert await Factor.all().count() == 1


async def test_a_removed_passkey_opens_nothing_and_may_be_added_again(town: Town, ann: Client) -> None:
    device = await add(ann)
    await Session.filter(user_id=ann.user_id).update(second_factor=True)
    (mine,) = (await ann.ask(MINE))["factors"]
    await remove(ann, mine["id"])
    assert (await sign_in(town, device))["problem"] == "SIGN_IN_FAILED"
    await add(ann, device)
    assert (await sign_in(town, device))["__typename"] == "SignInSuccess"


@pytest.mark.parametrize(("counts", "accepted"), [(1, True), (7, True), (0, False), (-2, False)])
async def test_a_counter_only_grows(town: Town, ann: Client, counts: int, accepted: bool) -> None:
    device = await add(ann)
    assert (await sign_in(town, device, counts=5))["__typename"] == "SignInSuccess"
    assert ((await sign_in(town, device, counts=counts))["__typename"] == "SignInSuccess") is accepted


async def test_of_two_answers_at_once_with_the_same_counter_one_works(town: Town, ann: Client) -> None:
    """A cloned authenticator. The counter is compared where it is written, too."""
    device = await add(ann)
    begun = [await asked(town.visitor(), "beginPasskeySignIn") for _ in range(8)]
    device.counter = 5
    credentials = [device.get(each["options"], counts=0) for each in begun]
    pairs = zip(begun, credentials, strict=True)
    found = await asyncio.gather(*(answer(town.visitor(), each, credential) for each, credential in pairs))
    assert sorted(each["__typename"] for each in found) == ["SignInFailed"] * 7 + ["SignInSuccess"]


async def test_an_authenticator_without_a_counter_works_again_and_again(town: Town, ann: Client) -> None:
    device = await add(ann)
    assert [(await sign_in(town, device, counts=0))["__typename"] for _ in range(2)] == ["SignInSuccess"] * 2


async def test_a_disabled_person_has_no_passkey(town: Town, ann: Client) -> None:
    device = await add(ann)
    await rows("UPDATE users SET disabled_at = $1", town.clock.now)
    assert (await sign_in(town, device))["problem"] == "SIGN_IN_FAILED"


async def test_adding_a_passkey_needs_a_proof_at_both_ends(town: Town, ann: Client) -> None:
    old = await town.person("bob@elm.example", signed_in_ago=400)
    begun = await asked(old, "beginPasskey")
    town.clock.advance(seconds=201)
    refused = await finish(old, begun, Authenticator().create(begun["options"]))
    assert refused["problem"] == "STEP_UP_REQUIRED"
    assert (await asked(old, "beginPasskey"))["problem"] == "STEP_UP_REQUIRED"
    await add(ann)
    assert (await asked(ann, "beginPasskey"))["problem"] == "STEP_UP_REQUIRED", "now it needs the factor, too"


async def test_one_network_has_at_most_fifty_challenges_open(town: Town) -> None:
    await asked(town.visitor("192.0.2.7"), "beginPasskeySignIn")
    kept = "address, purpose, challenge, made_at, expires_at"
    await rows(
        f"INSERT INTO passkey_challenges (id, {kept})"
        f" SELECT gen_random_uuid(), {kept} FROM passkey_challenges, generate_series(1, 49)"
    )
    refused = await asked(town.visitor("192.0.2.7"), "beginPasskeySignIn")
    assert (refused["problem"], refused["retryAfterSeconds"]) == ("RATE_LIMITED", 300)
    assert (await asked(town.visitor("192.0.2.8"), "beginPasskeySignIn"))["__typename"] == "BeginPasskeySuccess"
    town.clock.advance(seconds=300)
    assert (await asked(town.visitor("192.0.2.7"), "beginPasskeySignIn"))["__typename"] == "BeginPasskeySuccess"
    assert await PasskeyChallenge.all().count() == 1, "what is over is forgotten"


async def test_somebody_signed_in_has_one_challenge_open_for_each_purpose(town: Town, ann: Client) -> None:
    for _ in range(3):
        await asked(ann, "beginPasskey")
        await asked(ann, "beginPasskeyReauthentication")
    assert await PasskeyChallenge.all().count() == 2


ODD: list[Any] = ["", "{}", {}, [], 1, {"id": "a"}, {"id": 1, "rawId": 1}, {"rawId": "A" * 5_000}, {"rawId": "é"}]


@pytest.mark.parametrize("credential", ODD)
async def test_what_is_no_credential_is_refused(town: Town, ann: Client, credential: Any) -> None:
    begun = await asked(ann, "beginPasskey")
    assert (await finish(ann, begun, credential))["field"] == "credential"
    begun = await asked(ann, "beginPasskeySignIn")
    assert (await answer(ann, begun, credential))["problem"] == "SIGN_IN_FAILED"


async def test_without_an_address_of_the_site_passkeys_say_what_is_missing(town: Town, ann: Client) -> None:
    device = await add(ann)
    begun = await asked(town.visitor(), "beginPasskeySignIn")
    elsewhere = build(town.clock, forget_the_site, remembers=False)
    nowhere = elsewhere.visitor()
    for refused in (
        await asked(nowhere, "beginPasskeySignIn"),
        await answer(nowhere, begun, device.get(begun["options"])),
    ):
        assert (refused["problem"], "SPAREKEY_PUBLIC_URL" in refused["message"]) == ("INVALID_INPUT", True)
    await nowhere.http.aclose()


def forget_the_site(context: Context) -> None:
    context.relying_party = None
