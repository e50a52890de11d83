"""The table of limits and what the environment may do to it."""

from __future__ import annotations

import pytest

import limits


def test_every_limit_has_a_name_a_unit_and_a_reason_once() -> None:
    names = [limit.name for limit in limits.TABLE]
    assert len(set(names)) == len(names)
    for limit in limits.TABLE:
        assert limit.name.isidentifier()
        assert limit.name.islower()
        assert limit.value >= 1
        assert limit.unit
        assert limit.reason


def test_the_environment_replaces_a_value_and_leaves_the_rest() -> None:
    changed = limits.read({"SPAREKEY_LIMIT_DOCUMENT_DEPTH": "7", "PATH": "/bin"})
    assert changed["document_depth"].value == 7
    assert changed["document_depth"].unit == "levels"
    assert changed["document_tokens"].value == 1000


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "ten", "\u0661", "9" * 13, "9" * 5000])
def test_a_limit_that_is_not_a_whole_number_of_at_least_1_is_refused(text: str) -> None:
    with pytest.raises(limits.LimitInvalid, match="SPAREKEY_LIMIT_DOCUMENT_DEPTH"):
        limits.read({"SPAREKEY_LIMIT_DOCUMENT_DEPTH": text})


def test_a_limit_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(limits.LimitInvalid, match="there is no such limit"):
        limits.read({"SPAREKEY_LIMIT_DOCUMENT_DETPH": "7"})
