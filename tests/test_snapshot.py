"""What the record keeps of an engagement is enough to know again what it was."""

from __future__ import annotations

import random

import orjson

from operations.snapshot import restored, snapshot
from tests.stored_facts import drawn
from tests.town import START


def test_a_snapshot_gives_back_the_facts_it_was_made_of() -> None:
    chance = random.Random(11)
    for _ in range(300):
        found = drawn(lambda options: chance.choice(list(options)), START)
        stored = orjson.loads(orjson.dumps(snapshot(found, [])))
        assert restored(stored) == (found, ())
