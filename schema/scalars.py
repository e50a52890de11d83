"""Times, dates and free-form values on the wire.

Strawberry's own scalars accept times without an offset and repeat the whole bad value in the message. A time without
an offset means another instant on every machine, and messages end up in logs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

from graphql import GraphQLError
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

ECHO_LIMIT = 40

_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _echo(value: object) -> str:
    """At most ECHO_LIMIT characters of a bad value, without control characters."""
    shown = ascii(value)
    return shown if len(shown) <= ECHO_LIMIT else shown[: ECHO_LIMIT - 1] + "…"


def _parse_date_time(value: object) -> datetime:
    """An aware time in UTC from RFC 3339 text: offset required, at most microseconds."""
    if not isinstance(value, str) or not _DATE_TIME.fullmatch(value):
        raise GraphQLError(
            f"{_echo(value)} is not a DateTime: write it with an offset, as 2026-03-01T09:30:00Z or "
            "2026-03-01T09:30:00+01:00"
        )
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError(f"{_echo(value)} is not a DateTime: there is no such day or time") from None


def _parse_date(value: object) -> date:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise GraphQLError(f"{_echo(value)} is not a Date: write it as 2026-03-01")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise GraphQLError(f"{_echo(value)} is not a Date: there is no such day") from None


def _print_date_time(value: object) -> str:
    """RFC 3339 in UTC with `Z`; as many decimals as the value needs: none, three or six."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError("a DateTime without an offset was about to leave the server")
    fraction = value.microsecond
    precision = "microseconds" if fraction % 1000 else "milliseconds" if fraction else "seconds"
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def _print_date(value: object) -> str:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise TypeError("something else than a Date was about to leave the server")
    return value.isoformat()


def _unchanged(value: object) -> object:
    return value


def _scalar(
    name: str,
    description: str,
    parse: Callable[[object], object],
    serialize: Callable[[object], object],
    specified_by: str,
) -> ScalarDefinition:
    return ScalarDefinition(
        name=name,
        description=description,
        specified_by_url=specified_by,
        parse_value=parse,
        parse_literal=None,
        serialize=serialize,
    )


# For StrawberryConfig(scalar_map=SCALARS).
SCALARS: dict[object, ScalarDefinition] = {
    datetime: _scalar(
        "DateTime",
        "An instant, as RFC 3339 text. Answers are in UTC with `Z` and up to six decimals of a second. Input needs an "
        "offset (`Z` or `+01:00`); without one it is refused.",
        _parse_date_time,
        _print_date_time,
        "https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
    ),
    date: _scalar(
        "Date",
        "A calendar day without a time, for example `2026-03-01`.",
        _parse_date,
        _print_date,
        "https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
    ),
    JSON: _scalar(
        "JSON",
        "A JSON value whose shape depends on where it comes from. Show it, do not build logic on its keys.",
        _unchanged,
        _unchanged,
        "https://www.rfc-editor.org/rfc/rfc8259",
    ),
}
