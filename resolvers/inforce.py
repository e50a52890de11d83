"""The policy that a request is decided by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from authz.policy import Policy


@dataclass(frozen=True, slots=True)
class InForce:
    """A set, since when it is in force, and the number of the activation that says so."""

    policy: Policy
    activated_at: datetime
    activation: int
