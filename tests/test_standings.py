"""What is remembered of standings: when all of them hold, and when none is worth keeping any more."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from authz import standings
from authz.life import Status
from authz.standings import FIRST, Standing, Standings
from tests.http_door import NOW

HOUR = timedelta(hours=1)


def standing(since: datetime = NOW, until: datetime = NOW + 9 * HOUR, overdue_before: datetime = FIRST) -> Standing:
    return Standing(Status.ACTIVE, (), since, until, overdue_before)


def test_all_hold_from_the_latest_beginning_until_the_earliest_end() -> None:
    known = Standings()
    known.keep(("one",), standing(since=NOW - HOUR, until=NOW + HOUR))
    known.keep(("other",), standing(since=NOW))
    known.keep(("of an earlier question",), standing(since=NOW - 2 * HOUR))
    moments = [NOW - timedelta(microseconds=1), NOW, NOW + HOUR - timedelta(microseconds=1), NOW + HOUR]
    assert [known.all_hold(at, NOW) for at in moments] == [False, True, True, False]


def test_a_review_that_is_too_old_for_one_of_them_is_looked_at_one_by_one() -> None:
    known = Standings()
    known.keep(("strict",), standing(overdue_before=NOW - HOUR))
    known.keep(("lax",), standing())
    assert known.all_hold(NOW, NOW - HOUR)
    older = NOW - HOUR - timedelta(microseconds=1)
    assert not known.all_hold(NOW, older)
    assert [each.holds(NOW, older) for each in known.values()] == [False, True]


def test_when_one_has_ended_the_next_that_is_found_replaces_them_all() -> None:
    """Otherwise the first that ended would be asked about for ever."""
    known = Standings()
    known.keep(("ends at noon",), standing(until=NOW + HOUR))
    known.keep(("ends at midnight",), standing())
    known.keep(("found at noon",), standing(since=NOW + HOUR))
    assert list(known) == [("found at noon",)]
    assert known.all_hold(NOW + HOUR, NOW)


def test_there_are_at_most_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standings, "MOST", 3)
    known = Standings()
    for number in range(4):
        known.keep((number,), standing())
    assert list(known) == [(3,)]
