"""What a start-up check may say."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from server.settings import Settings


class Outcome(enum.StrEnum):
    OK = "OK"
    WARNING = "WARNING"
    REFUSED = "REFUSED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class Finding:
    """`advice`: one sentence, what to do; empty where there is nothing to do."""

    outcome: Outcome
    advice: str = ""


OK = Finding(Outcome.OK)


def warning(advice: str) -> Finding:
    return Finding(Outcome.WARNING, advice)


def refused(advice: str) -> Finding:
    return Finding(Outcome.REFUSED, advice)


def skipped(reason: str) -> Finding:
    return Finding(Outcome.SKIPPED, reason)


def refused_in_production(settings: Settings, advice: str) -> Finding:
    return warning(advice) if settings.development else refused(advice)
