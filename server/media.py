"""Which media type an answer takes, from the Accept header (RFC 9110, 12.5.1), and what a body must say it is.

Two types can be answered with. `application/graphql-response+json` is what a client gets that says nothing, as the
GraphQL-over-HTTP specification asks since January 2025. A client that accepts anything (`*/*`, curl's and fetch's
default) gets `application/json`, which every client can read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Range:
    """One part of an Accept header, or a Content-Type."""

    type: str
    parameters: dict[str, str]
    position: int = 0

    @property
    def quality(self) -> float:
        try:
            quality = float(self.parameters.get("q", "1"))
        except ValueError:
            return 0.0
        return quality if 0 <= quality <= 1 else 0.0

    @property
    def utf8(self) -> bool:
        return self.parameters.get("charset", "utf-8").lower() in ("utf-8", "utf8")

    def specificity(self, media: str) -> int:
        """2 for the type itself, 1 and 0 for wildcards, -1 when it does not match."""
        if not self.utf8:
            return -1
        names = (media, media.partition("/")[0] + "/*", "*/*")
        return 2 - names.index(self.type) if self.type in names else -1


def parse(text: str, position: int = 0) -> Range:
    name, *rest = (part.strip() for part in text.split(";"))
    pairs = (parameter.partition("=") for parameter in rest)
    return Range(name.lower(), {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}, position)


@lru_cache(maxsize=256)
def answer_type(accept: str | None) -> str | None:
    """The media type to answer with, or None when the client takes neither."""
    if accept is None or not accept.strip():
        return GRAPHQL
    ranges = [parse(part, position) for position, part in enumerate(accept.split(",")) if part.strip()]
    ranked = [(*_rank(ranges, media), media) for media in (GRAPHQL, JSON)]
    *_, best = max(ranked)  # of two that rank alike the later in the alphabet: application/json
    return best if max(ranked)[0] > 0 else None


def _rank(ranges: Sequence[Range], media: str) -> tuple[float, int, int]:
    """Quality, specificity and (early first) position of the most specific range that matches."""
    matching = [(each.specificity(media), -each.position, each.quality) for each in ranges]
    specificity, position, quality = max(matching, default=(-1, 0, 0.0))
    return (quality, specificity, position) if specificity >= 0 else (0.0, -1, 0)


def accepts_html(accept: str | None) -> bool:
    return any(parse(part).type == "text/html" and parse(part).quality > 0 for part in (accept or "").split(","))


@lru_cache(maxsize=256)
def is_json(content_type: str) -> bool:
    given = parse(content_type)
    return given.type == JSON and given.utf8
