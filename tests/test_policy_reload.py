"""Another policy under running servers: every next request decides by it, and nothing that is wrong stops anybody."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from authz.load import load
from models.asyncpg_client import AsyncpgClient
from operations import pepper
from operations import policy as activations
from resolvers.context import Context, Sessions, open_context
from resolvers.execution import RequestFacts
from server.embedded import Embedded
from server.metrics import Metrics
from server.policy_compiler import compile_folder, from_files, sound_set
from server.reload import Follower
from tests.conftest import query
from tests.policy_variants import NO_RECORDED_PAYMENTS, edit, variant
from tests.policy_workers import Worker, serving, signed_in, sparekey, until
from tests.town import START, Town

NOBODY_READS_THE_POLICY = {"roles/account_holder.yaml": (", policy.read]", "]")}


@pytest.fixture
async def url(postgres: Embedded, template: str, worker_id: str) -> AsyncIterator[str]:
    name = f"reload_{worker_id}"
    await query(postgres.url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield postgres.url_of(name)
    await query(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def worker(url: str, tmp_path: Path) -> AsyncIterator[Worker]:
    """One server in development over `tmp_path / "set"`."""
    async with serving(url, variant(tmp_path / "set"), tmp_path / "data") as found:
        yield found


@asynccontextmanager
async def two(url: str, folder: Path) -> AsyncIterator[tuple[Worker, Worker]]:
    """Two servers that no file can surprise: each watches a copy that nobody touches."""
    first, second = variant(folder / "first"), variant(folder / "second")
    async with serving(url, first, folder / "a") as one, serving(url, second, folder / "b") as other:
        yield one, other


def digest_of(folder: Path) -> str:
    return load(folder).digest


async def test_the_next_request_of_every_worker_is_decided_by_what_was_applied(url: str, tmp_path: Path) -> None:
    closed, opened = variant(tmp_path / "closed", NOBODY_READS_THE_POLICY), variant(tmp_path / "open")
    async with two(url, tmp_path) as workers:
        person = await signed_in(url)
        assert {await each.digest(person) for each in workers} == {digest_of(opened)}
        for _ in range(3):
            code, said = await sparekey(url, "apply", "--approve", digest_of(closed), closed)
            assert code == 0, said
            for refused in await asyncio.gather(*(each.ask(reference=person) for each in workers)):
                assert refused.json()["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"
                assert refused.headers["Sparekey-Policy"] == digest_of(closed)
            code, said = await sparekey(url, "apply", "--approve", digest_of(opened), opened)
            assert code == 0, said
            assert {await each.digest(person) for each in workers} == {digest_of(opened)}


async def test_without_notifications_the_next_request_is_right_all_the_same(url: str, tmp_path: Path) -> None:
    """The set is activated past NOTIFY, and the workers have never seen its bytes."""
    other = sound_set(variant(tmp_path / "other", NO_RECORDED_PAYMENTS))
    async with two(url, tmp_path) as workers:
        person = await signed_in(url)
        before = {await each.digest(person) for each in workers}
        await put_in_force_silently(url, other.policy.source_digest, other.policy.digest, dict(other.files))
        assert {await each.digest(person) for each in workers} == {other.policy.digest} != before


async def put_in_force_silently(url: str, source_digest: str, digest: str, files: dict[str, str]) -> None:
    import asyncpg
    import orjson

    session = await asyncpg.connect(url)
    stored = "INSERT INTO policy_sets (source_digest, digest, files, stored_at) VALUES ($1, $2, $3, now())"
    await session.execute(stored, source_digest, digest, orjson.dumps(files).decode())
    await session.execute(
        "INSERT INTO policy_activations (id, number, digest, source_digest, name, version, activated_at)"
        " SELECT gen_random_uuid(), max(number) + 1, $1, $2, 'a', '1', now() FROM policy_activations",
        digest,
        source_digest,
    )
    await session.close()


async def test_under_load_no_answer_after_an_apply_is_decided_by_the_set_before(url: str, tmp_path: Path) -> None:
    sets = [variant(tmp_path / "one", NO_RECORDED_PAYMENTS), variant(tmp_path / "two")]
    digests = [digest_of(folder) for folder in sets]
    async with two(url, tmp_path) as workers:
        person, asking = await signed_in(url), True
        seen: list[tuple[float, float, str]] = []
        clock = asyncio.get_running_loop().time

        async def keep_asking(each: Worker) -> None:
            while asking:
                began = clock()
                seen.append((began, clock(), await each.digest(person)))

        askers = [asyncio.create_task(keep_asking(each)) for each in workers for _ in range(2)]
        answered = []
        for turn in range(4):
            assert (await sparekey(url, "apply", "--approve", digests[turn % 2], sets[turn % 2]))[0] == 0
            answered.append((clock(), digests[turn % 2]))
            await asyncio.sleep(0.3)
        asking = False
        await asyncio.gather(*askers)
    for (since, digest), (until_, _) in zip(answered, [*answered[1:], (float("inf"), "")], strict=True):
        after = [found for began, _, found in seen if since < began < until_]
        assert after, "nobody asked"
        assert after[0] == digest, "stale"
    assert {found for _, _, found in seen} >= set(digests)


async def test_a_set_in_force_that_a_worker_cannot_load_makes_it_refuse(url: str, worker: Worker, tmp_path: Path) -> None:
    person = await signed_in(url)
    await put_in_force_silently(url, "0" * 64, "0" * 12, {"policy.yaml": "format: ["})
    for _ in range(3):
        refused = await worker.ask(reference=person)
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (503, "BUSY")
    assert worker.log.count("cannot be loaded here") == 1
    assert (await worker.http.get("/readyz")).json()["checks"]["policy"] is False
    assert (await sparekey(url, "apply", variant(tmp_path / "fine")))[0] == 1  # it cannot plan against that either


def broken_yaml(folder: Path) -> None:
    (folder / "roles" / "biller.yaml").write_text("format: [")


def unknown_permission(folder: Path) -> None:
    edit(folder / "roles" / "biller.yaml", "payments.*", "payments.reed")


def no_files(folder: Path) -> None:
    for file in folder.rglob("*.yaml"):
        file.unlink()


def no_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def unreadable(folder: Path) -> None:
    (folder / "roles" / "biller.yaml").unlink()
    os.mkfifo(folder / "roles" / "biller.yaml")  # a permission would not stop root


def dangling(folder: Path) -> None:
    (folder / "roles" / "biller.yaml").unlink()
    (folder / "roles" / "biller.yaml").symlink_to("nowhere")


def binary(folder: Path) -> None:
    (folder / "roles" / "biller.yaml").write_bytes(bytes(range(256)) * 40)


def ten_megabytes(folder: Path) -> None:
    (folder / "roles" / "biller.yaml").write_bytes(b"# much\n" * 1_500_000)


def symlink_loop(folder: Path) -> None:
    (folder / "roles" / "more").symlink_to(folder)


def byte_order_mark(folder: Path) -> None:
    file = folder / "roles" / "biller.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())


def tabs(folder: Path) -> None:
    edit(folder / "roles" / "biller.yaml", "title: Biller", "title:\tBiller")


WRONG: list[tuple[Callable[[Path], None], str]] = [
    (broken_yaml, "P110"),
    (unknown_permission, "P130"),
    (no_files, "P101"),
    (no_folder, "P101"),
    (unreadable, "P102"),
    (dangling, "P102"),
    (binary, "P104"),
    (ten_megabytes, "P103"),
    (symlink_loop, "P108"),
    (byte_order_mark, "P105"),
    (tabs, "P106"),
]


async def test_whatever_is_wrong_with_the_files_keeps_the_last_good_set_and_is_logged_once(
    url: str, worker: Worker, tmp_path: Path
) -> None:
    folder, kept, person = tmp_path / "set", tmp_path / "kept", await signed_in(url)
    shutil.copytree(folder, kept)
    before = await worker.digest(person)
    for times, (spoil, code) in enumerate(WRONG, 1):
        said, rejected = len(worker.log), await worker.reloads("rejected")
        spoil(folder)
        await until(lambda rejected=rejected: more(worker, "rejected", rejected))
        await asyncio.sleep(0.4)
        worker.signal(signal.SIGHUP)  # asked again, with the same bytes
        await until(lambda rejected=rejected: more(worker, "rejected", rejected + 1))
        assert await worker.digest(person) == before
        assert await worker.metric("sparekey_policy_reload_failing") == 1
        told = worker.log[said:]
        assert (told.count("was rejected"), told.count(f" {code} ") >= 1) == (1, True), (spoil.__name__, told)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(kept, folder)
        await until(lambda: sound_again(worker))
        assert times
    assert await worker.metric("sparekey_policy_activation") == 1


async def more(worker: Worker, outcome: str, than: float) -> bool:
    return await worker.reloads(outcome) > than


async def sound_again(worker: Worker) -> bool:
    return await worker.metric("sparekey_policy_reload_failing") == 0


async def test_a_sound_change_of_a_file_is_in_force_by_itself_and_crlf_is_no_problem(
    url: str, worker: Worker, tmp_path: Path
) -> None:
    folder, person = tmp_path / "set", await signed_in(url)
    before = await worker.digest(person)
    file = folder / "roles" / "biller.yaml"
    edit(file, "payments.*", "payments.read")
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    await until(lambda: is_in_force(worker, person, digest_of(folder)))
    assert digest_of(folder) != before
    for name in ("policy_sets", "policy_activations"):
        (row,) = await query(url, f"SELECT count(*) FROM {name}")
        assert row[0] >= 2
    last = "SELECT after ->> 'digest' AS digest FROM audit_events WHERE type = 'policy.activated' ORDER BY sequence DESC"
    assert (await query(url, last))[0]["digest"] == digest_of(folder)


async def is_in_force(worker: Worker, person: str, digest: str) -> bool:
    return await worker.digest(person) == digest


async def test_a_file_that_changes_while_it_is_read_gives_one_whole_set_or_none(
    url: str, worker: Worker, tmp_path: Path
) -> None:
    """Two files belong together. Whatever is activated meanwhile is one of the states that were there."""
    folder, person = tmp_path / "set", await signed_in(url)
    file = folder / "roles" / "biller.yaml"
    one, other = file.read_text(), file.read_text().replace("payments.*", "payments.read")
    allowed = {digest_of(folder)}
    file.write_text(other)
    allowed.add(digest_of(folder))
    for turn in range(60):
        file.write_text(one if turn % 2 else other + "# " + "x" * 50_000 + "\n")  # written in place: half is there to see
        await asyncio.sleep(0.02)
    file.write_text(other)
    await until(lambda: is_in_force(worker, person, digest_of(folder)))
    stored = await query(url, "SELECT files, source_digest FROM policy_sets")
    import orjson

    for row in stored:
        found = from_files(orjson.loads(row["files"]))
        assert found.sound is not None
        assert found.source_digest == row["source_digest"]
        assert found.sound.policy.digest in allowed


async def test_sighup_reads_the_folder_and_in_production_does_not_activate_it(url: str, tmp_path: Path) -> None:
    folder, person = variant(tmp_path / "set"), await signed_in(url)
    async with serving(url, folder, tmp_path / "data", "production") as worker:
        before = digest_of(folder)
        edit(folder / "roles" / "biller.yaml", "payments.*", "payments.read")
        await asyncio.sleep(0.5)
        worker.signal(signal.SIGHUP)
        await until(lambda: more(worker, "unchanged", 0))
        assert digest_of(folder) in worker.log
        answer = await worker.http.post(
            "/graphql", json={"query": "{ policy { digest } }"}, headers={"Cookie": f"__Host-sparekey={person}"}
        )
        assert answer.headers["Sparekey-Policy"] == before
    async with serving(url, folder, tmp_path / "data", "production") as again:  # a start does not activate it either
        assert (await again.http.get("/livez")).headers["Sparekey-Policy"] == before


async def test_a_request_keeps_the_set_it_began_with(town: Town, tmp_path: Path) -> None:
    pepper.use(b"p" * 32)
    old, new = sound_set(variant(tmp_path / "old")), sound_set(variant(tmp_path / "new", NO_RECORDED_PAYMENTS))
    follower = Follower(old.policy, START, Metrics())
    person = await town.person("somebody@elm.example")

    async def opened() -> Context:
        facts = RequestFacts(person.reference, "127.0.0.1", town.clock.now, "request")
        known = follower.in_force
        return await open_context(facts, known.policy, known.activated_at, Sessions(900, 43_200), follower.at)

    async def put_in_force(which: object) -> None:
        sound = {"old": old, "new": new}[str(which)]
        await activations.store(sound.policy, sound.files, town.clock.now)
        await activations.activate(sound.policy, "a test", town.clock.now)

    await put_in_force("old")
    context = await opened()
    await put_in_force("new")
    await follower.catch_up()
    assert follower.in_force.policy.digest == new.policy.digest
    await context.refresh()
    assert context.actor is not None
    assert {context.policy.digest, context.actor.policy.digest, context.visit.policy_digest} == {old.policy.digest}
    later = await opened()
    assert later.actor is not None
    assert {later.policy.digest, later.actor.policy.digest} == {new.policy.digest}
    await follower.stop()


async def test_a_child_compiles_exactly_what_the_loader_compiles(database: AsyncpgClient, tmp_path: Path) -> None:
    folder = variant(tmp_path / "set")
    compiled = await compile_folder(folder)
    assert compiled.sound is not None
    assert compiled.sound.policy == load(folder)
    again = from_files(compiled.sound.files)
    assert again.sound is not None
    assert (again.sound.policy, again.source_digest) == (load(folder), load(folder).source_digest)


class Wire:
    """A wire to PostgreSQL that can be cut without anybody noticing: bytes just stop."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        asked = parse_qs(parts.query)
        self.socket = f"{asked['host'][0]}/.s.PGSQL.{asked['port'][0]}"
        self.database = parts.path
        self.whole = asyncio.Event()
        self.whole.set()

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._both_ways, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://postgres@127.0.0.1:{port}{self.database}"
        server.close()

    async def _both_ways(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(self.socket)
        await asyncio.gather(self._carry(reader, inner_writer), self._carry(inner_reader, writer))

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while content := await source.read(65_536):
                await self.whole.wait()
                target.write(content)
                await target.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            target.close()


async def test_a_worker_that_cannot_ask_the_database_refuses_within_five_seconds(url: str, tmp_path: Path) -> None:
    wire, person = Wire(url), await signed_in(url)
    async with wire.laid() as wired, serving(wired, variant(tmp_path / "set"), tmp_path / "data") as worker:
        assert (await worker.ask(reference=person)).status_code == 200
        wire.whole.clear()
        began = asyncio.get_running_loop().time()
        refused = await worker.ask(reference=person)
        took = asyncio.get_running_loop().time() - began
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (503, "BUSY")
        assert 4.5 < took < 7
        assert (await worker.http.get("/livez")).status_code == 200
        wire.whole.set()
        await until(lambda: answers(worker, person))


async def answers(worker: Worker, person: str) -> bool:
    return (await worker.ask(reference=person)).status_code == 200


async def test_a_server_without_a_sound_set_does_not_start(url: str, tmp_path: Path) -> None:
    folder = variant(tmp_path / "set")
    broken_yaml(folder)
    with pytest.raises(AssertionError, match="P110"):
        async with serving(url, folder, tmp_path / "data"):
            pass


async def test_the_metrics_say_which_set_it_is_and_nothing_about_anybody(url: str, worker: Worker) -> None:
    person = await signed_in(url)
    digest = await worker.digest(person)
    await worker.ask()
    text = (await worker.http.get("/metrics")).text
    assert f'sparekey_policy_info{{digest="{digest}"}} 1.0' in text
    assert 'sparekey_graphql_requests_total{code="NOT_SIGNED_IN"} 1.0' in text
    assert await worker.metric('sparekey_graphql_requests_total{code="OK"}') >= 1
    assert "example" not in text
    assert datetime.now(UTC).isoformat()[:10] not in text
