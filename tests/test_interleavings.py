"""Every two changes of one engagement that meet in it, in both orders: what comes of it is the one and then the other.

No update is lost, nothing is half done, nobody is told of what did not happen. `tests/life_model.py` says what the one
and then the other come to. `make prove` lets all pairs meet, `make test` some two in five.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import asyncpg
import pytest

from authz.load import load
from models import unit_of_work
from models.asyncpg_client import AsyncpgClient
from operations.snapshot import snapshots
from tests.conftest import Eraser
from tests.life_model import PROBES, Life, Scene
from tests.life_pairs import FIRST_LOCK, STORIES, Pair, acts_in, all_pairs, crossing, play, some_pairs
from tests.life_stage import Stage, build_stage
from tests.life_theatre import Theatre, events_of, prepared
from tests.meeting import ENGAGEMENT, RECORD, Met, meetings
from tests.stored import chains_hold, events, rows
from tests.town import POLICIES, Agency, House, Town

ALL = os.environ.get("PAIRS") == "all"
PAIRS = list(all_pairs()) if ALL else some_pairs()
CROSSING = [pair for pair in crossing() if ALL or {pair.first, pair.second} <= FIRST_LOCK.keys()]

# Everything of an engagement that any of the acts changes.
STORED = """
SELECT e.version, e.ended_at IS NOT NULL AS ended, e.suspended_at IS NOT NULL AS suspended, e.expires_at, e.auto_extend,
    coalesce(e.reviewed_at, e.started_at) AS reviewed_at, coalesce(e.requested_roles, '{}') AS wish,
    ARRAY(SELECT concat(g.role, CASE WHEN g.confirmed_at IS NULL THEN '?' END) FROM role_grants g
        WHERE g.engagement_id = e.id AND g.removed_at IS NULL ORDER BY 1) AS grants,
    ARRAY(SELECT concat_ws(' ', s.agent_signed_at IS NOT NULL, s.practice_signed_at IS NOT NULL,
        s.terminated_at IS NOT NULL) FROM agreements s
        WHERE s.engagement_id = e.id AND s.superseded_at IS NULL) AS agreements,
    ARRAY(SELECT concat_ws(' ', m.id, s.cap) FROM assignments s JOIN agent_members m ON m.id = s.member_id
        WHERE s.engagement_id = e.id AND s.removed_at IS NULL) AS assigned,
    (SELECT count(decided_at) FROM reviews r WHERE r.engagement_id = e.id) AS reviews,
    (SELECT count(*) - count(decided_at) FROM reviews r WHERE r.engagement_id = e.id) AS open_reviews,
    (SELECT count(*) FROM revocation_receipts r WHERE r.engagement_id = e.id) AS receipts
FROM engagements e ORDER BY e.id
"""
AGENT = """
SELECT a.suspended_at IS NOT NULL AS stopped, m.departed_at IS NOT NULL AS departed
FROM agent_members m JOIN agents a ON a.id = m.agent_id WHERE m.id::text = $1
"""
FEED = """
SELECT h.number AS head, ARRAY(SELECT number FROM agent_changes c WHERE c.agent_id = h.agent_id ORDER BY 1) AS numbers,
    (SELECT count(*) FROM audit_events e WHERE e.agent_id = h.agent_id AND e.engagement_id IS NOT NULL) AS events
FROM change_heads h
"""
CAN = "query ($elm: ID!) { viewer { permissions(practiceId: $elm) } }"


@pytest.fixture(scope="session")
async def theatre(pool: AsyncpgClient, eraser: Eraser, database_url: str) -> AsyncIterator[Theatre]:
    await eraser()
    async with AsyncExitStack() as stack:

        async def session() -> asyncpg.Connection:
            opened = await asyncpg.connect(database_url)
            stack.push_async_callback(opened.close)
            return opened

        stage = await build_stage(await session(), load(POLICIES))
        scenes = {story: await prepared(stage, story, await session()) for story in STORIES}
        yield Theatre(stage, await stack.enter_async_context(meetings(database_url)), scenes)
        for visitor in stage.town.clients:
            await visitor.http.aclose()
        await stage.town.remembered.close()


@pytest.fixture(autouse=True)
def nothing_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waited in a circle would be tried again, and nobody would notice."""
    monkeypatch.setattr(unit_of_work, "RETRIES", 0)


def named(pairs: Iterable[Pair]) -> list[Any]:
    return [pytest.param(pair, id=": ".join(pair)) for pair in pairs]


@pytest.mark.parametrize("pair", named(PAIRS))
async def test_of_two_that_meet_the_second_comes_after_the_first(theatre: Theatre, pair: Pair) -> None:
    scene = await theatre.show(pair.scene)
    met = await theatre.meet(pair, RECORD)
    if pair.second == "sweep":
        await _it_is_left_alone_and_told_later(theatre, pair, met)
        return
    middle, _ = play(scene, acts_in(scene)[pair.first])
    end = await _came(theatre, pair.scene, (pair.first, met.first), (pair.second, met.second))
    assert met.waited_at is not None or events_of(end) == events_of(middle), "it waits for its turn to write"
    assert "audit_heads" not in (met.waited_at or ""), "it waits before it reads what it changes"


@pytest.mark.parametrize("pair", named(CROSSING))
async def test_two_that_come_to_it_from_different_sides_do_not_wait_in_a_circle(theatre: Theatre, pair: Pair) -> None:
    await theatre.show(pair.scene)
    met = await theatre.meet(pair, ENGAGEMENT)
    if pair.second == "sweep":
        await _it_is_left_alone_and_told_later(theatre, pair, met)
        return
    order = [(pair.first, met.first), (pair.second, met.second)]
    await _came(theatre, pair.scene, *(order if met.waited_at else reversed(order)))


async def _it_is_left_alone_and_told_later(theatre: Theatre, pair: Pair, met: Met) -> None:
    assert (met.second, met.waited_at) == (0, None)
    told = await theatre.stage.sweep()
    if pair.first == "sweep":
        assert told == 0  # not a second time
        await _came(theatre, pair.scene, ("sweep", met.first))
    else:
        await _came(theatre, pair.scene, (pair.first, met.first), ("sweep", told))


async def _came(theatre: Theatre, story: str, *answers: tuple[str, int]) -> Scene:
    """It is exactly as if these had come one after the other, with these answers."""
    found = theatre.prepared[story]
    scene, acts = found.scene, acts_in(found.scene)
    for name, answer in answers:
        scene, expected = play(scene, acts[name])
        assert answer == expected, name
    await _is(theatre.stage, scene)
    assert await theatre.stage.events() == found.earlier + events_of(scene)
    await _the_record_is_whole(scene)
    return scene


async def _is(stage: Stage, scene: Scene) -> None:
    """Row by row, and as everybody sees it."""
    ben = stage.members["ben"]
    assert await rows(STORED) == [_as_stored(life, ben) for life in scene.lives]
    assert await rows(AGENT, ben) == [{"stopped": bool(scene.stopped), "departed": bool(scene.departed)}]
    seen = [each[:2] for each in await stage.seen()]
    assert seen == [(life.version, life.status(scene.now, scene.stopped)) for life in scene.lives]
    answer = await stage.people["ben"].ask(CAN, elm=stage.houses["elm"].id)
    assert {*answer["permissions"]} & set(PROBES.values()) == scene.can("ben", "elm")


def _as_stored(life: Life, ben: str) -> dict[str, Any]:
    there = life.agreement
    acts = [" ".join("ft"[did] for did in (there.signed, there.recorded, there.terminated))] if there else []
    return {
        "version": life.version,
        "ended": life.ended,
        "suspended": life.suspended,
        "expires_at": life.expires,
        "auto_extend": life.extends,
        "reviewed_at": life.reviewed,
        "wish": sorted(life.wish),
        "grants": sorted(each.role + "?" * (not each.confirmed) for each in life.grants),
        "agreements": acts,
        "assigned": [ben if cap is None else f"{ben} {{{','.join(sorted(cap))}}}" for cap in life.assigned.values()],
        "reviews": life.reviews,
        "open_reviews": 1,
        "receipts": int(life.receipt),
    }


async def _the_record_is_whole(scene: Scene) -> None:
    """The chain holds, the feed has every event and no gap, and the last event shows what there is."""
    await chains_hold()
    for feed in await rows(FEED):
        assert feed["numbers"] == [*range(1, feed["events"] + 1)] == [*range(1, feed["head"] + 1)]
    last = {event["engagement_id"]: event["snapshot"] for event in await events() if event["engagement_id"]}
    shown = await unit_of_work.unit_of_work(lambda connection: snapshots(connection, list(last)))
    for key, life in zip(sorted(last), scene.lives, strict=True):
        assert life.over(scene.now) or last[key] == shown[key]


@pytest.mark.parametrize("revoked_first", [True, False])
async def test_an_agent_that_comes_again_while_its_lapsed_work_is_revoked_does_not_wait_in_a_circle(
    town: Town, elm_street: House, acme: Agency, database_url: str, revoked_first: bool
) -> None:
    """Both need the engagement and the token, because the token is for the client whose work is revoked."""
    token = await acme.issue(externalRef="client 7")
    lapsed = (await elm_street.owner.connect(elm_street, *token, acme))["engagement"]
    town.clock.advance(days=396)
    owner, acme.admin = await town.person(elm_street.owner.email), await town.person(acme.admin.email)
    token = await acme.issue(externalRef="client 7")
    asks = [partial(owner.revoke, lapsed), partial(owner.connect, elm_street, *token, acme)]
    async with meetings(database_url) as here:
        met = await here.meet(ENGAGEMENT, elm_street.id, *(asks if revoked_first else reversed(asks)))
    other = "TokenRejected" if revoked_first else "ConnectAgentSuccess"
    assert {met.first["__typename"], met.second["__typename"]} == {"RevokeAgentSuccess", other}
    assert await chains_hold() > 0
