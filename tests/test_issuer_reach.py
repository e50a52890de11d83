"""How far a trusted issuer's token reaches: what it never gives, whoever it names, and what the settings may add."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from models import Identity
from models.asyncpg_client import AsyncpgClient
from models.tenancy import NOBODY
from tests.statements import ITS_OWN, SAID, noted
from tests.stored import events
from tests.test_issuer_people import AMY, Place, placed
from tests.town import Clock


@pytest.fixture
async def both(database: AsyncpgClient, clock: Clock) -> AsyncIterator[Place]:
    async with placed(clock, link_by_email=True, create_users=True) as place:
        yield place


async def written_for(place: Place, database: AsyncpgClient) -> set[str]:
    """What was said to PostgreSQL of whom it asks, before each write of the first meeting with Amy."""
    its_own = tuple(words for words in ITS_OWN if words != SAID)
    async with noted(database, its_own) as statements:
        assert await place.who() == AMY
    said = [index for index, text in enumerate(statements) if SAID in text]
    written = [index for index, text in enumerate(statements) if text.strip().startswith(("INSERT", "UPDATE"))]
    assert len(written) >= 4, "a user or none, an identity, an event, and twice the end of its chain"
    return {statements[max(before for before in said if before < index)] for index in written}


@pytest.mark.parametrize("has_account", [True, False])
async def test_a_first_meeting_is_written_for_nobody_and_so_past_no_tenants_wall(
    both: Place, database: AsyncpgClient, has_account: bool
) -> None:
    if has_account:
        await both.user()
    assert await written_for(both, database) == {NOBODY.settings(local=True)}
    assert (await Identity.all().count(), len(await events())) == (1, 1)
