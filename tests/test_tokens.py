from __future__ import annotations

import base64
import hashlib
import logging

import pytest

from operations import pepper, spelling
from tests.stored import rows
from tests.token_asks import REJECTED, cancel, issue, seen_by_the_agent
from tests.town import PEPPER, Agency, House, Town, wrong

# --- issuing


@pytest.mark.parametrize(("minutes", "accepted"), [(-1, False), (0, False), (1, True), (60, True), (61, False)])
async def test_a_token_lives_1_to_60_minutes(town: Town, acme: Agency, minutes: int, accepted: bool) -> None:
    answer = await issue(acme, ttlMinutes=minutes)
    assert answer["__typename"] == ("IssueTokenSuccess" if accepted else "InvalidInput")
    assert accepted or answer["field"] == "ttlMinutes"


async def test_a_token_works_to_the_last_second_of_its_ten_minutes(town: Town, elm_street: House, acme: Agency) -> None:
    letters, code = await acme.issue()
    town.clock.advance(minutes=9, seconds=59)
    assert (await elm_street.owner.preview(elm_street, letters, code))["__typename"] == "PreviewTokenSuccess"
    assert await seen_by_the_agent(acme, letters) == ("ISSUED", 5)
    town.clock.advance(seconds=1)
    assert await elm_street.owner.preview(elm_street, letters, code) == REJECTED
    assert await seen_by_the_agent(acme, letters) == ("EXPIRED", 0)


async def test_what_is_issued_can_be_read_out(town: Town, acme: Agency) -> None:
    issued = await issue(acme, label="Dr. Elm", externalRef="client 7")
    token = issued["token"]
    assert spelling.typed_code(issued["code"]) == issued["code"].replace("-", "")
    assert [word[0] for word in token["spoken"]] == list(token["letters"])
    assert (token["label"], token["externalRef"], token["status"]) == ("Dr. Elm", "client 7", "ISSUED")
    assert token["expiresAt"] == "2026-11-23T12:10:00Z"


async def test_a_member_has_at_most_five_live_tokens_and_every_way_to_end_one_makes_room(
    town: Town, elm_street: House, acme: Agency
) -> None:
    tokens = [await acme.issue() for _ in range(4)] + [await acme.issue(ttlMinutes=1)]
    colleague = await town.member(acme, "member@acme.example")

    async def there_is_room_for_one() -> None:
        await acme.issue(ttlMinutes=60)
        refused = await issue(acme)
        assert (refused["problem"], refused["limit"]) == ("LIMIT_REACHED", 5)

    assert (await issue(acme))["problem"] == "LIMIT_REACHED"
    assert (await issue(Agency(acme.id, colleague)))["__typename"] == "IssueTokenSuccess"
    await cancel(acme, tokens[0][0])
    await there_is_room_for_one()
    await elm_street.owner.connect(elm_street, *tokens[1], acme)
    await there_is_room_for_one()
    for by in range(1, 6):
        await elm_street.owner.preview(elm_street, tokens[2][0], wrong(tokens[2][1], by))
    await there_is_room_for_one()
    town.clock.advance(minutes=1)
    await there_is_room_for_one()


async def test_issuing_again_for_the_same_client_cancels_the_earlier_token(town: Town, acme: Agency) -> None:
    first, _ = await acme.issue(externalRef="client 7")
    other, _ = await acme.issue(externalRef="client 8")
    await acme.issue(externalRef="client 7")
    assert await seen_by_the_agent(acme, first) == ("CANCELLED", 0)
    assert await seen_by_the_agent(acme, other) == ("ISSUED", 5)


async def test_letters_of_a_live_token_are_not_drawn_again(
    town: Town, acme: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter(["BCDF", "BCDF", "BCDF", "GHJK"])
    monkeypatch.setattr(spelling, "new_letters", lambda: next(drawn))
    assert [(await acme.issue())[0] for _ in range(2)] == ["BCDF", "GHJK"]


@pytest.mark.parametrize("column", ["suspended_at", "closed_at", None])
async def test_an_agent_that_is_not_active_issues_nothing(town: Town, column: str | None) -> None:
    acme = await town.agency(verified=column is not None)
    if column:
        await rows(f"UPDATE agents SET {column} = $1", town.clock.now)
    answer = await issue(acme)
    assert answer["problem"] == ("NOT_PERMITTED" if column == "closed_at" else "AGENT_NOT_ACTIVE")
    assert await rows("SELECT FROM connect_tokens") == []


# --- attempts


async def test_a_misheard_digit_is_told_at_once_and_spends_nothing(town: Town, elm_street: House, acme: Agency) -> None:
    letters, code = await acme.issue()
    misheard = code[:-1] + str((int(code[-1]) + 1) % 10)
    for _ in range(12):
        answer = await elm_street.owner.preview(elm_street, letters, misheard)
        assert answer["problem"] == "CHECK_DIGIT_MISMATCH"
    assert await seen_by_the_agent(acme, letters) == ("ISSUED", 5)
    assert await rows("SELECT FROM attempt_budgets WHERE scope LIKE 'code%'") == []


async def test_five_wrong_codes_lock_the_token_before_the_agents_eyes(
    town: Town, elm_street: House, acme: Agency
) -> None:
    letters, code = await acme.issue()
    owner = elm_street.owner
    for left in (4, 3, 2, 1):
        assert await owner.preview(elm_street, letters, wrong(code, left)) == REJECTED
        assert await seen_by_the_agent(acme, letters) == ("ISSUED", left)
    assert await owner.connect(elm_street, letters, wrong(code), acme) == REJECTED
    assert await seen_by_the_agent(acme, letters) == ("LOCKED", 0)
    assert await owner.connect(elm_street, letters, code, acme) == REJECTED


async def test_the_right_code_gives_its_own_attempt_back_and_no_more(
    town: Town, elm_street: House, acme: Agency
) -> None:
    letters, code = await acme.issue()
    await elm_street.owner.preview(elm_street, letters, wrong(code))
    for _ in range(7):
        previewed = await elm_street.owner.preview(elm_street, letters, code)
        assert previewed["__typename"] == "PreviewTokenSuccess"
        assert await seen_by_the_agent(acme, letters) == ("ISSUED", 4)


# --- secrecy


async def dump() -> str:
    """Every cell of every table, as text; bytes as hex."""
    tables = await rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    cells = [await rows(f"SELECT t::text AS row FROM {table['tablename']} t") for table in tables]
    return "\n".join(row["row"] for table in cells for row in table)


def _disguises(code: str) -> list[str]:
    """A code in clear and in every form that is turned back in a moment."""
    forms = [code, code.replace("-", ""), str(int(code.replace("-", "")))]
    found = list(forms)
    for form in forms:
        found += [base64.b64encode(form.encode()).decode().rstrip("="), form.encode().hex()]
        found += [getattr(hashlib, name)(form.encode()).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")]
    return found


async def test_a_code_is_stored_and_logged_nowhere_in_no_form(
    town: Town, elm_street: House, acme: Agency, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    letters, code = await acme.issue(idempotencyKey="a key")
    typed = {"practiceId": elm_street.id, "letters": letters, "code": wrong(code)}
    await elm_street.owner.do("previewToken", "", **typed)
    await elm_street.owner.connect(elm_street, letters, code, acme, idempotencyKey="a key")
    everything = await dump() + caplog.text
    assert letters in everything
    for form in _disguises(code) + _disguises(wrong(code)):
        assert form.lower() not in everything.lower()


async def test_a_database_without_its_pepper_opens_nothing(town: Town, elm_street: House, acme: Agency) -> None:
    letters, code = await acme.issue()
    pepper.use(b"q" * 32)  # the next town brings its own again
    assert await elm_street.owner.preview(elm_street, letters, code) == REJECTED
    pepper.use(PEPPER)
    assert (await elm_street.owner.preview(elm_street, letters, code))["__typename"] == "PreviewTokenSuccess"


async def test_a_sessions_reference_is_stored_in_no_form_but_its_sha256(town: Town) -> None:
    ann = town.visitor()
    await ann.do("signUp", "", name="Ann", email="ann@elm.example", password="correct horse")
    reference = str(ann.reference)
    everything = await dump()
    assert reference not in everything
    assert reference.encode().hex() not in everything
    assert hashlib.sha256(reference.encode()).hexdigest() in everything
    assert "correct horse" not in everything
