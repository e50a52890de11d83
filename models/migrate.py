"""Bringing the tables to the shape that the models expect, safely for several servers that start at once.

The files and the machinery are tortoise's. What it leaves open is closed here: one advisory lock around the
run, and one transaction for the changes and for the book that says they were made, so that a crash leaves
either the old shape or the new one.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

import asyncpg
from tortoise.exceptions import OperationalError

from models.asyncpg_client import AsyncpgClient
from models.connection import APP, Connection, client, connect, disconnect, options
from models.tenancy import SERVICE

LOCK = 7_237_125_413_202  # one number for "somebody migrates"; any constant that nobody else locks
CONNECT_SECONDS = 10.0
MIGRATE_SECONDS = 3600.0  # a large table may take long; a forgotten lock must still end

_MADE = "SELECT name FROM tortoise_migrations WHERE app = $1"


def on_disk() -> frozenset[str]:
    """Names of the migration files, found without importing them: this runs at every start."""
    package = import_module("models.migrations")
    return frozenset(name for _, name, is_package in pkgutil.iter_modules(package.__path__) if not is_package)


async def is_current() -> bool:
    """One query. Migrations that this version does not know are fine: a newer server may already run beside it."""
    try:
        rows = await client().execute_query_dict(_MADE, [APP])
    except OperationalError as fault:
        if isinstance(fault.__cause__, asyncpg.UndefinedTableError):
            return False
        raise
    return on_disk() <= {row["name"] for row in rows}


async def migrate() -> tuple[str, ...]:
    """Run what is missing; the names of the files that were run. `connect()` first, as the tables' owner."""
    if await is_current():
        return ()
    patient = AsyncpgClient(
        connection_name="default",
        **options(client().dsn, minsize=1, maxsize=1, statement_seconds=MIGRATE_SECONDS),
    )
    try:
        return await _migrate_alone(patient)
    finally:
        await patient.close()


async def bring_up_to_date(owner_url: str) -> tuple[str, ...]:
    """The same as a step of its own, as the role that owns the tables and does nothing else. Quick where nothing is
    missing: then models are not even set up."""
    if await _has_all(owner_url):
        return ()
    await connect(owner_url, minsize=1, maxsize=2, acting=SERVICE)
    try:
        return await migrate()
    finally:
        await disconnect()


async def _has_all(url: str) -> bool:
    session = await asyncpg.connect(url, timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS)
    try:
        rows = await session.fetch(_MADE, APP)
        return on_disk() <= {row["name"] for row in rows}
    except asyncpg.UndefinedTableError:
        return False
    finally:
        await session.close()


async def _migrate_alone(patient: AsyncpgClient) -> tuple[str, ...]:
    async with patient._in_transaction() as connection:
        await connection.execute_script(
            f"SET LOCAL lock_timeout = 0; {SERVICE.settings(local=True)}; SELECT pg_advisory_xact_lock({LOCK})"
        )
        return await _run_missing(connection)


async def _run_missing(connection: Connection) -> tuple[str, ...]:
    """Every statement, the bookkeeping included, goes through `connection`: all or nothing."""
    from tortoise.migrations.executor import MigrationExecutor  # 40 ms that a start with nothing to do saves
    from tortoise.migrations.schema_editor import AsyncpgSchemaEditor

    apps: dict[str, Any] = {APP: {"migrations": "models.migrations", "default_connection": "default"}}
    executor = MigrationExecutor(connection, apps)
    # Before anything reads the table: a failed SELECT would abort the transaction.
    await executor.recorder.ensure_schema(AsyncpgSchemaEditor(connection, atomic=False))
    done: list[str] = []
    await executor.migrate(direction="forward", progress=lambda event, _, name: _note(done, event, name))
    return tuple(done)


def _note(done: list[str], event: str, name: str) -> None:
    if event == "apply_done":
        done.append(name)
