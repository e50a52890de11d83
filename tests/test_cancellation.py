"""A caller who goes away, cut off at every single await, leaves either nothing or everything behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any

import pytest

from models import unit_of_work
from models.asyncpg_client import AsyncpgClient
from models.unit_of_work import settle
from operations.spelling import ALPHABET
from tests.cancellation import CancelledAt, cancel_at_every_await
from tests.conftest import all_given_back
from tests.stored import as_owner, chains_hold, copied, rows
from tests.town import Agency, House, Town

LETTERS = ("".join(letters) for letters in product(ALPHABET, repeat=4))


class Connecting:
    """The same right code typed again and again, each time under fresh letters."""

    def __init__(self, house: House, acme: Agency, issued: tuple[str, str]) -> None:
        self.house, self.acme = house, acme
        self.model, self.code = issued
        self.letters = ""
        self.done = 0

    async def begin(self) -> None:
        self.letters = next(letters for letters in LETTERS if letters != self.model)
        await copied(self.model, self.letters)
        await rows("DELETE FROM attempt_budgets")

    async def __call__(self) -> None:
        await self.house.owner.connect(self.house, self.letters, self.code, self.acme)

    async def all_or_nothing(self) -> None:
        (token,) = await rows("SELECT state, engagement_id FROM connect_tokens WHERE letters = $1", self.letters)
        live = await rows("SELECT id FROM engagements WHERE ended_at IS NULL")
        started = await rows(
            "SELECT engagement_id AS id FROM audit_events WHERE type = 'engagement.started' ORDER BY sequence"
        )
        assert (token["state"], len(live)) in [("issued", 0), ("consumed", 1)]
        assert [token["engagement_id"]] == ([row["id"] for row in live] or [None])
        self.done += len(live)
        assert len(started) == self.done
        assert not live or started[-1] == live[0]
        await rows("UPDATE engagements SET ended_at = now(), end_reason = 'platform' WHERE ended_at IS NULL")


async def nothing_is_left_open(database: AsyncpgClient) -> None:
    assert await settle() == 0
    await all_given_back(database)
    open_ones = await rows(
        "SELECT state, query FROM pg_stat_activity WHERE datname = current_database()"
        " AND state LIKE 'idle in transaction%'"
    )
    assert open_ones == []


async def test_connecting_cut_off_at_any_await_is_done_or_was_never_begun(
    town: Town, database: AsyncpgClient, elm_street: House, acme: Agency
) -> None:
    connecting = Connecting(elm_street, acme, await acme.issue())

    async def check() -> None:
        await nothing_is_left_open(database)
        await connecting.all_or_nothing()
        await connecting.begin()

    await connecting.begin()
    cuts = await cancel_at_every_await(connecting, check)
    assert cuts > 5
    assert connecting.done > 1  # some callers went after their transaction had begun
    assert await chains_hold() == 2


@pytest.mark.parametrize("passing", [0, 1, 2], ids=["counting", "giving back", "connecting"])
async def test_a_transaction_cut_off_at_any_await_of_its_own_is_undone_completely(
    town: Town,
    database: AsyncpgClient,
    elm_street: House,
    acme: Agency,
    monkeypatch: pytest.MonkeyPatch,
    passing: int,
) -> None:
    """As when the process ends: the transaction itself is cut, not only the caller who waits for it."""
    connecting = Connecting(elm_street, acme, await acme.issue())
    cutter = Cutter(passing)
    monkeypatch.setattr(unit_of_work, "_once", cutter)
    while cutter.cut_off():
        await connecting.begin()
        await asyncio.gather(asyncio.ensure_future(connecting()), return_exceptions=True)
        await nothing_is_left_open(database)
        await connecting.all_or_nothing()
    assert cutter.nth > 5
    assert connecting.done >= 1
    assert await chains_hold() == 2


class Cutter:
    """In place of the function that runs one transaction: lets some pass, then cuts one at its nth await."""

    def __init__(self, passing: int) -> None:
        self.passing, self.nth = passing, 0
        self.passed = 0
        self.last: CancelledAt | None = None
        self.original = unit_of_work._once

    def cut_off(self) -> bool:
        """Go on one await later, unless the last transaction had fewer."""
        more = self.last is None or self.last.waits >= self.nth
        self.nth, self.passed = self.nth + 1, 0
        return more

    async def __call__(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        self.passed += 1
        if self.passed != self.passing + 1:
            return await self.original(work)
        self.last = CancelledAt(self.original(work), self.nth)
        return await self.last


async def test_revoking_cut_off_at_any_await_is_done_or_was_never_begun(
    town: Town, database: AsyncpgClient, elm_street: House, acme: Agency
) -> None:
    done = 0
    engagement = await town.engage(elm_street, acme)
    await elm_street.owner.set_roles(engagement, "biller")

    async def revoke() -> None:
        await elm_street.owner.revoke(engagement)

    async def check() -> None:
        nonlocal done
        await nothing_is_left_open(database)
        (row,) = await rows("SELECT ended_at, end_reason FROM engagements")
        grants = await rows("SELECT FROM role_grants WHERE removed_at IS NULL")
        receipts = await rows("SELECT audit_hash FROM revocation_receipts")
        ended = await rows("SELECT hash FROM audit_events WHERE type = 'engagement.ended' OFFSET $1", done)
        assert (row["ended_at"] is None, len(grants), len(receipts), len(ended)) in [
            (True, 1, 0, 0),
            (False, 0, 1, 1),
        ]
        done += len(receipts)
        await begin_again()

    assert await cancel_at_every_await(revoke, check) > 3  # who asks and what stands there takes few awaits
    assert done > 1
    assert await chains_hold() == 2


async def begin_again() -> None:
    """The engagement as it was before it was revoked."""
    await as_owner("DELETE FROM revocation_receipts")
    await rows("UPDATE engagements SET ended_at = NULL, ended_by_id = NULL, end_reason = NULL, version = 2")
    await rows("UPDATE role_grants SET removed_at = NULL, removed_by_id = NULL")
