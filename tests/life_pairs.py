"""Which acts meet at one engagement: three scenes of it, everything that can be done in them, and every ordered pair.

First can be whatever changes something there and writes it into the practice's record; second can be anything.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from tests.life_acts import REFUSED, Act, act
from tests.life_model import DAY, REVIEW, Life, Scene
from tests.town import START

BILLER, MANAGER = frozenset({"biller"}), frozenset({"manager"})
CONNECT = Act("connect", "olga", "elm", "acme")
BOTH_ROLES = Act("set_roles", "mia", place=0, version=1, roles=BILLER | MANAGER)  # the second one waits for the owner
# How each scene came about: acts, and days that passed.
STORIES: Mapping[str, Sequence[Act | int]] = {
    "active": (
        *(CONNECT, BOTH_ROLES, Act("agree", "ada", place=0), Act("agree", "olga", place=0)),
        Act("assign", "ada", place=0),
    ),
    "expired": (
        *(CONNECT, BOTH_ROLES, Act("suspend", "olga", place=0, version=2), Act("stop", "operator", agent="acme")),
        366,
    ),
    "lapsed": (CONNECT, BOTH_ROLES, Act("assign", "ada", place=0), 396),
}
AHEAD = 30  # so many days before a review is due, it is told
# What an act locks first. Two that begin differently are those that could wait in a circle, or miss each other.
FIRST_LOCK = {
    **dict.fromkeys(("assign", "unassign"), "member"),
    **dict.fromkeys(("depart", "stop", "go on", "connect"), "agent"),
    "keep": "review",
    "sweep": "whatever is free",
}


class Pair(NamedTuple):
    scene: str
    first: str
    second: str


Played: TypeAlias = tuple[Scene, int]  # and what the caller is told: whether it succeeded, or how many events


def scene_of(story: str) -> Scene:
    scene = Scene(START)
    for step in STORIES[story]:
        scene = replace(scene, now=scene.now + timedelta(days=step)) if isinstance(step, int) else act(scene, step)[0]
    return scene


def acts_in(scene: Scene) -> dict[str, Act]:
    """Everything that can be done to the scene's engagement, each by somebody who has seen it as it is."""
    seen = scene.lives[0].version
    half_a_year = scene.now + timedelta(days=182)
    return {
        "set other roles": Act("set_roles", "olga", place=0, version=seen, roles=BILLER),
        "confirm": Act("confirm", "olga", place=0, version=seen),
        "revoke": Act("revoke", "olga", place=0),
        "leave": Act("leave", "ada", place=0),
        "suspend": Act("suspend", "mia", place=0, version=seen),
        "resume": Act("resume", "mia", place=0, version=seen),
        "renew": Act("renew", "olga", place=0, version=seen, until=half_a_year, extends=True),
        "sign": Act("agree", "ada", place=0),
        "record": Act("agree", "olga", place=0),
        "terminate": Act("terminate", "olga", place=0, version=seen),
        "ask for": Act("ask for", "ada", place=0, roles=BILLER),
        "assign": Act("assign", "ada", place=0, cap=MANAGER),
        "unassign": Act("unassign", "ada", place=0),
        "depart": Act("depart", "ada"),
        "stop": Act("stop", "operator", agent="acme"),
        "go on": Act("go on", "operator", agent="acme"),
        "connect": CONNECT,
        "keep": Act("keep", "olga", place=0, version=scene.lives[0].reviews),
        "sweep": Act("sweep", "nobody"),
    }


def play(scene: Scene, what: Act) -> Played:
    if what.kind == "sweep":
        return _sweep(scene)
    after, outcome = act(scene, what)
    return after, outcome != REFUSED


def _sweep(scene: Scene) -> Played:
    """What is over is written down; of the others it is told what is so now, which changes nothing."""
    told = 0
    for place, life in enumerate(scene.lives):
        if life.over(scene.now) and not life.ended:
            scene, told = scene.put(place, replace(life, ended=True)), told + 1
        elif not life.over(scene.now):
            news = (life.runs_out(scene.now) <= scene.now) + _review_is_due(life, scene.now)
            events = {**scene.events, life.practice: scene.events[life.practice] + news}
            scene, told = replace(scene, events=events), told + news
    return scene, told


def _review_is_due(life: Life, now: datetime) -> bool:
    roles = life.live(now)
    return bool(roles) and now.date() >= life.reviewed.date() + DAY * (min(REVIEW[role] for role in roles) - AHEAD)


def all_pairs() -> Iterator[Pair]:
    for story in STORIES:
        scene = scene_of(story)
        acts = acts_in(scene)
        writing = [name for name, what in acts.items() if play(scene, what)[0].events["elm"] > scene.events["elm"]]
        yield from itertools.starmap(Pair, itertools.product([story], writing, acts))


def some_pairs() -> list[Pair]:
    """Those that begin with unlike locks, every fifth of the others, and more until every act is first, and second,
    with every kind of lock, and meets itself."""
    pairs = list(all_pairs())
    chosen = {pair for pair in pairs if pair.first in FIRST_LOCK and pair.second in FIRST_LOCK}
    chosen.update([pair for pair in pairs if pair not in chosen][::5])
    met = set(itertools.chain.from_iterable(map(_kinds, chosen)))
    for pair in pairs:
        if missing := _kinds(pair) - met:
            met |= missing
            chosen.add(pair)
    return [pair for pair in pairs if pair in chosen]


def crossing() -> list[Pair]:
    """Those of them that begin with unlike locks, before the engagement's. The sweeper waits for no engagement."""
    unlike = [pair for pair in all_pairs() if _first_lock(pair.first) != _first_lock(pair.second)]
    return [pair for pair in unlike if pair.first != "sweep"]


def _kinds(pair: Pair) -> set[tuple[str, str]]:
    first, second = pair.first, pair.second
    kinds = {(first, f"before {_first_lock(second)}"), (second, f"after {_first_lock(first)}")}
    return kinds | ({(first, "twice")} if first == second else set())


def _first_lock(name: str) -> str:
    return FIRST_LOCK.get(name, "engagement")
