"""The one way to a policy: a folder of YAML goes in, a frozen policy that has passed its own tests comes out.

Root roles (`root: true`; in the shipped set owner and operator) are outside the claims about separation of
duty and escalation: they are the ones who answer for the rest. Everything else holds for them too.
"""

from __future__ import annotations

from pathlib import Path

from authz.check import check
from authz.policy import Policy


def load(folder: Path) -> Policy:
    """Loads and activates nothing by halves: raises `authz.check.PolicyRejected` with every diagnostic."""
    return check(folder)
