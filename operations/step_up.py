"""Step-up: what is sensitive needs a recent proof of who is at the keyboard."""

from __future__ import annotations

from datetime import timedelta

import limits
from authz.actor import Access
from errors import StepUpRequired


def require_recent(access: Access) -> None:
    """A sensitive change needs the password again (NIST SP 800-63B-4 §5.2). Raises StepUpRequired."""
    proved_at, seconds = access.actor.reauthenticated_at, limits.of("step_up_seconds")
    if proved_at is None or access.now - proved_at > timedelta(seconds=seconds):
        raise StepUpRequired(seconds)
