"""The drawn states are those of the code, and say what the design promises."""

from __future__ import annotations

import re

import pytest

from authz import life, states
from authz.life import Status
from authz.load import load
from tests.town import POLICIES

POLICY = load(POLICIES)


def drawn() -> set[tuple[str, str]]:
    return set(re.findall(r"^    (\w+) --> (\w+)", states.page(POLICY), re.MULTILINE))


def test_every_status_is_drawn_and_nothing_leads_out_of_the_last() -> None:
    assert {name for edge in drawn() for name in edge} == {status.name for status in Status}
    assert not [end for start, end in drawn() if start == "ENDED"]
    assert {start for start, end in drawn() if end == "ENDED"} == {status.name for status in Status} - {"ENDED"}


def test_of_two_things_the_one_of_higher_precedence_decides() -> None:
    listed = re.findall(r"^\d\. .*: `(\w+)`$", states.page(POLICY), re.MULTILINE)
    order = list(dict.fromkeys(listed))
    assert order == ["ENDED", "EXPIRED", "SUSPENDED", "AWAITING_ROLES", "AWAITING_AGREEMENT", "ACTIVE"]


def test_another_rule_is_another_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "review_overdue", lambda *_: False)
    assert "a review stays undecided" not in states.page(POLICY)
