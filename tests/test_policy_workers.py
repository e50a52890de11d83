"""Several workers on one database: once an activation was answered, nothing anywhere is decided by the set before."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import asyncpg
import orjson

from authz.load import load
from models.asyncpg_client import AsyncpgClient
from operations import pepper
from operations import policy as activations
from resolvers.context import Context, Sessions, open_context
from resolvers.execution import RequestFacts
from server.metrics import Metrics
from server.policy_child import compile_folder
from server.policy_compiler import SoundSet, from_files, sound_set
from server.reload import Follower
from tests.policy_variants import NO_RECORDED_PAYMENTS, variant
from tests.policy_workers import Wire, Worker, serving, signed_in, sparekey, until
from tests.town import START, Town

NOBODY_READS_THE_POLICY = {"roles/account_holder.yaml": (", policy.read]", "]")}


def digest_of(folder: Path) -> str:
    return load(folder).digest


@asynccontextmanager
async def two(own_url: str, folder: Path) -> AsyncIterator[tuple[Worker, Worker]]:
    """Two servers that no file can surprise: each watches a copy that nobody touches."""
    first, second = variant(folder / "first"), variant(folder / "second")
    async with serving(own_url, first, folder / "a") as one, serving(own_url, second, folder / "b") as other:
        yield one, other


async def test_the_next_request_of_every_worker_is_decided_by_what_was_applied(own_url: str, tmp_path: Path) -> None:
    closed, opened = variant(tmp_path / "closed", NOBODY_READS_THE_POLICY), variant(tmp_path / "open")
    async with two(own_url, tmp_path) as workers:
        person = await signed_in(own_url)
        assert {await each.digest(person) for each in workers} == {digest_of(opened)}
        for _ in range(3):
            code, said = await sparekey(own_url, "apply", "--approve", digest_of(closed), closed)
            assert code == 0, said
            for refused in await asyncio.gather(*(each.ask(reference=person) for each in workers)):
                assert refused.json()["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"
                assert refused.headers["Sparekey-Policy"] == digest_of(closed)
            code, said = await sparekey(own_url, "apply", "--approve", digest_of(opened), opened)
            assert code == 0, said
            assert {await each.digest(person) for each in workers} == {digest_of(opened)}


async def test_a_worker_whose_files_did_not_change_does_not_bring_its_own_set_back(
    own_url: str, worker: Worker, tmp_path: Path
) -> None:
    person, other = await signed_in(own_url), variant(tmp_path / "other", NO_RECORDED_PAYMENTS)
    assert (await sparekey(own_url, "apply", "--approve", digest_of(other), other))[0] == 0
    for _ in range(2):
        known = await worker.reloads("unchanged")
        worker.signal(signal.SIGHUP)
        await until(partial(more, worker, known))
    assert await worker.digest(person) == digest_of(other)


async def more(worker: Worker, than: float) -> bool:
    return await worker.reloads("unchanged") > than


async def test_without_notifications_the_next_request_is_right_all_the_same(own_url: str, tmp_path: Path) -> None:
    """The set is activated past NOTIFY, and the workers have never seen its bytes."""
    other = sound_set(variant(tmp_path / "other", NO_RECORDED_PAYMENTS))
    async with two(own_url, tmp_path) as workers:
        person = await signed_in(own_url)
        before = {await each.digest(person) for each in workers}
        await put_in_force_silently(own_url, other.policy.source_digest, other.policy.digest, dict(other.files))
        assert {await each.digest(person) for each in workers} == {other.policy.digest} != before


async def put_in_force_silently(own_url: str, source_digest: str, digest: str, files: dict[str, str]) -> None:
    session = await asyncpg.connect(own_url)
    stored = "INSERT INTO policy_sets (source_digest, digest, files, stored_at) VALUES ($1, $2, $3, now())"
    await session.execute(stored, source_digest, digest, orjson.dumps(files).decode())
    await session.execute(
        "INSERT INTO policy_activations (id, number, digest, source_digest, name, version, activated_at)"
        " SELECT gen_random_uuid(), max(number) + 1, $1, $2, 'a', '1', now() FROM policy_activations",
        digest,
        source_digest,
    )
    await session.close()


async def test_under_load_no_answer_after_an_apply_is_decided_by_the_set_before(own_url: str, tmp_path: Path) -> None:
    sets = [variant(tmp_path / "one", NO_RECORDED_PAYMENTS), variant(tmp_path / "two")]
    digests = [digest_of(folder) for folder in sets]
    async with two(own_url, tmp_path) as workers:
        person, asking = await signed_in(own_url), True
        seen: list[tuple[float, float, str]] = []
        clock = asyncio.get_running_loop().time

        async def keep_asking(each: Worker) -> None:
            while asking:
                began = clock()
                seen.append((began, clock(), await each.digest(person)))

        askers = [asyncio.create_task(keep_asking(each)) for each in workers for _ in range(2)]
        answered = []
        for turn in range(4):
            assert (await sparekey(own_url, "apply", "--approve", digests[turn % 2], sets[turn % 2]))[0] == 0
            answered.append((clock(), digests[turn % 2]))
            await asyncio.sleep(0.3)
        asking = False
        await asyncio.gather(*askers)
    for (since, digest), (until_, _) in zip(answered, [*answered[1:], (float("inf"), "")], strict=True):
        after = [found for began, _, found in seen if since < began < until_]
        assert after, "nobody asked"
        assert after[0] == digest, "stale"
    assert {found for _, _, found in seen} >= set(digests)


async def test_a_set_in_force_that_a_worker_cannot_load_makes_it_refuse(
    own_url: str, worker: Worker, tmp_path: Path
) -> None:
    person = await signed_in(own_url)
    await put_in_force_silently(own_url, "0" * 64, "0" * 12, {"policy.yaml": "format: ["})
    for _ in range(3):
        refused = await worker.ask(reference=person)
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (503, "BUSY")
    assert worker.log.count("cannot be loaded here") == 1
    assert (await worker.http.get("/readyz")).json()["checks"]["policy"] is False
    assert (await sparekey(own_url, "apply", variant(tmp_path / "fine")))[0] == 1  # it cannot plan against that either


async def test_a_request_keeps_the_set_it_began_with(town: Town, tmp_path: Path) -> None:
    pepper.use(b"p" * 32)
    old, new = sound_set(variant(tmp_path / "old")), sound_set(variant(tmp_path / "new", NO_RECORDED_PAYMENTS))
    follower = Follower(old.policy, START, Metrics())
    person = await town.person("somebody@elm.example")

    async def opened() -> Context:
        facts = RequestFacts(person.credential, "127.0.0.1", town.clock.now, "request")
        known = follower.in_force
        return await open_context(facts, known.policy, known.activated_at, Sessions(900, 43_200), follower.at)

    async def put_in_force(sound: SoundSet) -> None:
        await activations.store(sound.policy, sound.files, town.clock.now)
        await activations.activate(sound.policy, "a test", town.clock.now)

    await put_in_force(old)
    context = await opened()
    await put_in_force(new)
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


async def test_a_worker_that_cannot_ask_the_database_refuses_within_five_seconds(own_url: str, tmp_path: Path) -> None:
    wire, person = Wire(own_url), await signed_in(own_url)
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
