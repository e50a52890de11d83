"""Which policy is in force: a row in the database, so that all workers agree and history can be asked.

A set is stored first and activated second. In between every worker that listens compiles it, so that no request
waits for that; a worker that did not listen finds the set by its digest when a request first shows it the new row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from authz.life import Party
from authz.policy import Policy
from models.connection import Connection, client
from models.identifier import uuid7
from models.unit_of_work import unit_of_work
from operations.record import About, Who, record

CHANNEL = "sparekey_policy"  # of NOTIFY; the payload is the source digest of a set to be ready for, or nothing

_NEWEST = "SELECT * FROM policy_activations ORDER BY number DESC LIMIT 1"
# Others read on; of two activations one waits. A lock of the table itself would need the right to change its rows.
_ALONE = "SELECT pg_advisory_xact_lock(hashtext('policy_activations'))"
_STORE = """
INSERT INTO policy_sets (source_digest, digest, files, stored_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (source_digest) DO NOTHING
"""
_FILES = "SELECT files FROM policy_sets WHERE source_digest = $1"
_ACTIVATE = """
INSERT INTO policy_activations (id, number, digest, source_digest, name, version, activated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_TELL = "SELECT pg_notify($1, $2)"


class BaseMoved(Exception):
    """Another set is in force than the one that the caller has compared with."""


@dataclass(frozen=True, slots=True)
class Activation:
    """`number` counts activations; the highest is in force."""

    number: int
    digest: str
    source_digest: str
    name: str
    version: str
    activated_at: datetime


async def newest(connection: Connection | None = None) -> Activation | None:
    """What is in force; None in a database that never had a policy."""
    rows = await (connection or client()).execute_query_dict(_NEWEST)
    fields = Activation.__dataclass_fields__
    return Activation(**{name: rows[0][name] for name in fields}) if rows else None


async def files_of(source_digest: str) -> Mapping[str, str] | None:
    """The files of a stored set, path to text."""
    rows = await client().execute_query_dict(_FILES, [source_digest])
    if not rows:
        return None
    found = rows[0]["files"]
    files: Mapping[str, str] = orjson.loads(found) if isinstance(found, str | bytes) else found
    return files


async def store(policy: Policy, files: Mapping[str, str], now: datetime) -> None:
    """Keep a set and let the workers get ready for it. It decides nothing yet."""

    async def work(connection: Connection) -> None:
        stored = [policy.source_digest, policy.digest, orjson.dumps(dict(files)).decode(), now]
        await connection.execute_query_dict(_STORE, stored)
        await connection.execute_query_dict(_TELL, [CHANNEL, policy.source_digest])

    await unit_of_work(work)


async def activate(policy: Policy, by: str, now: datetime, *, base: str | None = None, **more: Any) -> Activation:
    """Put a stored set in force: one row, one audit event, one notification, one transaction.

    Nothing happens where exactly these files are in force already. `by` is who or what asked for it. Raises
    BaseMoved where `base` is given and another digest is in force. `more` goes into the audit event.
    """

    async def work(connection: Connection) -> Activation:
        await connection.execute_query_dict(_ALONE)
        last = await newest(connection)
        if base is not None and base != (last.digest if last else ""):
            raise BaseMoved(last.digest if last else "")
        if last is not None and last.source_digest == policy.source_digest:
            return last
        number, name, version = (last.number + 1 if last else 1), policy.name[:100], policy.version[:40]
        made = Activation(number, policy.digest, policy.source_digest, name, version, now)
        await _write(connection, made, last, by, more)
        return made

    return await unit_of_work(work)


async def _write(
    connection: Connection, made: Activation, last: Activation | None, by: str, more: Mapping[str, Any]
) -> None:
    row = [uuid7(), made.number, made.digest, made.source_digest, made.name, made.version, made.activated_at]
    await connection.execute_query_dict(_ACTIVATE, row)
    under = last.digest if last else made.digest
    await record(
        connection,
        Who(by, None, Party.PLATFORM, under, made.activated_at),
        "policy.activated",
        About(platform=True),
        f"the policy {made.name} {made.version} ({made.digest}) is in force",
        before=_said(last) if last else None,
        after={**_said(made), **more},
    )
    await connection.execute_query_dict(_TELL, [CHANNEL, ""])


def _said(activation: Activation) -> dict[str, Any]:
    shown = ("number", "digest", "source_digest", "version")
    return {name: getattr(activation, name) for name in shown}
