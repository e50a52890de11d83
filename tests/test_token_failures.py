from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from models.asyncpg_client import AsyncpgClient
from operations import spelling
from tests.statements import noted
from tests.stored import events, rows
from tests.token_asks import REJECTED, TOKENS, cancel, seen_by_the_agent
from tests.town import Agency, Client, House, Town, wrong

# --- every failure is the same


async def unknown_letters(town: Town, acme: Agency, caller: Client) -> tuple[str, str]:
    letters, code = await acme.issue()
    return "BBBB" if letters != "BBBB" else "CCCC", code


async def letters_of_nothing(town: Town, acme: Agency, caller: Client) -> tuple[str, str]:
    return "\0BCD", (await acme.issue())[1]


async def wrong_code(town: Town, acme: Agency, caller: Client) -> tuple[str, str]:
    letters, code = await acme.issue()
    return letters, wrong(code)


async def expired(town: Town, acme: Agency, caller: Client) -> tuple[str, str]:
    token = await acme.issue()
    town.clock.advance(minutes=10)
    return token


async def used(town: Town, acme: Agency, caller: Client) -> tuple[str, str]:
    token = await acme.issue()
    harbour = await town.practice("Harbour Counselling")
    assert (await harbour.owner.connect(harbour, *token, acme))["__typename"] == "ConnectAgentSuccess"
    return token


async def cancelled(town: Town, acme: Agency, caller: Client) -> tuple[str, str]:
    token = await acme.issue()
    await cancel(acme, token[0])
    return token


async def reissued(town: Town, acme: Agency, caller: Client) -> tuple[str, str]:
    token = await acme.issue(externalRef="client 7")
    await acme.issue(externalRef="client 7")
    return token


async def locked(town: Town, acme: Agency, caller: Client) -> tuple[str, str]:
    letters, code = await acme.issue()
    harbour = await town.practice("Harbour Counselling")
    for by in range(1, 6):
        await harbour.owner.preview(harbour, letters, wrong(code, by))
    return letters, code


async def own(town: Town, acme: Agency, caller: Client) -> tuple[str, str]:
    await town.member(acme, caller.email)
    return await Agency(acme.id, caller).issue()


async def suspended_agent(town: Town, acme: Agency, caller: Client) -> tuple[str, str]:
    token = await acme.issue()
    await rows("UPDATE agents SET suspended_at = $1", town.clock.now)
    return token


async def closed_agent(town: Town, acme: Agency, caller: Client) -> tuple[str, str]:
    token = await acme.issue()
    await rows("UPDATE agents SET closed_at = $1", town.clock.now)
    return token


async def attempt(house: House, token: tuple[str, str], agent: Agency | None) -> Any:
    """With an agent the yes, without one a look."""
    if agent is None:
        return await house.owner.preview(house, *token)
    return await house.owner.connect(house, *token, agent)


FAILURES = [
    unknown_letters,
    letters_of_nothing,
    wrong_code,
    expired,
    used,
    cancelled,
    reissued,
    locked,
    own,
    suspended_agent,
    closed_agent,
]


@pytest.mark.parametrize("failure", FAILURES)
async def test_every_failure_is_one_answer_after_the_same_statements(
    town: Town,
    elm_street: House,
    acme: Agency,
    database: AsyncpgClient,
    failure: Callable[[Town, Agency, Client], Awaitable[tuple[str, str]]],
) -> None:
    owner = elm_street.owner
    token = await failure(town, acme, owner)
    inactive = failure in (suspended_agent, closed_agent)  # such an agent issues no other token to compare with
    harmless = ("BBBB", "0" * 12) if inactive else await wrong_code(town, acme, owner)
    assert await owner.ask("{ viewer { user { id } } }")  # the session's last use is written once a minute
    for connecting in (False, True):
        async with noted(database) as sent:
            assert await attempt(elm_street, token, acme if connecting else None) == REJECTED
        async with noted(database) as usual:
            assert await attempt(elm_street, harmless, acme if connecting else None) == REJECTED
        assert sent == usual
    assert await rows("SELECT FROM engagements WHERE practice_id = $1", elm_street.id) == []


@pytest.mark.usefixtures("slow_hashes")
async def test_a_failure_takes_one_slow_hash_whatever_it_is(
    town: Town, elm_street: House, acme: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters, code = await acme.issue()
    hashed: list[int] = []
    scrypt = hashlib.scrypt

    def noted(secret: bytes, **how: Any) -> bytes:
        hashed.append(how["n"] * how["r"] * how["p"])
        return scrypt(secret, **how)

    monkeypatch.setattr(hashlib, "scrypt", noted)
    for typed in (("BBBB", code), (letters, wrong(code)), ("no letters", code)):
        hashed.clear()
        assert await elm_street.owner.preview(elm_street, *typed) == REJECTED
        assert hashed == [2**17]


# --- what is over stays over


@pytest.mark.parametrize("over", [expired, cancelled, locked, used])
async def test_letters_of_a_token_that_is_over_can_be_drawn_again(
    town: Town,
    elm_street: House,
    acme: Agency,
    monkeypatch: pytest.MonkeyPatch,
    over: Callable[[Town, Agency, Client], Awaitable[tuple[str, str]]],
) -> None:
    monkeypatch.setattr(spelling, "new_letters", lambda: "BCDF")
    _, old = await over(town, acme, elm_street.owner)
    status = (await seen_by_the_agent(acme, "BCDF"))[0]
    assert status == over.__name__.replace("used", "consumed").upper()
    letters, code = await acme.issue()
    agent = await acme.admin.ask(TOKENS, id=acme.id, live=False)
    assert [token["status"] for token in agent["tokens"]] == ["ISSUED", status]
    assert await elm_street.owner.preview(elm_street, letters, old) == REJECTED
    assert (await elm_street.owner.preview(elm_street, letters, code))["__typename"] == "PreviewTokenSuccess"


@pytest.mark.parametrize("over", [expired, locked, used, cancelled])
async def test_cancelling_a_token_that_is_over_changes_nothing(
    town: Town,
    elm_street: House,
    acme: Agency,
    over: Callable[[Town, Agency, Client], Awaitable[tuple[str, str]]],
) -> None:
    letters, _ = await over(town, acme, elm_street.owner)
    before = await seen_by_the_agent(acme, letters)
    written = len(await events())
    assert (await cancel(acme, letters))["token"]["status"] == before[0]
    assert await seen_by_the_agent(acme, letters) == before
    assert len(await events()) == written
