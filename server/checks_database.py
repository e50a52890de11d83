"""Checks of the database: what one connection with our settings is told, and what that means.

Everything is asked as `SHOW` would answer in such a session, so that what a role, a database or a connection setting
overrides is seen as it will be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from models.connection import APP, options
from models.migrate import on_disk
from server.findings import OK, Finding, refused, refused_in_production, warning
from server.settings import Settings

# `xid8`, `pg_current_xact_id()` and `pg_visible_in_snapshot()`, by which a worker knows that what it remembers still
# holds (models/freshness.py), are as old as PostgreSQL 13. Nothing else in the tree needs a newer one.
OLDEST_VERSION = 13
# A clock that is kept by NTP is off by milliseconds. Several servers and the database stand side by side in the audit;
# a minute is more than a person's click and so turns before into after.
CLOCK_WARNING = timedelta(seconds=5)
CLOCK_REFUSED = timedelta(seconds=60)
PATIENCE = 10.0  # seconds for a connection, and for each statement

_SHOWN = """
SELECT current_setting('server_version_num')::int / 10000 AS version, current_setting('server_encoding') AS encoding,
    current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') <> '' AS has_standby,
    rolsuper AS superuser, rolbypassrls AS bypasses, to_regclass('tortoise_migrations') IS NOT NULL AS has_tables
FROM pg_roles WHERE rolname = current_user
"""
_TABLES = """
SELECT coalesce(bool_or(pg_has_role(relowner, 'USAGE')), false) AS owner,
    coalesce(bool_or(relrowsecurity), false) AS wall
FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::text::regnamespace
"""
_MIGRATIONS = "SELECT name FROM tortoise_migrations WHERE app = $1"


class Unreachable(Exception):
    """Says what kind of failure it was, and nothing of the URL or of what the driver says, which may repeat it."""

    def __init__(self, fault: BaseException) -> None:
        super().__init__(f"no connection ({type(fault).__name__}): see that it runs, and SPAREKEY_DATABASE_URL")


@dataclass(frozen=True, slots=True)
class Found:
    """`ahead`: by how much the database's clock is ahead of ours, at least; negative where it is behind.
    `wall`: whether any table has row-level security."""

    version: int
    encoding: str
    fsync: str
    full_page_writes: str
    synchronous_commit: str
    has_standby: bool
    superuser: bool
    bypasses: bool
    owner: bool
    wall: bool
    ahead: timedelta
    migrations: frozenset[str]


async def look(url: str, now: Callable[[], datetime]) -> Found:
    """Raises Unreachable."""
    try:
        settings = options(url)["server_settings"]
        session = await asyncpg.connect(url, timeout=PATIENCE, command_timeout=PATIENCE, server_settings=settings)
        try:
            return await _found(session, now)
        finally:
            await session.close(timeout=PATIENCE)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
        raise Unreachable(fault) from None


async def _found(session: Any, now: Callable[[], datetime]) -> Found:
    shown = dict(await session.fetchrow(_SHOWN))
    made = await session.fetch(_MIGRATIONS, APP) if shown.pop("has_tables") else []
    tables = await session.fetchrow(_TABLES)
    ahead = await _ahead(session, now)
    return Found(**shown, **dict(tables), ahead=ahead, migrations=frozenset(row["name"] for row in made))


async def _ahead(session: Any, now: Callable[[], datetime]) -> timedelta:
    """What the round trip can explain is no difference."""
    before = now()
    there: datetime = await session.fetchval("SELECT clock_timestamp()")
    after = now()
    return there - after if there > after else min(there - before, timedelta())


def version(settings: Settings, found: Found) -> Finding:
    if found.version >= OLDEST_VERSION:
        return OK
    return refused(f"it is PostgreSQL {found.version}: upgrade to {OLDEST_VERSION} or newer")


def encoding(settings: Settings, found: Found) -> Finding:
    """Names are text of any language, and are hashed as UTF-8."""
    if found.encoding == "UTF8":
        return OK
    return refused(f"it is {found.encoding}: make the database anew with CREATE DATABASE … ENCODING 'UTF8'")


def fsync(settings: Settings, found: Found) -> Finding:
    return _must_be_on("fsync", found.fsync)


def full_page_writes(settings: Settings, found: Found) -> Finding:
    return _must_be_on("full_page_writes", found.full_page_writes)


def _must_be_on(name: str, value: str) -> Finding:
    return OK if value == "on" else refused(f"write {name} = on in postgresql.conf and reload: data can be lost")


def synchronous_commit(settings: Settings, found: Found) -> Finding:
    """Where there is a synchronous standby, what is answered has to be on its disk, too, to survive a failover."""
    if found.synchronous_commit == "off":
        where = "for the server, the database and the role (ALTER ROLE … SET)"
        return refused(f"write synchronous_commit = on {where}: a crash loses what was answered")
    if found.has_standby and found.synchronous_commit in ("local", "remote_write"):
        return warning("write synchronous_commit = on: a failover to the standby loses what was answered")
    return OK


def clock(settings: Settings, found: Found) -> Finding:
    off = abs(found.ahead)
    if off < CLOCK_WARNING:
        return OK
    side = "ahead of" if found.ahead > timedelta() else "behind"
    advice = f"it is {off.total_seconds():.0f} s {side} ours: set both machines by NTP"
    return refused(advice) if off >= CLOCK_REFUSED else warning(advice)


def role(settings: Settings, found: Found) -> Finding:
    """Row-level security does not bind superusers, roles with BYPASSRLS, nor owners, who can switch it off.

    Only a warning while no table has any, because then there is nothing to walk around."""
    reasons = {"is a superuser": found.superuser, "has BYPASSRLS": found.bypasses, "owns the tables": found.owner}
    said = " and ".join(reason for reason, holds in reasons.items() if holds)
    if not said:
        return OK
    advice = f"our role {said}: connect as one that only has rights on the tables"
    return refused_in_production(settings, advice) if found.wall else warning(advice)


def migrations(settings: Settings, found: Found) -> Finding:
    """What is missing is run when the server starts. What is unknown a newer one has made, which may run beside us."""
    if unknown := found.migrations - on_disk():
        return warning(f"the tables are newer than this version ({', '.join(sorted(unknown))}): update it soon")
    return OK
