"""Times and dates: what is taken, what is given, and what a bad value is told."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
import strawberry
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig

from schema.scalars import SCALARS


def _same_time(at: datetime) -> datetime:
    assert at.utcoffset() == timedelta(0)
    return at


def _same_day(on: date) -> date:
    return on


def _given(info: strawberry.Info) -> datetime:
    return info.context  # type: ignore[no-any-return]


def _given_day(info: strawberry.Info) -> date:
    return info.context  # type: ignore[no-any-return]


def _json(info: strawberry.Info) -> JSON:
    return JSON(info.context)


@strawberry.type
class Query:
    at: datetime = strawberry.field(resolver=_same_time)
    on: date = strawberry.field(resolver=_same_day)
    given: datetime = strawberry.field(resolver=_given)
    given_day: date = strawberry.field(resolver=_given_day)
    json: JSON = strawberry.field(resolver=_json)


SCHEMA = strawberry.Schema(Query, config=StrawberryConfig(scalar_map=SCALARS))


def _answer(document: str, context: object = None, **variables: Any) -> Any:
    answer = SCHEMA.execute_sync(document, variables, context)
    assert answer.errors is None
    assert answer.data is not None
    return next(iter(answer.data.values()))


def _refusal(document: str, context: object = None, **variables: Any) -> str:
    logging.disable()
    try:
        errors = SCHEMA.execute_sync(document, variables, context).errors
    finally:
        logging.disable(logging.NOTSET)
    assert errors is not None
    assert len(errors) == 1
    return errors[0].message


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("2026-03-01T09:30:00Z", "2026-03-01T09:30:00Z"),
        ("2026-03-01t09:30:00z", "2026-03-01T09:30:00Z"),
        ("2026-03-01T09:30:00.120+01:00", "2026-03-01T08:30:00.120Z"),
        ("2026-03-01T09:30:00.5-05:30", "2026-03-01T15:00:00.500Z"),
        ("2026-03-01T09:30:00.123456Z", "2026-03-01T09:30:00.123456Z"),
        ("2026-03-01T00:30:00+14:00", "2026-02-28T10:30:00Z"),
    ],
)
def test_a_time_with_an_offset_comes_back_in_utc(typed: str, told: str) -> None:
    assert _answer("query($at: DateTime!) { at(at: $at) }", at=typed) == told
    assert _answer(f'{{ at(at: "{typed}") }}') == told


@pytest.mark.parametrize(
    "typed",
    [
        "2026-03-01T09:30:00",
        "2026-03-01",
        "2026-03-01 09:30:00Z",
        "20260301T093000Z",
        "2026-W09-7T09:30:00Z",
        "2026-03-01T09:30Z",
        "2026-03-01T09:30:00.1234567Z",
        "2026-03-01T09:30:00,5Z",
        "2026-03-01T09:30:00+01",
        "2026-03-01T09:30:00+24:00",
        "2026-03-01T09:30:00Z\n",
        "٢٠٢٦-03-01T09:30:00Z",
        "tomorrow",
        "",
        1772357400,
        True,
    ],
)
def test_a_time_in_any_other_form_is_refused(typed: object) -> None:
    assert "is not a DateTime: write it with an offset" in _refusal("query($at: DateTime!) { at(at: $at) }", at=typed)


@pytest.mark.parametrize(
    "typed", ["2026-02-29T09:30:00Z", "2026-03-01T24:30:00Z", "2026-03-01T09:30:60Z", "0001-01-01T00:00:00+10:00"]
)
def test_a_time_that_does_not_exist_is_refused(typed: str) -> None:
    assert "there is no such day or time" in _refusal("query($at: DateTime!) { at(at: $at) }", at=typed)


@pytest.mark.parametrize(
    "typed", ["20260301", "2026-3-1", "2026-W09-7", "2026-03-01T00:00:00Z", "2026-02-30", 20260301]
)
def test_a_date_in_any_other_form_is_refused(typed: object) -> None:
    assert "is not a Date" in _refusal("query($on: Date!) { on(on: $on) }", on=typed)


def test_a_date_comes_back_as_it_was() -> None:
    assert _answer('{ on(on: "2028-02-29") }') == "2028-02-29"


@pytest.mark.parametrize("field", ["at(at: $typed)", "on(on: $typed)"])
def test_a_long_bad_value_is_not_repeated(field: str) -> None:
    scalar = "DateTime" if field.startswith("at") else "Date"
    as_variable = _refusal(f"query($typed: {scalar}!) {{ {field} }}", typed="x" * 10_000)
    as_literal = _refusal("{ " + field.replace("$typed", '"' + "x" * 10_000 + '"') + " }")
    assert as_variable.count("x") < 40
    assert as_literal.count("x") < 40


def test_control_characters_of_a_bad_value_are_not_repeated() -> None:
    told = _refusal("query($at: DateTime!) { at(at: $at) }", at="\x1b[31m\u202e\u0434")
    assert told.isprintable()
    assert told.isascii()


def test_a_time_of_another_zone_leaves_in_utc() -> None:
    there = timezone(timedelta(hours=-5))
    assert _answer("{ given }", datetime(2026, 3, 1, 20, tzinfo=there)) == "2026-03-02T01:00:00Z"
    assert _answer("{ given }", datetime(2026, 3, 1, 20, 0, 0, 7000, tzinfo=UTC)) == "2026-03-01T20:00:00.007Z"


def test_a_time_without_an_offset_never_leaves() -> None:
    assert "without an offset" in _refusal("{ given }", datetime(2026, 3, 1))
    assert "else than a Date" in _refusal("{ givenDay }", datetime(2026, 3, 1, tzinfo=UTC))


def test_json_passes_unchanged() -> None:
    value = {"roles": ["biller"], "none": None, "deep": [{"a": 1.5}]}
    assert _answer("{ json }", value) == value
