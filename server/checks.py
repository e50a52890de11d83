"""What is looked at before the server listens, and by `sparekey doctor`: one table, one sentence of advice for each.

A setting may be readable and still be unsafe. `settings.py` refuses what cannot work; here is what works and must not:
an answer that says "kept" before the disk has it, a password over an open network, tables that anybody's bug may read.

A check is a name, what it looks at, and a function from what was found to its outcome. REFUSED stops the start, in
development too where it loses data and otherwise in production only, so that a fresh machine needs no settings at all.
WARNING is logged once. No sentence repeats a value that may hold a secret: URLs and keys are named by their variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from server import checks_database as database
from server import checks_settings as of_settings
from server.checks_database import Found
from server.findings import OK, Finding, Outcome, refused, skipped
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Examined:
    """`found` is None where no database could be asked, `why_not` says the reason. `load_policies` raises what is wrong
    with the folder's set."""

    settings: Settings
    load_policies: Callable[[], object]
    found: Found | None = None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    looks_at: str
    find: Callable[[Examined], Finding]


class Unsafe(Exception):
    """The server does not start. Says every refusal, a line each."""

    def __init__(self, refusals: Iterable[Seen]) -> None:
        super().__init__("\n".join(f"{seen.check.name}: {seen.finding.advice}" for seen in refusals))


@dataclass(frozen=True, slots=True)
class Seen:
    check: Check
    finding: Finding


def _settings(find: Callable[[Settings], Finding], examined: Examined) -> Finding:
    return find(examined.settings)


def _database(find: Callable[[Settings, Found], Finding], examined: Examined) -> Finding:
    return skipped("no database was asked") if examined.found is None else find(examined.settings, examined.found)


def _reached(examined: Examined) -> Finding:
    return OK if examined.found is not None else refused(examined.why_not)


def _policies(examined: Examined) -> Finding:
    return of_settings.policies(examined.load_policies)


def _check(name: str, looks_at: str, find: Callable[[Settings], Finding]) -> Check:
    return Check(name, looks_at, partial(_settings, find))


def _asked(name: str, looks_at: str, find: Callable[[Settings, Found], Finding]) -> Check:
    return Check(name, looks_at, partial(_database, find))


TABLE = (
    Check("policies", "the set in SPAREKEY_POLICIES, with its tests", _policies),
    _check("origins", "SPAREKEY_ORIGINS: pages over https", of_settings.origins),
    _check("address", "HOST: who can reach the server past its proxy", of_settings.address),
    _check("issuers", "SPAREKEY_ISSUERS: keys over https, addresses of named domains", of_settings.issuers),
    _check("proxies", "SPAREKEY_PROXIES: whose X-Forwarded-For is believed", of_settings.proxies),
    _check("graphiql", "SPAREKEY_GRAPHIQL", of_settings.graphiql),
    _check("public url", "SPAREKEY_PUBLIC_URL: whom passkeys are for", of_settings.public_url),
    _check("sessions", "how long a session lasts", of_settings.sessions),
    _check("files", "who may read and write what lies in DATA_DIR", of_settings.files),
    _check("database tls", "SPAREKEY_DATABASE_URL: sslmode", of_settings.database_tls),
    Check("database", "a connection, with the settings of every other", _reached),
    _asked("version", "of PostgreSQL", database.version),
    _asked("encoding", "of the database", database.encoding),
    _asked("fsync", "what is answered is on the disk", database.fsync),
    _asked("synchronous_commit", "what is answered is in the log on the disk", database.synchronous_commit),
    _asked("full_page_writes", "a page half written in a power cut can be mended", database.full_page_writes),
    _asked("clock", "the database's against ours", database.clock),
    _asked("role", "whether row-level security binds us", database.role),
    _asked("migrations", "the tables against the files", database.migrations),
)


def run(examined: Examined) -> list[Seen]:
    return [Seen(check, check.find(examined)) for check in TABLE]


def with_outcome(seen: Iterable[Seen], outcome: Outcome) -> Iterator[Seen]:
    return (each for each in seen if each.finding.outcome is outcome)
