"""Identifiers that sort by the time they were made, so that a page in order of creation is an index scan."""

from __future__ import annotations

import secrets
import time
import uuid


def uuid7() -> uuid.UUID:
    """A version 7 UUID (RFC 9562 §5.7): 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    return uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def parse(text: str) -> uuid.UUID | None:
    """The identifier a caller sent, or None where no identifier can look like this.

    A malformed identifier names nothing, so callers get the same answer as for an unknown one.
    """
    if len(text) != 36:
        return None
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
