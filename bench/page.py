"""The staff page over HTTP and PostgreSQL: a practice, its 20 engagements, each with agent, roles and status.

Ours beside PostGraphile 5, an idiomatic server of strawberry, Tortoise and DataLoaders, and a bare route that returns
the same bytes. Ours signs every caller in and checks what they may see; the others ask nobody, but for a second
PostGraphile that does the same work: it knows the caller by the same session, behind row-level security. *Executed*
means that every request is for another practice and that no answer is kept; *unchanged* that one page is asked again
and again. Before anything is measured every server's answer is compared with ours.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from authz.load import load
from bench import interpreter, page_data, results, servers
from bench import load as wrk
from bench.load import Asked, Figures, Target
from bench.page_data import EACH, PRACTICE, Town, identifier, reference
from bench.servers import Running
from server import postmaster
from server.embedded import Embedded

SMALL, USUAL, LARGE = 1_000, 200_000, 1_000_000
COMPARED = 20  # practices whose answers are compared
ROTATED = 10_000  # practices asked for in turn, at most
POLICIES = servers.CHECKOUT / "policies"

OURS = """query ($id: ID!) { practice(id: $id) { id name kind engagements(first: 20) { nodes {
 id status agent { id legalName kind } roles { status role { key title } } } } } }"""
POSTGRAPHILE = """query ($id: UUID!) { practice: practiceByRowId(rowId: $id) { id: rowId name kind
 engagements: peerEngagementsByPracticeIdList(first: 20) { id: rowId status
 agent: agentByAgentId { id: rowId legalName kind }
 roles: roleGrantsByEngagementIdList(condition: {removedAt: null}) { status role: peerRoleByRole { key title } }
 } } }"""

EXECUTED, UNCHANGED = "sparekey, executed", "sparekey, the unchanged page"
SIGNED_IN = "PostGraphile, signed in, behind RLS"
PEER, IDIOMATIC, BYTES = "PostGraphile", "strawberry + Tortoise + DataLoader", "Starlette route, the same bytes"
PROMISES = (
    (EXECUTED, PEER, 2.0),
    (EXECUTED, SIGNED_IN, 2.0),
    (EXECUTED, IDIOMATIC, 15.0),
    (UNCHANGED, BYTES, 0.5),
)
DEARER = 1.3  # at most, at LARGE against SMALL


@dataclass
class Bench:
    """What is up: a folder, PostgreSQL, and the servers that end with the stack."""

    folder: Path
    embedded: Embedded
    stack: ExitStack
    database: int = 0
    targets: list[Target] = field(default_factory=list)

    def target(self, name: str, server: Running, requests: Sequence[Asked], connections: int = wrk.CONNECTIONS) -> None:
        file = wrk.write(self.folder / f"{len(self.targets)}.requests", requests)
        made = Target(name, server.port, file, server.process, self.database, connections)
        self.targets.append(made)


def main() -> None:
    wrk.check()
    servers.install_postgraphile()
    with (
        tempfile.TemporaryDirectory(prefix="sparekey-bench-") as name,
        wrk.beside_the_server(),
        ExitStack() as stack,
    ):
        os.chmod(name, 0o755)  # noqa: S103  (the embedded PostgreSQL of a root shell runs as another account)
        embedded = Embedded(Path(name))
        embedded.start()
        stack.callback(embedded.stop)
        bench = Bench(Path(name), embedded, stack, postmaster.pid(embedded.cluster) or 0)
        table = [*_beside_peers(bench), "", *_at_size(bench)]
        results.keep("page", table, ("strawberry-graphql", "tortoise-orm", "uvicorn"), _versions(embedded))


def _beside_peers(bench: Bench) -> list[str]:
    town = asyncio.run(page_data.fill(bench.embedded, USUAL))
    with ExitStack() as stack:
        bench.targets.clear()
        _start_ours(bench, stack, town)
        asyncio.run(_prepare_postgraphile(town.url))
        _start_peers(bench, stack, town)
        return list(_table(wrk.interleaved(bench.targets)))


def _start_ours(bench: Bench, stack: ExitStack, town: Town) -> None:
    executed = stack.enter_context(servers.sparekey(town.application_url, cached=False))
    bench.target(EXECUTED, executed, _everybody(town, OURS, signed_in=True))
    unchanged = stack.enter_context(servers.sparekey(town.application_url, cached=True))
    bench.target(UNCHANGED, unchanged, _everybody(town, OURS, signed_in=True)[:1])
    answer = bench.folder / "answer"
    answer.write_bytes(unchanged.answer(_everybody(town, OURS, signed_in=True)[0]))
    bench.target(BYTES, stack.enter_context(servers.bytes_route(answer)), [_ask(OURS, 0)])
    _expect_variety(executed, town)


def _start_peers(bench: Bench, stack: ExitStack, town: Town) -> None:
    ours = Running(bench.targets[0].port, bench.targets[0].server)
    for name, server, document, signed_in in (
        (PEER, servers.postgraphile(town.url), POSTGRAPHILE, False),
        (SIGNED_IN, servers.postgraphile(town.url, signed_in=True), POSTGRAPHILE, True),
        (IDIOMATIC, servers.idiomatic(town.url), OURS, False),
    ):
        running = stack.enter_context(server)
        asked = _everybody(town, document, signed_in=signed_in)
        _compare(name, ours, running, town, asked[:COMPARED])
        bench.target(name, running, asked)


def _at_size(bench: Bench) -> list[str]:
    """One connection, so that nobody waits for another request."""
    bench.targets.clear()
    with ExitStack() as stack:
        for size in (SMALL, LARGE):
            town = asyncio.run(page_data.fill(bench.embedded, size))
            server = stack.enter_context(servers.sparekey(town.application_url, cached=False))
            bench.target(f"{size:,}", server, _everybody(town, OURS, signed_in=True), connections=1)
        return list(_size_table(wrk.interleaved(bench.targets)))


def _everybody(town: Town, document: str, *, signed_in: bool = False) -> list[Asked]:
    """A request for each of up to ROTATED practices spread over the town, in an order that is no order."""
    practices = list(range(0, town.practices, max(1, town.practices // ROTATED)))
    random.Random(20).shuffle(practices)  # noqa: S311  (the same order in every run)
    return [_ask(document, each, signed_in=signed_in) for each in practices]


def _ask(document: str, practice: int, *, signed_in: bool = False) -> Asked:
    query = " ".join(document.split())
    variables = {"id": identifier(PRACTICE, practice)}
    return Asked(reference(practice) if signed_in else "", {"query": query, "variables": variables})


async def _prepare_postgraphile(url: str) -> None:
    session = await asyncpg.connect(url)
    try:
        await session.execute((servers.POSTGRAPHILE / "objects.sql").read_text())
        roles = [(role.key, role.title) for role in load(POLICIES).roles.values()]
        await session.copy_records_to_table("peer_roles", records=roles)
        await session.execute("ANALYZE peer_roles")
    finally:
        await session.close()


def _compare(name: str, ours: Running, peer: Running, town: Town, asked: Sequence[Asked]) -> None:
    """Raises SystemExit at the first difference in practice, agents, roles or status."""
    for mine, theirs in zip(_some(town), asked, strict=True):
        if _essence(ours.answer(mine)) != _essence(peer.answer(theirs)):
            raise SystemExit(f"{name} answers {theirs.body['variables']} differently")


def _some(town: Town) -> list[Asked]:
    return _everybody(town, OURS, signed_in=True)[:COMPARED]


def _expect_variety(ours: Running, town: Town) -> None:
    """A page on which everything is the same would prove little about the answers."""
    pages = [_essence(ours.answer(each)) for each in _some(town)]
    statuses = {engagement[1] for page in pages for engagement in page[1]}
    if statuses != {"active", "suspended", "awaiting_agreement"} or any(len(page[1]) != EACH for page in pages):
        raise SystemExit(f"the pages are not as they were made: {statuses}")


def _essence(answer: bytes) -> tuple[Any, ...]:
    """The same for equal pages, whatever the spelling of kinds and the shape of lists."""
    practice = json.loads(answer)["data"]["practice"]
    engagements = practice["engagements"]
    nodes = engagements["nodes"] if isinstance(engagements, dict) else engagements
    return _plain(practice, "id", "name", "kind"), [_engagement(node) for node in nodes]


def _engagement(node: Mapping[str, Any]) -> tuple[Any, ...]:
    roles = sorted((*_plain(each["role"], "key", "title"), each["status"].lower()) for each in node["roles"])
    return node["id"], node["status"].lower(), _plain(node["agent"], "id", "legalName", "kind"), roles


def _plain(found: Mapping[str, str], *names: str) -> tuple[str, ...]:
    return tuple(found[name].lower() if name == "kind" else found[name] for name in names)


def _table(measured: Mapping[str, Sequence[Figures]]) -> Iterable[str]:
    yield f"{f'staff page, {wrk.CONNECTIONS} connections, one core, medians of 3':<50} {_HEAD}"
    for name, rounds in measured.items():
        yield f"{name:<50} {_row(rounds)}"
    yield ""
    yield f"{'ratios, medians of 3':<72} {'×':>6} {'at least':>9}"
    for one, other, least in PROMISES:
        found = wrk.ratio(measured[one], measured[other])
        yield f"{f'{one}, beside {other}':<72} {found:>6.2f} {least:>9}"


def _size_table(measured: Mapping[str, Sequence[Figures]]) -> Iterable[str]:
    yield f"{'the page by the number of engagements, 1 connection':<50} {_HEAD}"
    for name, rounds in measured.items():
        yield f"{f'{EXECUTED}, {name} engagements':<50} {_row(rounds)}"
    small, large = measured.values()
    found = wrk.ratio(large, small, "p50")
    yield ""
    yield f"{'ratio, median of 3':<72} {'×':>6} {'at most':>9}"
    yield f"{f'p50 at {LARGE:,} engagements, beside {SMALL:,}':<72} {found:>6.2f} {DEARER:>9}"


_HEAD = f"{'/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'own CPU ms':>11} {'database ms':>12}"


def _row(rounds: Sequence[Figures]) -> str:
    one = wrk.medians(rounds)
    return f"{one.per_second:>8,.0f} {one.p50:>8.2f} {one.p99:>8.2f} {one.server:>11.3f} {one.database:>12.3f}"


def _versions(embedded: Embedded) -> tuple[str, ...]:
    lock = json.loads((servers.POSTGRAPHILE / "package-lock.json").read_text())
    postgraphile = lock["packages"]["node_modules/postgraphile"]["version"]
    node = servers.version_of(servers.node()).lstrip("v")
    peers = f"postgraphile {postgraphile}", f"Node {node}"
    return results.postgresql(embedded.url), *peers, interpreter.fastest().told
