"""Opening and closing the database, in one place that knows every time limit of a connection.

The context is global to the process: requests, WebSocket tasks and units of work run in tasks that never saw
the one in which the pool was opened.
"""

from __future__ import annotations

from typing import Any

from tortoise.backends.base.client import TransactionalDBClient
from tortoise.context import TortoiseContext

from models import memory
from models.asyncpg_client import AsyncpgClient, PoolExhausted
from models.listening import Listening
from models.reading import Readers, Row
from models.tenancy import NOBODY, Acting, act_unless_said

__all__ = [
    "APP",
    "Connection",
    "PoolExhausted",
    "Row",
    "client",
    "connect",
    "disconnect",
    "listening",
    "options",
    "read",
    "readers",
    "watched_read",
]

APP = "models"  # tortoise's name for this folder, in migrations and in references between models

Connection = TransactionalDBClient  # what a unit of work is given: one connection with an open transaction

STATEMENT_SECONDS = 10.0  # every request's deadline; no single statement may outlive it
LOCK_SECONDS = 5.0  # waiting for another transaction's row: less, so that its message wins over the deadline's
IDLE_SECONDS = 15.0  # a transaction left open by a fault; above the deadline, so that it never cuts a live one
ACQUIRE_SECONDS = 1.0  # waiting for a free connection: "busy" must be an answer within a second

_context: TortoiseContext | None = None
_readers: Readers | None = None
_listening: Listening | None = None


def options(
    url: str, *, minsize: int = 2, maxsize: int = 16, statement_seconds: float = STATEMENT_SECONDS
) -> dict[str, Any]:
    """Arguments of `AsyncpgClient`. The server enforces the limits; the driver's own comes a second later."""
    return {
        "dsn": url,
        "minsize": minsize,
        "maxsize": maxsize,
        "acquire_timeout": ACQUIRE_SECONDS,
        "command_timeout": statement_seconds + 1,
        "application_name": "sparekey",
        "server_settings": {
            "statement_timeout": _milliseconds(statement_seconds),
            "lock_timeout": _milliseconds(min(LOCK_SECONDS, statement_seconds)),
            "idle_in_transaction_session_timeout": _milliseconds(IDLE_SECONDS),
            "timezone": "UTC",
        },
    }


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


async def connect(
    url: str,
    *,
    minsize: int = 2,
    maxsize: int = 16,
    statement_seconds: float = STATEMENT_SECONDS,
    acting: Acting = NOBODY,
) -> None:
    """Open the pool and make every model usable. Fails here, not at the first query, if nobody answers.

    `acting`: for whom the database is asked where nobody is named (`models/tenancy.py`).
    """
    global _context, _readers, _listening
    if _context is not None:
        raise RuntimeError("the database is connected already: call disconnect() first")
    act_unless_said(acting)
    credentials = options(url, minsize=minsize, maxsize=maxsize, statement_seconds=statement_seconds)
    context = TortoiseContext()
    _context, _readers, _listening = context, _reading(credentials, maxsize), Listening(url)
    try:
        with context:  # models ask for the current context while they are set up; afterwards it is the global one
            await context.init(config=_config(credentials), _enable_global_fallback=True)
        await client().pool()
    except BaseException:
        await disconnect()
        raise


def _reading(credentials: dict[str, Any], maxsize: int) -> Readers:
    """Half as many again as the pool has: a read holds its connection for one statement only.

    A statement is planned once for a connection: planning it anew for its values costs more than running it, and
    every one of them finds its rows by index, whatever the values are.
    """
    settings = {
        **credentials["server_settings"],
        "default_transaction_read_only": "on",
        "plan_cache_mode": "force_generic_plan",
        "application_name": "sparekey",
    }
    options = {"command_timeout": credentials["command_timeout"], "server_settings": settings}
    return Readers(credentials["dsn"], max(1, maxsize // 2), ACQUIRE_SECONDS, options)


def _config(credentials: dict[str, Any]) -> dict[str, Any]:
    return {
        "connections": {"default": {"engine": "models.asyncpg_client", "credentials": credentials}},
        "apps": {APP: {"models": ["models"], "migrations": "models.migrations", "default_connection": "default"}},
        "use_tz": True,
        "timezone": "UTC",
    }


async def disconnect() -> None:
    """Close the pool. Harmless when there is none."""
    global _context, _readers, _listening
    context, _context = _context, None
    readers, _readers = _readers, None
    ears, _listening = _listening, None
    if ears is not None:
        await ears.close()
    if readers is not None:
        readers.close()
    if context is not None:
        await context.close_connections()


async def read(sql: str, *values: Any) -> list[Row]:
    """The rows of one statement that changes nothing, outside a unit of work. Raises PoolExhausted.

    What is made of them is not remembered: see `watched_read`.
    """
    memory.spoil()
    return await readers().read(sql, *values)


async def watched_read(sql: str, *values: Any) -> list[Row]:
    """The same for a caller who notes (`models.memory.note`) every row on which the result depends."""
    return await readers().read(sql, *values)


def readers() -> Readers:
    if _readers is None:
        raise RuntimeError("the database is not connected: call connect() first")
    return _readers


def listening() -> Listening:
    if _listening is None:
        raise RuntimeError("the database is not connected: call connect() first")
    return _listening


def client() -> AsyncpgClient:
    """The pool's client, never a transaction: what reads that stand outside a unit of work use."""
    if _context is None:
        raise RuntimeError("the database is not connected: call connect() first")
    return _pooled(_context)


def _pooled(context: TortoiseContext) -> AsyncpgClient:
    found = context.db()
    while not isinstance(found, AsyncpgClient):  # a transaction's wrapper, when asked from within one
        found = found._parent
    return found
