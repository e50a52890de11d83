"""The database of the settings, for commands that ask or change one thing and end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from models.connection import connect, disconnect
from models.migrate import is_current
from server.embedded import Embedded, EmbeddedUnavailable
from server.reload import unreachable
from server.settings import PEPPER_BYTES, SettingsInvalid, from_environment

T = TypeVar("T")


def with_database(work: Callable[[], Awaitable[T]]) -> T:
    """Runs against the database that `sparekey serve` would use; the embedded one is started when nobody runs it.

    Raises click.ClickException, with what to do, where there is none to use.
    """
    try:
        # The pepper hashes codes; what these commands do has none to hash.
        settings = from_environment({**os.environ, "SPAREKEY_PEPPER": "-" * PEPPER_BYTES})
        embedded = None if settings.database_url else Embedded(settings.data_dir)
        if embedded:
            embedded.start()
        return asyncio.run(_connected(settings.database_url or (embedded.url if embedded else ""), work))
    except (SettingsInvalid, EmbeddedUnavailable) as refusal:
        raise click.ClickException(str(refusal)) from None


async def _connected(url: str, work: Callable[[], Awaitable[T]]) -> T:
    try:
        await connect(url, minsize=1, maxsize=2, statement_seconds=60)
        if not await is_current():
            raise click.ClickException("the database is not up to date; start the server once")
        return await work()
    except click.ClickException:
        raise
    except Exception as fault:
        if unreachable(fault):
            raise click.ClickException("the database does not answer; see SPAREKEY_DATABASE_URL") from None
        raise
    finally:
        await disconnect()
