"""The subcommands that write beside or into the files of a set: lock, schema, fmt."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from authz.check import PolicyRejected
from authz.diagnostic import Report
from authz.editor_schema import NAME as SCHEMA_NAME
from authz.editor_schema import schema_text
from authz.layout import LayoutUnsafe, laid_out
from authz.lock import NAME as LOCK_NAME
from authz.lock import lock_text
from authz.source import read
from server.policy_command import policy, set_folder
from server.policy_reading import said

only_check = click.option("--check", "only", is_flag=True, help="Write nothing; exit 1 if something would change.")


@policy.command(help="Write policy.lock: what each wildcard reaches. Its diff is what a reviewer reads.")
@only_check
@set_folder
def lock(folder: Path, only: bool) -> None:
    _, expansion = said(folder)
    write({folder / LOCK_NAME: lock_text(expansion)}, only)


@policy.command(help="Write policy.schema.json: what editors complete and underline, with the names of this set.")
@only_check
@set_folder
def schema(folder: Path, only: bool) -> None:
    write({folder / SCHEMA_NAME: schema_text(said(folder)[0])}, only)


@policy.command(help="Lay out every file of a set in the one canonical way. Comments stay, and so does the meaning.")
@only_check
@set_folder
def fmt(folder: Path, only: bool) -> None:
    report = Report()
    try:
        pages = {Path(source.file.name): laid_out(source.file, report) for source in read(folder, report).sources}
    except LayoutUnsafe as fault:
        raise click.ClickException(str(fault)) from None
    if report.found:
        raise PolicyRejected(report.sorted())
    write({path: page for path, page in pages.items() if page is not None}, only)


def write(pages: dict[Path, str], only: bool) -> None:
    """Writes what is not up to date, with LF whatever the platform; exits 1 when it may not and something is not."""
    stale = {path: text for path, text in pages.items() if not path.exists() or path.read_bytes() != text.encode()}
    for path, text in stale.items():
        click.echo(f"{'stale' if only else 'wrote'} {path}")
        if not only:
            path.write_text(text, encoding="utf-8", newline="\n")
    if not stale:
        click.echo(f"{next(iter(pages))} is up to date" if len(pages) == 1 else f"{len(pages)} files are up to date")
    sys.exit(1 if only and stale else 0)
