"""What is kept, what it is kept from, and what makes it go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from models import memory
from models.memory import Changes, Key, Memory

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ELM: Key = ("practices.id", UUID(int=1))
OAK: Key = ("practices.id", UUID(int=2))


def made(changes: Changes, *keys: Key, until: datetime | None = None) -> memory.Recording:
    with changes.recorded() as found:
        memory.note(*keys)
        if until is not None:
            memory.hold_until(until)
    return found


@pytest.fixture
def kept() -> Memory[str]:
    return Memory(10)


def test_a_value_is_found_until_a_row_that_it_was_made_of_changes(kept: Memory[str]) -> None:
    changes = Changes(kept)
    assert kept.keep("page", "elm", made(changes, ELM), NOW)
    changes.happened([OAK])
    assert kept.get("page", NOW) == "elm"
    changes.happened([ELM])
    assert kept.get("page", NOW) is None


def test_a_change_while_it_was_made_keeps_it_from_being_kept_whenever_the_row_was_noted(kept: Memory[str]) -> None:
    changes = Changes(kept)
    with changes.recorded() as found:
        changes.happened([ELM])  # the read may have begun before this, and is noted only now
        memory.note(ELM)
    assert not kept.keep("page", "elm", found, NOW)


def test_what_nobody_watches_spoils_it(kept: Memory[str]) -> None:
    changes = Changes(kept)
    with changes.recorded() as found:
        memory.note(ELM)
        memory.spoil()
    assert not kept.keep("page", "elm", found, NOW)


@pytest.mark.parametrize(("at", "there"), [(-SECOND, False), (0 * SECOND, True), (SECOND, True), (2 * SECOND, False)])
def test_it_holds_from_when_it_was_made_until_time_changes_it(kept: Memory[str], at: timedelta, there: bool) -> None:
    changes = Changes(kept)
    kept.keep("page", "elm", made(changes, ELM, until=NOW + 2 * SECOND), NOW)
    assert (kept.get("page", NOW + at) is not None) is there


def test_it_holds_until_the_first_of_several_ends() -> None:
    found = memory.Recording()
    for seconds in (5, 2, 9):
        found.hold(NOW + seconds * SECOND)
    assert found.until == NOW + 2 * SECOND


def test_what_is_made_of_something_kept_depends_on_all_that_it_was_made_of(kept: Memory[str]) -> None:
    people: Memory[str] = Memory(10)
    changes = Changes(kept, people)
    people.keep("olivia", "owner", made(changes, ELM, until=NOW + SECOND), NOW)
    with changes.recorded() as found:
        assert people.get("olivia", NOW) == "owner"
        memory.note(OAK)
    assert found.keys == {ELM, OAK}
    assert found.until == NOW + SECOND


def test_a_recording_within_another_counts_for_both() -> None:
    changes = Changes()
    with changes.recorded() as outer, changes.recorded() as inner:
        memory.note(ELM)
        memory.spoil()
    assert (inner.spoiled, outer.spoiled) == (True, True)
    assert outer.keys == {ELM}


def test_nothing_is_noted_where_nothing_is_recorded() -> None:
    memory.note(ELM)
    memory.hold_until(NOW)
    memory.spoil()
    assert memory.recording() is None


def test_beyond_its_weight_the_value_goes_that_was_not_asked_for_longest(kept: Memory[str]) -> None:
    changes = Changes(kept)
    for name in ("first", "second", "third"):
        kept.keep(name, name, made(changes, ELM), NOW, weight=3)
    assert kept.get("first", NOW) == "first"
    kept.keep("fourth", "fourth", made(changes, ELM), NOW, weight=3)
    assert [name for name in ("first", "second", "third", "fourth") if kept.get(name, NOW)] == [
        "first",
        "third",
        "fourth",
    ]
    assert kept.weight == 9


def test_what_weighs_more_than_everything_is_not_kept(kept: Memory[str]) -> None:
    assert not kept.keep("page", "elm", made(Changes(kept), ELM), NOW, weight=11)


def test_a_loss_forgets_everything_and_spoils_what_is_being_made(kept: Memory[str]) -> None:
    changes = Changes(kept)
    kept.keep("page", "elm", made(changes, ELM), NOW)
    with changes.recorded() as found:
        changes.anything_may_have()
    assert kept.get("page", NOW) is None
    assert found.spoiled
    assert (len(kept), kept.weight) == (0, 0)


def test_forgetting_leaves_no_trace_of_what_depended_on_what(kept: Memory[Any]) -> None:
    changes = Changes(kept)
    for _ in range(100):
        kept.keep("page", "elm", made(changes, ELM, OAK), NOW)
        changes.happened([ELM])
    assert kept._depending == {}
