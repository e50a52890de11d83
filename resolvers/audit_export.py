"""A chain as a file, for whoever keeps or reads the record elsewhere: JSON Lines, or CSV for a spreadsheet.

A line of JSON is the whole event, spelt as its hash is made (without `hash` itself, that is): a file from the first
event on is verified without us. CSV is RFC 4180, and for reading. A spreadsheet takes a cell that begins like a formula
for one; such a cell gets an apostrophe in front (OWASP, "CSV Injection"), so what a person typed is never run.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable
from typing import Any

import orjson

from models.connection import Row
from operations.record import EVENT_COLUMNS, canonical
from resolvers.audit_rows import Span, Step, event, pages

MEDIA_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8; header=present"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def export(span: Span, last: int, format: str, step: Step) -> AsyncIterator[bytes]:
    """The events of a span up to the sequence `last`, in pieces; `format` is one of MEDIA_TYPES."""
    write = json_lines if format == "jsonl" else csv_lines
    if format == "csv":
        yield _csv([EVENT_COLUMNS])
    async for page in pages(span, last, step):
        yield write(page)


def json_lines(page: Iterable[Row]) -> bytes:
    return b"".join(canonical(event(row)) + b"\n" for row in page)


def csv_lines(page: Iterable[Row]) -> bytes:
    return _csv([_cell(row[name]) for name in EVENT_COLUMNS] for row in page)


def _csv(lines: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    """Numbers are ours; what begins with a sign in them is none of a formula's."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"'{text}" if text.startswith(FORMULA) else text
