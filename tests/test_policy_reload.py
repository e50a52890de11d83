"""Files that change under a running server: what is sound comes into force, what is wrong stops nobody."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import orjson
import pytest

from authz.load import load
from operations.record import PLATFORM_CHAIN
from server.policy_compiler import from_files
from tests.conftest import query
from tests.policy_variants import edit, variant
from tests.policy_workers import Worker, serving, signed_in, until


def digest_of(folder: Path) -> str:
    return load(folder).digest


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
    own_url: str, worker: Worker, tmp_path: Path
) -> None:
    folder, kept, person = tmp_path / "set", tmp_path / "kept", await signed_in(own_url)
    shutil.copytree(folder, kept)
    before = await worker.digest(person)
    for spoil, code in WRONG:
        said, rejected = len(worker.log), await worker.reloads("rejected")
        spoil(folder)
        await until(partial(more, worker, "rejected", rejected))
        await asyncio.sleep(0.2)  # twice the time that a burst of changes is given
        worker.signal(signal.SIGHUP)  # asked again, with the same bytes
        await until(partial(more, worker, "rejected", rejected + 1))
        assert await worker.digest(person) == before
        assert await worker.metric("sparekey_policy_reload_failing") == 1
        told = worker.log[said:]
        assert (told.count("was rejected"), told.count(f" {code} ") >= 1) == (1, True), (spoil.__name__, told)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(kept, folder)
        await until(lambda: sound_again(worker))
    assert await worker.metric("sparekey_policy_activation") == 1


async def more(worker: Worker, outcome: str, than: float) -> bool:
    return await worker.reloads(outcome) > than


async def sound_again(worker: Worker) -> bool:
    return await worker.metric("sparekey_policy_reload_failing") == 0


async def test_a_sound_change_of_a_file_is_in_force_by_itself_and_crlf_is_no_problem(
    own_url: str, worker: Worker, tmp_path: Path
) -> None:
    folder, person = tmp_path / "set", await signed_in(own_url)
    before = await worker.digest(person)
    file = folder / "roles" / "biller.yaml"
    edit(file, "payments.*", "payments.read")
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    await until(lambda: is_in_force(worker, person, digest_of(folder)))
    assert digest_of(folder) != before
    for name in ("policy_sets", "policy_activations"):
        (row,) = await query(own_url, f"SELECT count(*) FROM {name}")
        assert row[0] >= 2
    events = f"SELECT after ->> 'digest' AS digest FROM audit_events WHERE chain_id = '{PLATFORM_CHAIN}'"
    assert (await query(own_url, f"{events} ORDER BY sequence"))[-1]["digest"] == digest_of(folder)


async def is_in_force(worker: Worker, person: str, digest: str) -> bool:
    return await worker.digest(person) == digest


async def test_a_file_that_changes_while_it_is_read_gives_one_whole_set_or_none(
    own_url: str, worker: Worker, tmp_path: Path
) -> None:
    """Two files belong together. Whatever is activated meanwhile is one of the states that were there."""
    folder, person = tmp_path / "set", await signed_in(own_url)
    file = folder / "roles" / "biller.yaml"
    one, other = file.read_text(), file.read_text().replace("payments.*", "payments.read")
    allowed = {digest_of(folder)}
    file.write_text(other)
    allowed.add(digest_of(folder))
    for turn in range(60):
        long = other + "# " + "x" * 50_000 + "\n"  # written in place: half of it is there to see
        file.write_text(one if turn % 2 else long)
        await asyncio.sleep(0.02)
    file.write_text(other)
    await until(lambda: is_in_force(worker, person, digest_of(folder)))
    stored = await query(own_url, "SELECT files, source_digest FROM policy_sets")
    for row in stored:
        found = from_files(orjson.loads(row["files"]))
        assert found.sound is not None
        assert found.source_digest == row["source_digest"]
        assert found.sound.policy.digest in allowed


async def test_sighup_reads_the_folder_and_in_production_does_not_activate_it(own_url: str, tmp_path: Path) -> None:
    folder, person = variant(tmp_path / "set"), await signed_in(own_url)
    async with serving(own_url, folder, tmp_path / "data", "production") as worker:
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
    # A start does not activate it either.
    async with serving(own_url, folder, tmp_path / "data", "production") as again:
        assert (await again.http.get("/livez")).headers["Sparekey-Policy"] == before


async def test_a_server_without_a_sound_set_does_not_start(own_url: str, tmp_path: Path) -> None:
    folder = variant(tmp_path / "set")
    broken_yaml(folder)
    with pytest.raises(AssertionError, match="P110"):
        async with serving(own_url, folder, tmp_path / "data"):
            pass


async def test_the_metrics_say_which_set_it_is_and_nothing_about_anybody(own_url: str, worker: Worker) -> None:
    person = await signed_in(own_url)
    digest = await worker.digest(person)
    await worker.ask()
    text = (await worker.http.get("/metrics")).text
    assert f'sparekey_policy_info{{digest="{digest}"}} 1.0' in text
    assert 'sparekey_graphql_requests_total{code="NOT_SIGNED_IN"} 1.0' in text
    assert await worker.metric('sparekey_graphql_requests_total{code="OK"}') >= 1
    assert "example" not in text
    assert datetime.now(UTC).isoformat()[:10] not in text
