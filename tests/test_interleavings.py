"""Every two changes of one engagement that meet in it, in both orders: what comes of it is the one and then the other.

No update is lost, nothing is half done, nobody is told that something happened which did not. `tests/life_model.py`
says what the one and then the other come to. `make prove` lets all pairs meet, `make test` a third of them.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from authz.load import load
from models import unit_of_work
from models.asyncpg_client import AsyncpgClient
from models.connection import client
from operations.snapshot import snapshots
from tests.conftest import Eraser
from tests.keeping import Restorer
from tests.life_acts import DONE, REFUSED, Act, act
from tests.life_model import Life, Scene
from tests.life_stage import Stage, build_stage
from tests.meeting import Meetings
from tests.stored import chains_hold, events, rows
from tests.town import POLICIES, START

ALL = os.environ.get("PAIRS") == "all"
BILLER, BOTH = frozenset({"biller"}), frozenset({"biller", "manager"})
SWEEP = Act("sweep", "nobody")

# How each scene came about: acts, and days that passed.
STORIES: Mapping[str, Sequence[Act | int]] = {
    "active": (
        Act("connect", "olga", "elm", "acme"),
        Act("set_roles", "mia", place=0, version=1, roles=BOTH),
        Act("agree", "ada", place=0),
        Act("agree", "olga", place=0),
        Act("assign", "ada", place=0),
    ),
    "expired": (
        Act("connect", "olga", "elm", "acme"),
        Act("set_roles", "mia", place=0, version=1, roles=BOTH),
        Act("suspend", "olga", place=0, version=2),
        Act("stop", "operator", agent="acme"),
        366,
    ),
    "lapsed": (
        Act("connect", "olga", "elm", "acme"),
        Act("set_roles", "mia", place=0, version=1, roles=BOTH),
        Act("assign", "ada", place=0),
        396,
    ),
}


def acts(scene: Scene) -> dict[str, Act]:
    """Everything that can be done to its engagement, each by somebody who may and who has seen it."""
    seen = {"place": 0, "version": scene.lives[0].version}
    return {
        "set other roles": Act("set_roles", "olga", **seen, roles=BILLER),
        "confirm": Act("confirm", "olga", **seen),
    }
