"""Where two changes meet: a stage, and every scene of `tests/life_pairs.py` as it was when its story was told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import asyncpg

from tests.keeping import Restorer
from tests.life_acts import Act
from tests.life_model import Scene
from tests.life_pairs import STORIES, Pair, acts_in, play, scene_of
from tests.life_stage import Stage
from tests.meeting import Meetings, Met
from tests.town import START


@dataclass
class Prepared:
    """`earlier`: how many events the record had before the story began."""

    scene: Scene
    keys: list[str]
    earlier: int
    restore: Restorer


@dataclass
class Theatre:
    stage: Stage
    meetings: Meetings
    prepared: dict[str, Prepared]

    async def show(self, story: str) -> Scene:
        found, stage = self.prepared[story], self.stage
        await stage.town.remembered.uses.close()
        await found.restore()
        stage.town.remembered.changes.anything_may_have()
        stage.keys = list(found.keys)
        stage.town.clock.now = found.scene.now
        return found.scene

    async def meet(self, pair: Pair, place: str) -> Met:
        """The sweeper answers how many events it told."""
        scene, acts = self.prepared[pair.scene].scene, acts_in(self.prepared[pair.scene].scene)

        async def do(what: Act) -> int:
            return await (self.stage.sweep() if what.kind == "sweep" else self.stage.do(what, scene))

        asks = [partial(do, acts[name]) for name in (pair.first, pair.second)]
        return await self.meetings.meet(place, self.stage.houses["elm"].id, *asks)


async def prepared(stage: Stage, story: str, session: asyncpg.Connection) -> Prepared:
    """Told on the stage once, and kept."""
    await stage.begin(START)
    scene = Scene(START)
    for step in STORIES[story]:
        if isinstance(step, int):
            await stage.set_clock(stage.town.clock.now + timedelta(days=step))
        else:
            assert await stage.do(step, scene), step
            scene, _ = play(scene, step)
    await stage.town.remembered.uses.close()
    restore = Restorer(session, stage.restore.tables)
    await restore.keep()
    return Prepared(scene_of(story), stage.keys, await stage.events() - events_of(scene), restore)


def events_of(scene: Scene) -> int:
    return sum(scene.events.values())
