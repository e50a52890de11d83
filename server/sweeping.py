"""The sweeper in every server: it comes by every minute and tells what time alone brought about.

It only tells (`operations/sweep.py`); nothing that anybody may do waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

import limits
from authz.policy import Policy
from operations.sweep import sweep

LOGGER = logging.getLogger("sparekey.sweep")


async def sweep_now_and_then(policy: Callable[[], Policy], clock: Callable[[], datetime]) -> None:
    """For ever. When it fails, the next time will do."""
    while True:
        await asyncio.sleep(limits.of("sweep_seconds"))
        try:
            await sweep(policy(), clock(), limits.of("sweep_engagements"))
        except Exception as fault:  # whatever it was, it was undone; the message could repeat a row's values
            LOGGER.warning("nothing could be told: %s", type(fault).__name__)
