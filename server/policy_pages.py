"""The subcommands that read a set and answer with a page: check, explain-code, matrix, diff."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from authz.check import examine
from authz.codes import explanations
from authz.diff import as_json as diff_json
from authz.diff import compare
from authz.diff import text as diff_text
from authz.formats import FORMATS
from authz.matrix import markdown
from authz.matrix import text as matrix_text
from authz.matrix_svg import svg
from server.policy_command import policy, set_folder, shipped
from server.policy_reading import said
from server.policy_revision import write_revision

MATRICES = {"text": matrix_text, "markdown": markdown, "svg": svg}
DIFFERENCES = {"text": diff_text, "json": diff_json}


@policy.command(help="Print everything that is wrong with a set. Exits 1 when anything is.")
@click.option("--format", "form", type=click.Choice(tuple(FORMATS)), default="human", show_default=True)
@click.option("--locked", is_flag=True, help="Also compare what wildcards reach with policy.lock.")
@set_folder
def check(folder: Path, form: str, locked: bool) -> None:
    found = examine(folder, locked)
    click.echo(FORMATS[form](found), nl=False)
    sys.exit(1 if found.diagnostics else 0)


@policy.command(help="Print who holds what: every role, every permission.")
@click.option("--format", "form", type=click.Choice(tuple(MATRICES)), default="text", show_default=True)
@set_folder
def matrix(folder: Path, form: str) -> None:
    click.echo(MATRICES[form](said(folder)[0]), nl=False)


@policy.command(
    help="Print what set AFTER says that set BEFORE does not. AFTER is the shipped set by default; with --base there is"
    " no BEFORE. Exits 2 when something changes."
)
@click.option("--base", metavar="REV", help="Compare with this git revision of the same folder.")
@click.option("--format", "form", type=click.Choice(tuple(DIFFERENCES)), default="text", show_default=True)
@click.argument("folders", type=click.Path(path_type=Path), nargs=-1, metavar="[BEFORE] [AFTER]")
def diff(folders: tuple[Path, ...], base: str | None, form: str) -> None:
    if len(folders) not in ((0, 1) if base else (1, 2)):
        raise click.UsageError("give one folder at most with --base" if base else "give one folder or two")
    after = folders[-1] if (base and folders) or len(folders) == 2 else shipped()
    with TemporaryDirectory() as kept:
        old = write_revision(base, after, Path(kept)) if base else folders[0]
        before, _ = said(old, f"{base}:{after}" if base else "")
    found = compare(before, said(after)[0])
    click.echo(DIFFERENCES[form](found), nl=False)
    sys.exit(2 if found.changes else 0)


@policy.command(help="Print what a diagnostic means, why it matters, a wrong example and the right one.")
@click.argument("code", required=False)
def explain_code(code: str | None) -> None:
    known = explanations()
    if code is None:
        click.echo("\n".join(f"{key} {found.title}" for key, found in known.items()))
    elif code.upper() in known:
        click.echo(known[code.upper()].text(), nl=False)
    else:
        raise click.UsageError(f"there is no {code}; without a code all of them are listed")
