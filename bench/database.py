"""A PostgreSQL of a measurement's own: made, and gone with all it holds when the measurement is over."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from models import connection, migrate
from models.tenancy import SERVICE
from server.embedded import Embedded

STATEMENT_SECONDS = 60


@contextmanager
def new() -> Iterator[Embedded]:
    with tempfile.TemporaryDirectory(prefix="sparekey-bench-") as folder:
        os.chmod(folder, 0o755)  # noqa: S103  (the embedded PostgreSQL of a root shell runs as another account)
        embedded = Embedded(Path(folder))
        embedded.start()
        try:
            yield embedded
        finally:
            embedded.stop()


@asynccontextmanager
async def migrated(url: str) -> AsyncIterator[None]:
    """Connected as the service, with the tables there."""
    await connection.connect(url, statement_seconds=STATEMENT_SECONDS, acting=SERVICE)
    try:
        await migrate.migrate()
        yield
    finally:
        await connection.disconnect()
