"""What can be done to an engagement, and what the small model says comes of it: done, nothing to do, or refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from tests.life_model import (
    ADMINS,
    MOST,
    OFFERED,
    OWNERS,
    PEOPLE,
    STAFF,
    TERM,
    Agreement,
    Grant,
    Life,
    Scene,
)

DONE, NOTHING, REFUSED = "done", "nothing", "refused"


@dataclass(frozen=True)
class Act:
    """`place`: which engagement; `version`: the one that its caller saw. What else is said depends on the kind."""

    kind: str
    who: str
    practice: str = ""
    agent: str = ""
    place: int = -1
    version: int = 0
    roles: frozenset[str] = frozenset()
    until: datetime | None = None
    extends: bool = False
    cap: frozenset[str] | None = None
    days: int | None = None


Outcome: TypeAlias = tuple[Scene, str]
Rule: TypeAlias = Callable[[Scene, Act], Outcome]
RULES: dict[str, Rule] = {}


def act(scene: Scene, what: Act) -> Outcome:
    """What there is afterwards, and what the caller is told."""
    return RULES[what.kind](scene, what)


def _rule(kind: str) -> Callable[[Rule], Rule]:
    def named(rule: Rule) -> Rule:
        RULES[kind] = rule
        return rule

    return named


def _of_staff(scene: Scene, what: Act) -> Life | None:
    """The engagement, for somebody of its practice's staff, while it is not over."""
    life = scene.lives[what.place]
    return None if STAFF.get(what.who) != life.practice or life.over(scene.now) else life


def _of_agent(scene: Scene, what: Act) -> Life | None:
    """The same for an administrator of its agent."""
    life = scene.lives[what.place]
    return None if what.who not in ADMINS or PEOPLE[what.who] != life.agent or life.over(scene.now) else life


@_rule("connect")
def _connect(scene: Scene, what: Act) -> Outcome:
    if STAFF.get(what.who) != what.practice or what.agent in scene.stopped:
        return scene, REFUSED
    place = scene.newest(what.practice, what.agent)
    if place is not None:
        last = scene.lives[place]
        if not last.over(scene.now):
            return scene, REFUSED
        if not last.ended:
            scene = scene.put(place, replace(last, ended=True))
    return scene.add(Life(what.practice, what.agent, scene.now + TERM, scene.now)), DONE


@_rule("set_roles")
def _set_roles(scene: Scene, what: Act) -> Outcome:
    life = _of_staff(scene, what)
    if life is None or life.version != what.version or not what.roles <= OFFERED[life.agent]:
        return scene, REFUSED
    owner = what.who in OWNERS
    kept = {each for each in life.grants if each.role in what.roles and each.until == what.until}
    new = {Grant(role, what.until, owner or role != "manager") for role in what.roles - {each.role for each in kept}}
    grants = frozenset({replace(each, confirmed=each.confirmed or owner) for each in kept} | new)
    if grants == life.grants and not life.wish:
        return scene, NOTHING
    answered = replace(life, grants=grants, reviewed=scene.now, wish=frozenset())
    return scene.put(what.place, answered), DONE


@_rule("confirm")
def _confirm(scene: Scene, what: Act) -> Outcome:
    life = _of_staff(scene, what)
    if life is None or what.who not in OWNERS or life.version != what.version:
        return scene, REFUSED
    if all(each.confirmed for each in life.grants):
        return scene, NOTHING
    grants = frozenset(replace(each, confirmed=True) for each in life.grants)
    return scene.put(what.place, replace(life, grants=grants, reviewed=scene.now)), DONE


@_rule("revoke")
def _revoke(scene: Scene, what: Act) -> Outcome:
    allowed = STAFF.get(what.who) == scene.lives[what.place].practice
    return _end(scene, what) if allowed else (scene, REFUSED)


@_rule("leave")
def _leave(scene: Scene, what: Act) -> Outcome:
    allowed = what.who in ADMINS and PEOPLE[what.who] == scene.lives[what.place].agent
    return _end(scene, what) if allowed else (scene, REFUSED)


def _end(scene: Scene, what: Act) -> Outcome:
    """Whatever ended it before, there is one receipt, and giving it is an event."""
    life = scene.lives[what.place]
    if life.receipt:
        return scene, NOTHING
    given = replace(life, ended=True, receipt=True, grants=frozenset(), assigned={})
    return scene.put(what.place, given, counted=not life.ended), DONE


@_rule("suspend")
def _suspend(scene: Scene, what: Act) -> Outcome:
    life = _of_staff(scene, what)
    if life is None or life.version != what.version:
        return scene, REFUSED
    if life.suspended:
        return scene, NOTHING
    return scene.put(what.place, replace(life, suspended=True)), DONE


@_rule("resume")
def _resume(scene: Scene, what: Act) -> Outcome:
    life = _of_staff(scene, what)
    if life is None or life.version != what.version:
        return scene, REFUSED
    if not life.suspended:
        return scene, NOTHING
    return scene.put(what.place, replace(life, suspended=False)), DONE


@_rule("renew")
def _renew(scene: Scene, what: Act) -> Outcome:
    life, until = _of_staff(scene, what), what.until
    if life is None or until is None or not scene.now < until <= scene.now + MOST or life.version != what.version:
        return scene, REFUSED
    if (until, what.extends) == (life.runs_out(scene.now), life.extends):
        return scene, NOTHING
    return scene.put(what.place, replace(life, expires=until, extends=what.extends)), DONE


@_rule("agree")
def _agree(scene: Scene, what: Act) -> Outcome:
    """Each side's act: the first begins an agreement of so many days from today, the second completes it."""
    by_agent = what.who in PEOPLE
    life = _of_agent(scene, what) if by_agent else _of_staff(scene, what)
    if life is None:
        return scene, REFUSED
    today = scene.now.date()
    there = life.agreement
    if there is not None and not there.over(today) and there.last is not None and there.last < today:
        return scene, REFUSED  # nobody else acted in time
    if there is None or there.over(today):
        there = Agreement(first=today, last=None if what.days is None else today + timedelta(days=what.days))
    acted = replace(there, signed=there.signed or by_agent, recorded=there.recorded or not by_agent)
    if acted == life.agreement:
        return scene, NOTHING
    return scene.put(what.place, replace(life, agreement=acted)), DONE


@_rule("terminate")
def _terminate(scene: Scene, what: Act) -> Outcome:
    life = _of_staff(scene, what)
    if life is None or life.version != what.version or life.agreement is None:
        return scene, REFUSED
    if life.agreement.over(scene.now.date()):
        return scene, NOTHING
    return scene.put(what.place, replace(life, agreement=replace(life.agreement, terminated=True))), DONE


@_rule("assign")
def _assign(scene: Scene, what: Act) -> Outcome:
    life = _of_agent(scene, what)
    if life is None or life.agent != "acme" or "ben" in scene.departed:
        return scene, REFUSED
    if what.cap is not None and not what.cap <= {each.role for each in life.grants}:
        return scene, REFUSED
    assigned = {**life.assigned, "ben": what.cap}
    if assigned == life.assigned:
        return scene, NOTHING
    return scene.put(what.place, replace(life, assigned=assigned)), DONE


@_rule("ask for")
def _ask_for(scene: Scene, what: Act) -> Outcome:
    life = _of_agent(scene, what)
    if life is None or not what.roles or not what.roles <= OFFERED[life.agent]:
        return scene, REFUSED
    if what.roles == life.wish:
        return scene, NOTHING
    return scene.put(what.place, replace(life, wish=what.roles)), DONE


@_rule("unassign")
def _unassign(scene: Scene, what: Act) -> Outcome:
    life = _of_agent(scene, what)
    if life is None or life.agent != "acme":
        return scene, REFUSED
    if "ben" not in life.assigned:
        return scene, NOTHING
    return scene.put(what.place, replace(life, assigned={})), DONE


@_rule("depart")
def _depart(scene: Scene, what: Act) -> Outcome:
    if what.who != "ada":
        return scene, REFUSED
    if "ben" in scene.departed:
        return scene, NOTHING
    for place, life in enumerate(scene.lives):
        if "ben" in life.assigned:
            left = replace(life, assigned={})
            scene = scene.put(place, left) if not life.over(scene.now) else scene.quietly(place, left)
    return replace(scene, departed=scene.departed | {"ben"}), DONE


@_rule("stop")
def _stop(scene: Scene, what: Act) -> Outcome:
    return _by_platform(scene, what, scene.stopped | {what.agent})


@_rule("go on")
def _go_on(scene: Scene, what: Act) -> Outcome:
    return _by_platform(scene, what, scene.stopped - {what.agent})


def _by_platform(scene: Scene, what: Act, stopped: frozenset[str]) -> Outcome:
    if what.who != "operator":
        return scene, REFUSED
    if stopped == scene.stopped:
        return scene, NOTHING
    for place, life in enumerate(scene.lives):
        if life.agent == what.agent and not life.over(scene.now):
            scene = scene.put(place, life)
    return replace(scene, stopped=stopped), DONE


@_rule("keep")
def _keep(scene: Scene, what: Act) -> Outcome:
    """The review that was open when its caller looked: somebody else's decision is as good."""
    life = _of_staff(scene, what)
    if STAFF.get(what.who) == scene.lives[what.place].practice and scene.lives[what.place].reviews != what.version:
        return scene, NOTHING
    if life is None:
        return scene, REFUSED
    return scene.put(what.place, replace(life, reviewed=scene.now, reviews=life.reviews + 1)), DONE
