"""A chain that was tampered with past the database's refusal: the first bad event is named, and how it is bad."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from click.testing import CliRunner, Result

from authz.life import Party
from models.asyncpg_client import AsyncpgClient
from models.identifier import uuid7
from models.unit_of_work import unit_of_work
from operations import pepper
from operations.checkpoint import Checkpoint, sign
from operations.record import About, Event, Who, event_hash, record_all
from resolvers.audit_chain import Bad, Whole, Wrong, verify_exported, verify_stored
from resolvers.audit_export import json_lines
from resolvers.audit_rows import AS_TEXT, head
from server.command import main
from tests.policy_workers import environment
from tests.processes import CHECKOUT
from tests.stored import as_application, as_owner, events, rows
from tests.town import PEPPER, START, Town

LENGTH = 5
SET, REMOVE, ZERO = "UPDATE audit_events SET", "DELETE FROM audit_events", "0" * 64
BY = Who("Zoë", uuid7(), Party.PRACTICE, "0123456789ab", START)


async def add(chain: str, *summaries: str) -> None:
    about, after = About(practice_id=UUID(chain)), {"roles": ["biller"], "at": {"é": 1, "A": None}}
    made = [Event(BY, "engagement.roles_set", about, each, {"roles": []}, after) for each in summaries]
    await unit_of_work(lambda connection: record_all(connection, made))


@pytest.fixture
async def chain(database: AsyncpgClient) -> str:
    """A chain with LENGTH events."""
    pepper.use(PEPPER)
    key = str(uuid7())
    await add(key, *(f"set the roles for the {n}. time" for n in range(LENGTH)))
    return key


async def tamper(*statements: str) -> None:
    """As whoever owns the database, and knows how to switch off what refuses."""
    past = "; ".join(["SET LOCAL session_replication_role = replica", *statements])
    await as_owner(f"DO $$ BEGIN {past}; END $$")


async def verdict(chain: str | None, *checkpoints: Checkpoint) -> tuple[Wrong, int, str | None]:
    with pytest.raises(Bad) as found:
        await verify_stored(UUID(chain) if chain else None, checkpoints)
    assert chain is None or found.value.chain_id == chain
    return found.value.wrong, found.value.sequence, found.value.event_id


async def checkpoint(chain: str) -> Checkpoint:
    found = await head(UUID(chain))
    assert found is not None
    return sign(UUID(chain), found.sequence, found.hash, (await events())[-1]["at"])


async def id_at(chain: str, sequence: int) -> str:
    return next(str(e["id"]) for e in await events() if (str(e["chain_id"]), e["sequence"]) == (chain, sequence))


async def exported(chain: str) -> list[bytes]:
    found = await rows(f"SELECT {AS_TEXT} FROM audit_events WHERE chain_id = $1 ORDER BY sequence", UUID(chain))
    return [json_lines([row]) for row in found]


async def test_chains_of_everybody_are_whole_whatever_happened_in_them(town: Town) -> None:
    elm, acme = await town.practice("Zoë's Practice 🌳"), await town.agency()
    engagement = await town.engage(elm, acme)
    await elm.owner.set_roles(engagement, "biller", {"role": "auditor", "expiresAt": "2026-12-01T09:30:00.000001Z"})
    await (await town.operator()).revoke(engagement)
    assert await town.visitor().do("signUp", "", name="Ann", email="ann@elm.example", password="correct horse")
    counted = len(await events())
    assert await verify_stored(None) == Whole(chains=3, events=counted)
    assert await verify_stored(UUID(elm.id), [await checkpoint(elm.id)]) == Whole(1, 4)
    assert verify_exported(await exported(elm.id), [await checkpoint(elm.id)]) == Whole(1, 4)


@pytest.mark.parametrize(
    ("statements", "expected"),
    {
        "a summary": ([f"{SET} summary = 'nothing happened' WHERE sequence = 2"], (Wrong.ALTERED, 2)),
        "what it left": ([f"{SET} after = '{{}}' WHERE sequence = 2"], (Wrong.ALTERED, 2)),
        "what no JSON of ours is": (
            [f"{SET} after = ('[' || 10::numeric ^ 400 || ']')::jsonb WHERE sequence = 2"],
            (Wrong.ALTERED, 2),
        ),
        "the millennium": ([f"{SET} at = (at::text || ' BC')::timestamptz WHERE sequence = 3"], (Wrong.ALTERED, 3)),
        "a microsecond": ([f"{SET} at = at + '1 us' WHERE sequence = 3"], (Wrong.ALTERED, 3)),
        "no end of time": ([f"{SET} at = 'infinity' WHERE sequence = 3"], (Wrong.ALTERED, 3)),
        "a snapshot": ([f"{SET} snapshot = '{{}}' WHERE sequence = 1"], (Wrong.ALTERED, 1)),
        "its hash": ([f"{SET} hash = '{ZERO}' WHERE sequence = 4"], (Wrong.ALTERED, 4)),
        "the link": ([f"{SET} previous_hash = '{ZERO}' WHERE sequence = 4"], (Wrong.OUT_OF_ORDER, 4)),
        "the first removed": ([f"{REMOVE} WHERE sequence = 1"], (Wrong.MISSING, 1)),
        "two removed": ([f"{REMOVE} WHERE sequence IN (3, 4)"], (Wrong.MISSING, 3)),
        "removed, and counted anew": (
            [
                f"{REMOVE} WHERE sequence = 2",
                f"{SET} sequence = sequence - 100 WHERE sequence > 2",
                f"{SET} sequence = sequence + 99 WHERE sequence < 0",
            ],
            (Wrong.OUT_OF_ORDER, 2),
        ),
        "swapped": (
            [
                f"{SET} sequence = -3 WHERE sequence = 3",
                f"{SET} sequence = 3 WHERE sequence = 2",
                f"{SET} sequence = 2 WHERE sequence = -3",
            ],
            (Wrong.OUT_OF_ORDER, 2),
        ),
        "the end cut off": ([f"{REMOVE} WHERE sequence >= 4"], (Wrong.TRUNCATED, 4)),
        "all of it cut off": ([f"{REMOVE}"], (Wrong.TRUNCATED, 1)),
        "the recorded end's hash": ([f"UPDATE audit_heads SET hash = '{ZERO}'"], (Wrong.ALTERED, LENGTH)),
        "the recorded end put back": (["UPDATE audit_heads SET sequence = 3"], (Wrong.ALTERED, LENGTH)),
        "the recorded end put forward": (["UPDATE audit_heads SET sequence = 9"], (Wrong.TRUNCATED, LENGTH + 1)),
        "the recorded end removed": (["DELETE FROM audit_heads"], (Wrong.MISSING, LENGTH)),
    }.values(),
)  # fmt: skip
async def test_the_first_bad_event_is_named(chain: str, statements: list[str], expected: tuple[Wrong, int]) -> None:
    ids = {n: await id_at(chain, n) for n in range(1, LENGTH + 1)}
    await tamper(*(f"{each}{' AND' if 'WHERE' in each else ' WHERE'} chain_id = '{chain}'" for each in statements))
    wrong, sequence, event_id = await verdict(chain)
    assert (wrong, sequence) == expected
    if event_id is not None:
        assert event_id in ids.values()
    if wrong is Wrong.ALTERED and sequence < LENGTH:
        assert event_id == ids[sequence]
    assert (await verdict(None))[:2] == expected


async def test_an_event_that_was_altered_with_its_hash_shows_at_the_one_behind_it(chain: str) -> None:
    event = next(e for e in await events() if (str(e["chain_id"]), e["sequence"]) == (chain, 2))
    forged = event_hash(event | {"summary": "nothing happened"})
    of_event = f"WHERE id = '{event['id']}'"
    await tamper(f"{SET} summary = 'nothing happened', hash = '{forged}' {of_event}")
    assert await verdict(chain) == (Wrong.OUT_OF_ORDER, 3, await id_at(chain, 3))


async def cut_off(chain: str, after: int) -> None:
    """The end of the chain, and where it was recorded to be."""
    of_chain = f"chain_id = '{chain}'"
    await tamper(
        f"{REMOVE} WHERE {of_chain} AND sequence > {after}",
        f"UPDATE audit_heads SET sequence = {after}, hash = (SELECT hash FROM audit_events WHERE {of_chain}"
        f" AND sequence = {after}) WHERE {of_chain}",
    )


async def test_an_end_that_was_cut_off_with_its_record_shows_against_a_checkpoint(chain: str) -> None:
    kept = await checkpoint(chain)
    await cut_off(chain, 3)
    assert await verify_stored(UUID(chain)) == Whole(1, 3), "without a checkpoint nobody can tell"
    assert await verdict(chain, kept) == (Wrong.TRUNCATED, 4, None)
    assert (await verdict(None, kept))[:2] == (Wrong.TRUNCATED, 4)


async def test_a_checkpoint_of_a_chain_that_is_gone_is_not_met(chain: str) -> None:
    kept = await checkpoint(chain)
    of_chain = f"chain_id = '{chain}'"
    await tamper(f"{REMOVE} WHERE {of_chain}", f"DELETE FROM audit_heads WHERE {of_chain}")
    assert await verdict(chain, kept) == (Wrong.TRUNCATED, 1, None)
    assert (await verdict(None, kept))[:2] == (Wrong.TRUNCATED, 1)


async def test_an_end_that_was_written_anew_shows_against_a_checkpoint(chain: str) -> None:
    kept = await checkpoint(chain)
    await cut_off(chain, 3)
    await add(chain, "another", "and another")
    assert (await verify_stored(UUID(chain))).events == LENGTH
    assert await verdict(chain, kept) == (Wrong.ALTERED, LENGTH, await id_at(chain, LENGTH))


async def test_a_checkpoint_holds_while_the_chain_goes_on(chain: str) -> None:
    early = await checkpoint(chain)
    await add(chain, "another", "and another")
    assert (await verify_stored(UUID(chain), [early, await checkpoint(chain)])).events == LENGTH + 2


async def test_events_that_are_recorded_meanwhile_are_no_fault(chain: str) -> None:
    writing = asyncio.gather(*(add(chain, f"at once, {n}") for n in range(8)))
    while not writing.done():
        await verify_stored(None)
    assert (await verify_stored(UUID(chain))).events == LENGTH + 8


# --- an exported file

Change = Callable[[list[bytes]], list[bytes]]


@pytest.mark.parametrize(
    ("change", "expected"),
    {
        "altered": (
            lambda lines: [lines[0], lines[1].replace(b"1. time", b"7. time"), *lines[2:]],
            (Wrong.ALTERED, 2),
        ),
        "removed": (lambda lines: [*lines[:2], *lines[3:]], (Wrong.MISSING, 3)),
        "not from the first on": (lambda lines: lines[2:], (Wrong.MISSING, 1)),
        "twice": (lambda lines: [*lines[:2], *lines[1:]], (Wrong.OUT_OF_ORDER, 2)),
        "swapped": (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], (Wrong.MISSING, 2)),
        "a name that stands there twice": (
            lambda lines: [lines[0].replace(b'{"', b'{"summary":"nothing happened","', 1), *lines[1:]],
            (Wrong.ALTERED, 1),
        ),
        "no JSON": (lambda lines: [lines[0], b"{", *lines[1:]], (Wrong.ALTERED, 2)),
        "another thing": (lambda lines: [lines[0], b"[]\n", *lines[1:]], (Wrong.ALTERED, 2)),
        "an empty line": (lambda lines: [lines[0], b"\n", *lines[1:]], (Wrong.ALTERED, 2)),
        "cut off within a line": (lambda lines: [*lines[:2], lines[2][:40]], (Wrong.ALTERED, 3)),
        "cut off": (lambda lines: lines[:3], (Wrong.TRUNCATED, 4)),
        "all cut off": (lambda lines: [], (Wrong.MISSING, 1)),
    }.values(),
)  # fmt: skip
async def test_the_first_bad_line_of_a_file_is_named(chain: str, change: Change, expected: tuple[Wrong, int]) -> None:
    lines, kept = await exported(chain), await checkpoint(chain)
    assert verify_exported(lines, [kept]) == Whole(1, LENGTH)
    with pytest.raises(Bad) as found:
        verify_exported(change(lines), [kept])
    assert (found.value.wrong, found.value.sequence) == expected


async def test_a_file_of_two_chains_is_not_one(chain: str) -> None:
    other = str(uuid7())
    await add(other, "somewhere else")
    with pytest.raises(Bad, match="another chain"):
        verify_exported([*await exported(chain), *await exported(other)])
    with pytest.raises(Bad, match="no event of the chain of a checkpoint"):
        verify_exported(await exported(chain), [await checkpoint(other)])


# --- the command


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["audit", *map(str, arguments)], env={"SPAREKEY_PEPPER": PEPPER.decode()})


async def in_a_process(url: str, *arguments: str | Path) -> tuple[int, bytes, bytes]:
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("sparekey"), "audit", *map(str, arguments), cwd=CHECKOUT,
        env=environment(as_application(url)) | {"SPAREKEY_PEPPER": PEPPER.decode()},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out, err


async def test_the_commands_verify_sign_and_export(chain: str, database_url: str, tmp_path: Path) -> None:
    run: Callable[..., Awaitable[tuple[int, bytes, bytes]]] = lambda *said: in_a_process(database_url, *said)  # noqa: E731  (named once, used twice)
    kept, lines = tmp_path / "checkpoint.json", tmp_path / "export.jsonl"
    counted = len(await events())
    found, signed, whole = await asyncio.gather(run("export", chain), run("checkpoint", chain), run("verify", "--all"))
    assert whole == (0, f"{counted} events in 1 chain, nothing wrong\n".encode(), b"")
    assert found == (0, b"".join(await exported(chain)), b"")
    kept.write_bytes(signed[1])
    lines.write_bytes(found[1])
    met = command("verify", "--file", lines, "--checkpoint", kept)
    assert (met.exit_code, met.output) == (0, f"{LENGTH} events in 1 chain, nothing wrong\n")
    await cut_off(chain, 3)
    code, out, _ = await run("verify", "--practice", chain, "--checkpoint", kept)
    assert (code, out.decode()) == (
        1,
        f"truncated: chain {chain}, sequence 4: it ends here, and a checkpoint says that it went on to 5\n",
    )


def test_the_command_says_what_it_cannot_use(tmp_path: Path) -> None:
    empty, bad = tmp_path / "empty", tmp_path / "bad"
    empty.write_bytes(b"")
    bad.write_bytes(orjson.dumps({"statement": "{}", "signature": "AAAA"}))
    assert command("verify").exit_code == 2
    assert command("verify", "--all", "--file", empty).exit_code == 2
    nothing = command("verify", "--file", empty)
    assert (nothing.exit_code, nothing.output) == (1, "there is nothing to verify\n")
    forged = command("verify", "--file", empty, "--checkpoint", bad)
    assert (forged.exit_code, "not among the keys" in forged.output) == (1, True)
