"""A small model of engagements, written down a second time and differently: dates, who did what, and what follows.

`tests/test_lives.py` plays made-up lives against the API and against this. Nothing here is imported from what it
checks: where the two differ, one of them is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

DAY = timedelta(days=1)
TERM, MOST, GRACE, LATE = 365 * DAY, 730 * DAY, 30 * DAY, 30
REVIEW = {"biller": 365, "scheduler": 365, "manager": 90}
# One permission of each role, which no other of them gives.
PROBES = {"biller": "claims.submit", "scheduler": "schedule.write", "manager": "cpt_codes.update"}
GIVES = {"biller": {"biller"}, "scheduler": {"scheduler"}, "manager": {"biller", "scheduler", "manager"}}
OFFERED = {"acme": {"biller", "manager"}, "dana": {"biller", "scheduler", "manager"}}
STAFF = {"olga": "elm", "mia": "elm", "hugo": "harbour"}
OWNERS = {"olga", "hugo"}
PEOPLE = {"ada": "acme", "ben": "acme", "dana": "dana"}
ADMINS = {"ada", "dana"}


@dataclass(frozen=True)
class Grant:
    role: str
    until: datetime | None
    confirmed: bool


@dataclass(frozen=True)
class Agreement:
    first: date
    last: date | None
    signed: bool = False
    recorded: bool = False
    terminated: bool = False

    def over(self, today: date) -> bool:
        agreed = self.signed and self.recorded
        return self.terminated or (agreed and self.last is not None and self.last < today)

    def holds(self, today: date) -> bool:
        return self.signed and self.recorded and self.first <= today and not self.over(today)


@dataclass(frozen=True)
class Life:
    practice: str
    agent: str
    expires: datetime
    reviewed: datetime
    version: int = 1
    extends: bool = False
    grants: frozenset[Grant] = frozenset()
    agreement: Agreement | None = None
    assigned: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    suspended: bool = False
    ended: bool = False  # and written down
    receipt: bool = False
    reviews: int = 0  # decided
    wish: frozenset[str] = frozenset()  # roles that the agent asks for

    def runs_out(self, now: datetime) -> datetime:
        end = self.expires
        while self.extends and end <= now:
            end += TERM
        return end

    def live(self, now: datetime) -> set[str]:
        return {each.role for each in self.grants if each.confirmed and (each.until is None or each.until > now)}

    def over(self, now: datetime) -> bool:
        return self.ended or self.runs_out(now) + GRACE <= now

    def overdue(self, now: datetime) -> bool:
        roles = self.live(now)
        if not roles:
            return False
        last = self.reviewed.date() + DAY * (min(REVIEW[role] for role in roles) + LATE)
        return now >= datetime.combine(last + DAY, time(), UTC)

    def status(self, now: datetime, stopped: frozenset[str]) -> str:
        if self.over(now):
            return "ENDED"
        if self.runs_out(now) <= now:
            return "EXPIRED"
        if self.suspended or self.agent in stopped or self.overdue(now):
            return "SUSPENDED"
        if not self.live(now):
            return "AWAITING_ROLES"
        return "ACTIVE" if self.agreed(now) else "AWAITING_AGREEMENT"

    def agreed(self, now: datetime) -> bool:
        """Billing companies need one; for front-office workers it is recommended."""
        return self.agent == "dana" or (self.agreement is not None and self.agreement.holds(now.date()))

    def probes(self, person: str, now: datetime, stopped: frozenset[str], lost: frozenset[str]) -> set[str]:
        """Which of PROBES this person has. `lost`: probes that the policy in force gives nobody."""
        if PEOPLE[person] != self.agent or self.status(now, stopped) != "ACTIVE":
            return set()
        if person == "dana":
            roles = self.live(now)
        elif person in self.assigned:
            cap = self.assigned[person]
            roles = self.live(now) if cap is None else self.live(now) & cap
        else:
            roles = set()
        held = {PROBES[given] for role in roles for given in GIVES[role] & set(PROBES)}
        return held - lost


@dataclass(frozen=True)
class Scene:
    """Everything. `events`: how many the record of each practice has got."""

    now: datetime
    lives: tuple[Life, ...] = ()
    departed: frozenset[str] = frozenset()
    stopped: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    events: Mapping[str, int] = field(default_factory=dict)

    def newest(self, practice: str, agent: str) -> int | None:
        """The place of the last engagement between the two."""
        found = [n for n, each in enumerate(self.lives) if (each.practice, each.agent) == (practice, agent)]
        return found[-1] if found else None

    def put(self, place: int, life: Life, *, counted: bool = True) -> Scene:
        """With one event more in the record of its practice, and one version more."""
        life = replace(life, version=life.version + 1) if counted else life
        lives = (*self.lives[:place], life, *self.lives[place + 1 :])
        return replace(self, lives=lives, events=self._one_more(life.practice))

    def add(self, life: Life) -> Scene:
        return replace(self, lives=(*self.lives, life), events=self._one_more(life.practice))

    def quietly(self, place: int, life: Life) -> Scene:
        """What is over already is nobody's news."""
        return replace(self, lives=(*self.lives[:place], life, *self.lives[place + 1 :]))

    def _one_more(self, practice: str) -> dict[str, int]:
        return {**self.events, practice: self.events.get(practice, 0) + 1}

    def can(self, person: str, practice: str) -> set[str]:
        if person in self.departed:
            return set()
        found = [
            each.probes(person, self.now, self.stopped, self.lost) for each in self.lives if each.practice == practice
        ]
        return set().union(*found)
