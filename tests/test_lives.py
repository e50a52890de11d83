"""Made-up lives of engagements, step by step: the API and a small model of it say the same, whatever happens in them.

No permission without everything it needs at that instant; one event for each change, in a chain that holds and a feed
without a gap; of two who act at once the outcome is that of one after the other. `make prove` plays 2,000 lives.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from authz.load import load
from models.asyncpg_client import AsyncpgClient
from tests.canary import CANARY
from tests.conftest import Eraser
from tests.life_acts import REFUSED, Act, act
from tests.life_model import PEOPLE, Scene
from tests.life_stage import Stage, build_stage
from tests.stored import chains_hold, rows
from tests.town import POLICIES, START

LIVES = int(os.environ.get("LIVES", "100"))
STEPS = 12
JUMPS = (
    *(timedelta(seconds=1), timedelta(hours=13), timedelta(days=1), timedelta(days=20), timedelta(days=31)),
    *(timedelta(days=61), timedelta(days=91), timedelta(days=200), timedelta(days=396)),
)
STAFF_ACTS = (
    *("set_roles", "set_roles", "set_roles", "confirm", "revoke", "suspend", "resume", "renew", "agree", "agree"),
    *("terminate", "keep"),
)
AGENT_ACTS = ("agree", "agree", "assign", "assign", "assign", "unassign", "ask for", "leave", "depart")

# How far a life has come before chance takes over.
BEGUN = (
    Act("connect", "olga", "elm", "acme"),
    Act("set_roles", "olga", place=0, version=1, roles=frozenset({"biller", "manager"})),
    Act("assign", "ada", place=0),
    Act("agree", "ada", place=0),
    Act("agree", "olga", place=0),
)


@pytest.fixture(scope="session")
async def stage(pool: AsyncpgClient, eraser: Eraser, database_url: str) -> AsyncIterator[Stage]:
    await eraser()
    session = await asyncpg.connect(database_url)
    found = await build_stage(session, load(POLICIES))
    yield found
    for client in found.town.clients:
        await client.http.aclose()
    await found.town.remembered.close()
    await session.close()


def drawn_act(draw: Any, scene: Scene) -> Act:
    """Something that somebody might do now; mostly somebody who may."""
    if not scene.lives or draw(st.integers(0, 7)) == 0:
        practice, agent = (
            draw(st.sampled_from(("elm", "elm", "harbour"))),
            draw(st.sampled_from(("acme", "acme", "dana"))),
        )
        return Act("connect", {"elm": "olga", "harbour": "hugo"}[practice], practice, agent)
    if draw(st.integers(0, 14)) == 0:
        return Act(draw(st.sampled_from(("stop", "go on"))), "operator", agent=draw(st.sampled_from(("acme", "dana"))))
    place = draw(st.sampled_from(range(len(scene.lives))))
    life = scene.lives[place]
    staff = {"elm": ("olga", "olga", "mia"), "harbour": ("hugo",)}[life.practice]
    if draw(st.booleans()):
        return _by_staff(draw, scene, place, draw(st.sampled_from((*staff, "hugo"))))
    admin = {"acme": "ada", "dana": "dana"}[life.agent]
    kind = draw(st.sampled_from(AGENT_ACTS))
    days, cap = draw(st.sampled_from((None, 10))), draw(st.sampled_from((None, frozenset({"biller"}))))
    wish = (
        frozenset() if kind != "ask for" else draw(st.sampled_from((frozenset({"biller"}), frozenset({"scheduler"}))))
    )
    return Act(kind, "ada" if kind == "depart" else admin, place=place, roles=wish, days=days, cap=cap)


def _by_staff(draw: Any, scene: Scene, place: int, who: str) -> Act:
    life, kind = scene.lives[place], draw(st.sampled_from(STAFF_ACTS))
    stale = draw(st.integers(0, 9)) == 0
    version = life.reviews if kind == "keep" else life.version - stale
    roles = frozenset(draw(st.sets(st.sampled_from(("biller", "scheduler", "manager")), max_size=2)))
    until = draw(st.sampled_from((None, timedelta(hours=20), timedelta(days=50))))
    if kind == "renew":
        until = draw(st.sampled_from((timedelta(days=5), timedelta(days=300), timedelta(days=800))))
    end = None if until is None else scene.now + until
    extends, days = draw(st.booleans()), draw(st.sampled_from((None, 10)))
    return Act(kind, who, place=place, version=version, roles=roles, until=end, extends=extends, days=days)


# A shorter life with the same fault is looked for by hand: by itself that takes minutes, and each step is printed.
@settings(
    max_examples=LIVES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(data=st.data())
async def test_whatever_happens_nobody_holds_what_the_model_does_not_give_them(
    stage: Stage, data: st.DataObject
) -> None:
    scene = Scene(START)
    await stage.begin(scene.now)
    for what in BEGUN[: data.draw(st.integers(0, len(BEGUN)), label="begun")]:
        scene = await _one(stage, scene, what)
    for _ in range(data.draw(st.integers(3, STEPS), label="steps")):
        before = await stage.counters()
        scene = await _step(stage, scene, data)
        await _compare(stage, scene)
        after = await stage.counters()
        assert {name for name, count in before.items() if after[name] < count} == set(), "a counter fell"
    await stage.history_agrees()
    await chains_hold()
    await _the_feed_has_no_gap()
    assert CANARY.leaks() == []  # life by life: all secrets of a thousand lives in all they heard would take minutes


async def _step(stage: Stage, scene: Scene, data: st.DataObject) -> Scene:
    kind = data.draw(
        st.sampled_from(("act",) * 8 + ("both",) * 2 + ("time",) * 4 + ("policy", "sweep", "guess")), label="step"
    )
    if kind == "time":
        scene = replace(scene, now=scene.now + data.draw(st.sampled_from(JUMPS), label="jump"))
        await stage.set_clock(scene.now)
    elif kind == "policy":
        scene = replace(scene, lost=frozenset() if scene.lost else frozenset({"claims.submit"}))
        await stage.put_in_force(scene.lost)
    elif kind == "sweep":
        scene = await _sweep(stage, scene)
    elif kind == "guess":
        await stage.guess()
    elif kind == "both":
        scene = await _both(stage, scene, drawn_act(data.draw, scene), drawn_act(data.draw, scene))
    else:
        scene = await _one(stage, scene, drawn_act(data.draw, scene))
    return scene


async def _one(stage: Stage, scene: Scene, what: Act) -> Scene:
    expected, outcome = act(scene, what)
    before = await stage.events()
    assert await stage.do(what, scene) is (outcome != REFUSED), (what, outcome)
    assert await stage.events() - before == _events(expected) - _events(scene), (what, outcome)
    return expected


async def _both(stage: Stage, scene: Scene, one: Act, other: Act) -> Scene:
    """At once: afterwards it is as if one had come after the other."""
    if "connect" in (one.kind, other.kind):  # whose engagement is whose could not be told
        return await _one(stage, scene, one)
    if one.kind == other.kind == "agree":  # what two propose at once, only the one who waits knows of the other
        other = replace(other, days=one.days)
    before = await stage.events()
    told = list(await asyncio.gather(stage.do(one, scene), stage.do(other, scene)))
    seen, can, events = await stage.seen(), await stage.can(), await stage.events() - before
    for first, second in ((one, other), (other, one)):
        middle, outcome = act(scene, first)
        end, after = act(middle, second)
        outcomes = {id(first): outcome != REFUSED, id(second): after != REFUSED}
        as_told = [outcomes[id(one)], outcomes[id(other)]] == told
        if as_told and _seen(end) == seen and _can(end) == can and _events(end) - _events(scene) == events:
            return end
    raise AssertionError(f"{one} and {other} at once came to neither order: {told}, {seen}, {events}")


async def _sweep(stage: Stage, scene: Scene) -> Scene:
    """It tells what time brought about, writes down what is over, and has nothing to tell a second time."""
    await stage.sweep()
    assert await stage.sweep() == 0
    for place, life in enumerate(scene.lives):
        if life.over(scene.now) and not life.ended:
            scene = scene.put(place, replace(life, ended=True))
    return scene


async def _compare(stage: Stage, scene: Scene) -> None:
    assert await stage.seen() == _seen(scene)
    assert await stage.can() == _can(scene)


def _seen(scene: Scene) -> list[tuple[int, str, int]]:
    return [(life.version, life.status(scene.now, scene.stopped), len(life.assigned)) for life in scene.lives]


def _can(scene: Scene) -> dict[tuple[str, str], set[str]]:
    return {(who, place): scene.can(who, place) for who, place in itertools.product(PEOPLE, ("elm", "harbour"))}


def _events(scene: Scene) -> int:
    return sum(scene.events.values())


async def _the_feed_has_no_gap() -> None:
    found = await rows("SELECT agent_id, number FROM agent_changes ORDER BY agent_id, number")
    for _, group in itertools.groupby(found, lambda row: row["agent_id"]):
        numbers = [row["number"] for row in group]
        assert numbers == list(range(1, len(numbers) + 1))
