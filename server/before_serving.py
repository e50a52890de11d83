"""The start-up checks as `sparekey serve` runs them: refusals stop it, warnings are logged once, the rest is silent.

They come before anything of the server is opened, over a connection of their own, so that a refusal is a sentence at
the terminal and not a failure inside the server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

import asyncpg
from tortoise.exceptions import OperationalError

from models import migrate
from server import checks
from server.checks import Examined, Unsafe
from server.checks_database import Unreachable, look
from server.findings import Outcome
from server.settings import Settings

OWNER = "name the role that owns the tables in SPAREKEY_DATABASE_OWNER_URL, which only the migrations use"
LOGGER = logging.getLogger("sparekey.checks")


class NotUpToDate(Exception):
    """The tables lack what this version needs, and this role may not add it. Says what to do."""


def examined(
    settings: Settings, url: str, now: Callable[[], datetime], load_policies: Callable[[], object]
) -> Examined:
    try:
        return Examined(settings, load_policies, asyncio.run(look(url, now)))
    except Unreachable as unreachable:
        return Examined(settings, load_policies, why_not=str(unreachable))


def refuse_unsafe(settings: Settings, url: str, now: Callable[[], datetime]) -> None:
    """Raises Unsafe. For a server whose policies are loaded already."""
    seen = checks.run(examined(settings, url, now, load_policies=lambda: None))
    if refusals := list(checks.with_outcome(seen, Outcome.REFUSED)):
        raise Unsafe(refusals)
    for each in checks.with_outcome(seen, Outcome.WARNING):
        LOGGER.warning("%s: %s", each.check.name, each.finding.advice)


def bring_up_to_date(owner_url: str) -> None:
    """Run what is missing of the migrations. Raises NotUpToDate where our role may not; of other faults checks tell."""
    try:
        asyncio.run(migrate.bring_up_to_date(owner_url))
    except (asyncpg.InsufficientPrivilegeError, OperationalError) as fault:
        if not isinstance(fault.__cause__ or fault, asyncpg.InsufficientPrivilegeError):
            raise
        raise NotUpToDate(f"{fault}: {OWNER}") from None
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError):
        LOGGER.debug("no migration was run: the database did not answer")
