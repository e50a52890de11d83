"""Step-up: what is sensitive needs a recent proof of who is at the keyboard."""

from __future__ import annotations

from datetime import datetime, timedelta

from errors import StepUpRequired


def require_recent(reauthenticated_at: datetime | None, now: datetime, seconds: int) -> None:
    """A sensitive change needs the password again (NIST SP 800-63B-4 §5.2). Raises StepUpRequired."""
    if reauthenticated_at is None or now - reauthenticated_at > timedelta(seconds=seconds):
        raise StepUpRequired(seconds)
