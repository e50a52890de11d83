"""The command `sparekey audit`: verify the record, take a checkpoint of it, export it."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import click

if TYPE_CHECKING:
    from operations.checkpoint import Checkpoint, Key
    from resolvers.audit_chain import Whole

T = TypeVar("T")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
VERIFY = """
Follow every chain of the record, or one, from its first event to its recorded end: no gap, every event as it was
written. With a checkpoint, the chain must still hold the event that the checkpoint signed. With --file an export as
JSON Lines is followed instead, without a database.

The first thing that is wrong is named on stdout. Exits 0 when all is well, 1 when it is not.
"""


@click.group(help="The record of what happened: verify it, take a checkpoint of it, export it.")
def audit() -> None:
    pass


@audit.command(help=VERIFY)
@click.option(
    "--practice", type=click.UUID, help="Only this practice's chain. A chain of an agent or a user works, too."
)
@click.option("--all", "everything", is_flag=True, help="Every chain.")
@click.option("--file", "exported", type=FILE, help="An export as JSON Lines, instead of the database.")
@click.option(
    "--checkpoint", "checkpoints", multiple=True, type=FILE, help="A checkpoint that was kept; several times."
)
@click.option("--keys", type=FILE, help="The kept JWK set of the checkpoints' keys; else our own key, from the pepper.")
def verify(
    practice: UUID | None, everything: bool, exported: Path | None, checkpoints: tuple[Path, ...], keys: Path | None
) -> None:
    from resolvers.audit_chain import Bad, verify_exported, verify_stored

    if sum((practice is not None, everything, exported is not None)) != 1:
        raise click.UsageError("say one of --practice, --all and --file")
    kept = _kept(checkpoints, keys)
    _refuse_others(kept, practice)
    try:
        if exported is not None:
            with exported.open("rb") as lines:
                _report(verify_exported(lines, kept))
        else:
            _report(_in_database(lambda: verify_stored(practice, kept)))
    except Bad as bad:
        click.echo(bad)
        sys.exit(1)


@audit.command(
    help="Print a checkpoint of a practice's chain: a signed statement of its last event. Keep it elsewhere."
)
@click.argument("practice", type=click.UUID)
def checkpoint(practice: UUID) -> None:
    import orjson

    from operations.checkpoint import sign
    from resolvers.audit_rows import head

    _use_pepper()
    found = _in_database(lambda: head(practice))
    if found is None:
        raise click.ClickException("there is no chain with this id")
    signed = sign(practice, found.sequence, found.hash, datetime.now(UTC))
    shown = {"statement": signed.statement, "signature": signed.signature}
    click.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2))


@audit.command(help="Print a practice's chain. JSON Lines can be verified by `sparekey audit verify --file`.")
@click.argument("practice", type=click.UUID)
@click.option("--format", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True, help="How.")
def export(practice: UUID, format: str) -> None:
    _in_database(lambda: _export(practice, format))


async def _export(practice: UUID, format: str) -> None:
    from resolvers.audit_export import export as exported
    from resolvers.audit_rows import Span, head

    found = await head(practice)
    if found is None:
        raise click.ClickException("there is no chain with this id")
    async for piece in exported(Span(practice), found.sequence, format, lambda read: read()):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _report(whole: Whole) -> None:
    if not whole.events:
        click.echo("there is nothing to verify")
        sys.exit(1)
    chains = "chain" if whole.chains == 1 else "chains"
    click.echo(f"{whole.events} events in {whole.chains} {chains}, nothing wrong")


def _kept(files: Iterable[Path], keys: Path | None) -> list[Checkpoint]:
    from operations.checkpoint import CheckpointInvalid, read

    known = _keys(keys) if files else []
    found = []
    for file in files:
        try:
            found.append(read(file.read_bytes(), known))
        except CheckpointInvalid as invalid:
            click.echo(f"checkpoint {file}: {invalid}")
            sys.exit(1)
    return found


def _keys(file: Path | None) -> list[Key]:
    from operations.checkpoint import CheckpointInvalid, key_set, public_key

    if file is None:
        _use_pepper()
        return [public_key()]
    try:
        return key_set(file.read_bytes())
    except CheckpointInvalid as invalid:
        raise click.ClickException(f"{file}: {invalid}") from None


def _refuse_others(kept: Iterable[Checkpoint], practice: UUID | None) -> None:
    """A checkpoint that says nothing of what is asked would otherwise look as if it had been met."""
    if practice is not None and any(each.chain_id != practice for each in kept):
        raise click.ClickException("a checkpoint is of another chain")


def _use_pepper() -> None:
    from operations import pepper
    from server.settings import SettingsInvalid, from_environment

    try:
        pepper.use(from_environment(os.environ).pepper)
    except SettingsInvalid as invalid:
        raise click.ClickException(str(invalid)) from None


def _in_database(work: Callable[[], Awaitable[T]]) -> T:
    from server.database import with_database

    return with_database(work)
