"""What a set says, for the subcommands that show it or write it down."""

from __future__ import annotations

from pathlib import Path

import click

from authz.check import PolicyRejected, examine
from authz.expand import Expansion
from authz.policy import Policy


def said(folder: Path, name: str = "") -> tuple[Policy, Expansion]:
    """Also of a set that only proofs, hints or tests reject: its author is in the middle of something, or it is older
    than what it is measured by. `name` is what such a set is called on the error output."""
    found = examine(folder)
    if found.said is None or found.expansion is None:
        raise PolicyRejected(found.diagnostics)
    if found.diagnostics:
        codes = ", ".join(sorted({diagnostic.code for diagnostic in found.diagnostics}))
        click.echo(f"{name or folder} would be rejected ({codes}); what it says is taken all the same", err=True)
    return found.said, found.expansion
