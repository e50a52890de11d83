"""A set as it stands in a git revision, written into a folder of its own so that it is read like any other."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

import click


def write_revision(revision: str, folder: Path, target: Path) -> Path:
    """The `*.yaml` files that the revision has where `folder` is now, below `target`."""
    top = _git(folder, "rev-parse", "--show-prefix").decode().strip()
    tree = _git(folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    listed = _git(folder, "ls-tree", "-r", "-z", "--name-only", tree).decode("utf-8", "surrogateescape")
    for name in filter(None, listed.split("\0")):
        if name.endswith(".yaml"):
            path = target / PurePosixPath(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_git(folder, "show", f"{tree}:{top}{name}"))
    return target


def _git(folder: Path, *arguments: str) -> bytes:
    """What git answers, asked from inside the folder; ls-tree then lists relative to it."""
    try:
        asked = ["git", "-C", str(folder), *arguments]
        return subprocess.run(asked, check=True, capture_output=True).stdout  # noqa: S603  (words, and no shell)
    except FileNotFoundError:
        raise click.ClickException("git is not installed") from None
    except subprocess.CalledProcessError as fault:
        raise click.ClickException(fault.stderr.decode("utf-8", "replace").strip()) from None
