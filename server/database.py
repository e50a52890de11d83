"""The database of the settings, for commands that ask or change one thing and end."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import asyncpg
import click

from models.connection import connect, disconnect
from models.migrate import is_current
from models.tenancy import SERVICE
from server.embedded import Embedded, EmbeddedUnavailable
from server.reload import unreachable
from server.settings import PEPPER_BYTES, SettingsInvalid, from_environment

T = TypeVar("T")
NOT_UP_TO_DATE = "the database is not up to date; start the server once"


def with_database(work: Callable[[], Awaitable[T]]) -> T:
    """Runs against the database that `sparekey serve` would use; the embedded one is started when nobody runs it.

    Raises click.ClickException, with what to do, where there is none to use.
    """
    try:
        settings = from_environment(without_pepper(os.environ))
        embedded = None if settings.database_url else Embedded(settings.data_dir)
        if embedded:
            embedded.start()
        return asyncio.run(_connected(settings.database_url or (embedded.application_url if embedded else ""), work))
    except (SettingsInvalid, EmbeddedUnavailable) as refusal:
        raise click.ClickException(str(refusal)) from None


def without_pepper(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The pepper hashes codes. A command that has none to hash needs none, and gets one for nothing."""
    return {**environment, "SPAREKEY_PEPPER": secrets.token_hex(PEPPER_BYTES)}


async def _connected(url: str, work: Callable[[], Awaitable[T]]) -> T:
    try:
        await connect(url, minsize=1, maxsize=2, statement_seconds=60, acting=SERVICE)
        if not await is_current():
            raise click.ClickException(NOT_UP_TO_DATE)
        return await work()
    except click.ClickException:
        raise
    except asyncpg.InvalidAuthorizationSpecificationError:  # a new database: the migrations make the role
        raise click.ClickException(NOT_UP_TO_DATE) from None
    except Exception as fault:
        if unreachable(fault):
            raise click.ClickException("the database does not answer; see SPAREKEY_DATABASE_URL") from None
        raise
    finally:
        await disconnect()
