"""The same town in every size: practices with 20 engagements each, and one signed-in owner each.

Everything follows from a practice's number, so that a measurement knows whom it may ask for without asking. One
engagement in ten is suspended and some agreements still wait for the practice, so that a peer that answers ACTIVE
for everybody is found out. The owners were seen in the future: the write of a session's last use, once a minute at
most and session, would otherwise fall into whichever round comes first. The roles were reviewed then, too: access
whose review is overdue is suspended, and one day all would be.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import asyncpg

from models import connection, migrate
from models.tenancy import SERVICE
from server.embedded import APPLICATION, Embedded

EACH = 20  # engagements of a practice
AGENTS = 500
KINDS = ("billing_company", "practice_management_company", "front_office_worker")
ROLES = (
    (("biller",), ("auditor", "biller"), ("auditor", "biller", "manager")),
    (("scheduler",), ("biller", "scheduler"), ("auditor", "biller", "scheduler")),
    (("scheduler",), ("biller", "scheduler"), ("biller", "manager", "scheduler")),
)
AGO, AHEAD = "2026-01-05 09:00+00", "2099-01-05 09:00+00"
LINES = 20_000  # in one piece of a COPY
_CHECK = """DO $$ BEGIN
    ASSERT NOT EXISTS (
        SELECT FROM (SELECT * FROM engagements LIMIT 1000) e WHERE e.outline <> engagement_outline(e.id)
    );
END $$"""

USER, PRACTICE, AGENT, ENGAGEMENT, GRANT, AGREEMENT, SESSION, STAFF = range(8)
PLATFORM = 0xFFFF_FFFF  # the number of the user who registered and verified every agent


@dataclass(frozen=True, slots=True)
class Town:
    """One filled database."""

    name: str
    url: str
    application_url: str
    practices: int


def identifier(table: int, number: int) -> str:
    """In the order of creation, as real ones are."""
    return f"01900000-0000-7000-800{table}-{number:012x}"


def reference(practice: int) -> str:
    """What the owner's cookie holds."""
    return f"owner-of-practice-{practice:08d}"


async def fill(embedded: Embedded, engagements: int) -> Town:
    """A database of its own on the embedded server, migrated, filled, and known to the planner."""
    name = f"page_{engagements}"
    urls = embedded.url_of(name), embedded.url_of(name, APPLICATION)
    town = Town(name, *urls, engagements // EACH)
    await _run(embedded.url, f"CREATE DATABASE {town.name}")
    await connection.connect(town.url, acting=SERVICE)
    try:
        await migrate.migrate()
    finally:
        await connection.disconnect()
    await _copy_all(town)
    await _run(town.url, _CHECK)
    await _run(town.url, "VACUUM (FREEZE, ANALYZE)")
    return town


async def _run(url: str, statement: str) -> None:
    session = await asyncpg.connect(url)
    try:
        await session.execute(statement)
    finally:
        await session.close()


async def _copy_all(town: Town) -> None:
    session = await asyncpg.connect(town.url)
    try:
        await session.execute("SET session_replication_role = replica")  # foreign keys hold by construction
        for table, (columns, rows) in _tables(town.practices).items():
            await session.copy_to_table(table, columns=columns.split(), source=_pieces(rows))
    finally:
        await session.close()


async def _pieces(rows: Iterator[Iterable[Any]]) -> AsyncIterator[bytes]:
    while piece := "".join("\t".join(map(str, row)) + "\n" for row in islice(rows, LINES)):
        yield piece.encode()


Table = tuple[str, Iterator[Iterable[Any]]]


def _tables(practices: int) -> dict[str, Table]:
    """Columns and rows, in COPY's text format."""
    return {
        "users": ("id name email created_at", _users(practices)),
        "agents": (
            "id kind legal_name address city phone email registered_at registered_by_id verified_at verified_by_id",
            _agents(),
        ),
        "practices": ("id name kind incorporated created_at created_by_id", _practices(practices)),
        "staff_members": ("id practice_id user_id roles added_at added_by_id", _staff(practices)),
        "sessions": (
            "id user_id reference_hash started_at last_seen_at reauthenticated_at expires_at",
            _sessions(practices),
        ),
        "engagements": (
            "id practice_id agent_id purpose started_at started_by_id expires_at reviewed_at outline suspended_at"
            " suspended_by_id",
            _engagements(practices),
        ),
        "role_grants": (
            "id engagement_id practice_id agent_id role granted_at granted_by_id confirmed_at confirmed_by_id",
            _grants(practices),
        ),
        "agreements": (
            "id engagement_id practice_id agent_id basis requested_at agent_signed_at practice_signed_at effective_on",
            _agreements(practices),
        ),
    }


def _users(practices: int) -> Iterator[Iterable[Any]]:
    yield identifier(USER, PLATFORM), "Platform", "platform@sparekey.example", AGO
    for n in range(practices):
        yield identifier(USER, n), f"Owner {n}", f"owner{n}@practice.example", AGO


def _agents() -> Iterator[Iterable[Any]]:
    by = identifier(USER, PLATFORM)
    for n in range(AGENTS):
        where = ("1 Example Street", "Dayton", "+1 555 0100", f"office{n}@agent.example")
        yield identifier(AGENT, n), _kind(n), f"Agent {n} Services", *where, AGO, by, AGO, by


def _practices(practices: int) -> Iterator[Iterable[Any]]:
    for n in range(practices):
        yield identifier(PRACTICE, n), f"Practice {n} Therapy", "independent_therapist", "f", AGO, identifier(USER, n)


def _staff(practices: int) -> Iterator[Iterable[Any]]:
    for n in range(practices):
        owner = identifier(USER, n)
        yield identifier(STAFF, n), identifier(PRACTICE, n), owner, "{owner}", AGO, owner


def _sessions(practices: int) -> Iterator[Iterable[Any]]:
    for n in range(practices):
        hashed = "\\\\x" + hashlib.sha256(reference(n).encode()).hexdigest()
        yield identifier(SESSION, n), identifier(USER, n), hashed, AGO, AHEAD, AGO, AHEAD


def _engagements(practices: int) -> Iterator[Iterable[Any]]:
    for n in range(practices * EACH):
        owner = identifier(USER, n // EACH)
        suspended = (AGO, owner) if n % 10 == 3 else ("\\N", "\\N")
        yield (
            identifier(ENGAGEMENT, n),
            *_tenants(n),
            "contracted_service",
            AGO,
            owner,
            AHEAD,
            AHEAD,
            _outline(n),
            *suspended,
        )


def _outline(engagement: int) -> str:
    """What the triggers would have kept, which do not see a COPY of replicas."""
    signed = "-a" if _lacks_signature(engagement) else "-ap"
    agreement = f"baa {signed} {AGO[:10]} - -" if _needs_agreement(engagement) else ""
    return f"{','.join(_roles(engagement))};{agreement}"


def _roles(engagement: int) -> tuple[str, ...]:
    return ROLES[_agent(engagement) % 3][engagement // 3 % 3]


def _grants(practices: int) -> Iterator[Iterable[Any]]:
    for n in range(practices * EACH):
        owner, engagement = identifier(USER, n // EACH), identifier(ENGAGEMENT, n)
        for place, role in enumerate(_roles(n)):
            yield identifier(GRANT, n * 3 + place), engagement, *_tenants(n), role, AGO, owner, AGO, owner


def _agreements(practices: int) -> Iterator[Iterable[Any]]:
    """Where the kind of agent needs one; every tenth still lacks the practice's signature."""
    for n in range(practices * EACH):
        if _needs_agreement(n):
            signed = "\\N" if _lacks_signature(n) else AGO
            yield identifier(AGREEMENT, n), identifier(ENGAGEMENT, n), *_tenants(n), "baa", AGO, AGO, signed, AGO[:10]


def _needs_agreement(engagement: int) -> bool:
    return _kind(_agent(engagement)) != "front_office_worker"


def _lacks_signature(engagement: int) -> bool:
    return engagement % 10 == 7


def _tenants(engagement: int) -> tuple[str, str]:
    """Practice and agent, which its parts carry, too."""
    return identifier(PRACTICE, engagement // EACH), identifier(AGENT, _agent(engagement))


def _agent(engagement: int) -> int:
    """20 different ones in each practice, of all kinds."""
    practice, place = divmod(engagement, EACH)
    return (practice * 37 + place * (AGENTS // EACH)) % AGENTS


def _kind(agent: int) -> str:
    return KINDS[agent % 3]
