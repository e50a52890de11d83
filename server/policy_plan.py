"""`sparekey policy plan` and `apply`: what a set would change for live people, and putting it in force.

Exit codes of `plan`: 0 nothing changes, 1 an error, 2 changes within the limits, 3 changes that need approval.
`apply` exits with 0 when the set is in force, 1 after an error, 3 when it waits for approval.
"""

from __future__ import annotations

import asyncio
import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson

from authz.plan import NEEDS_APPROVAL
from authz.policy import Policy
from operations import policy as activations
from operations.policy_planning import FORMAT, Planned, as_json, make_plan
from server import policy_plan_text
from server.database import with_database
from server.policy_command import policy, set_folder, shipped
from server.policy_compiler import FilesKeepChanging, SoundSet, from_files, sound_set

READY_SECONDS = 0.5  # the workers compile in 0.2 s what is about to come into force, so that no request waits for it


@policy.command(help="Show what activating the set would change for live people. Writes nothing to the database.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write the plan here as JSON, for `apply`; - for the terminal."
)
@set_folder
def plan(folder: Path, out: Path | None) -> None:
    new = _read_set(folder)
    sys.exit(with_database(lambda: _plan(new, out)))


@policy.command(
    help="Put the set in force for every worker at once, after a plan. With plan.json: what it planned, or nothing."
)
@click.option("--approve", metavar="DIGEST", help="The digest of the set whose change beyond the limits is approved.")
@click.argument("arguments", nargs=-1, type=click.Path(path_type=Path), metavar="[PLAN.JSON] [FOLDER]")
def apply(arguments: tuple[Path, ...], approve: str | None) -> None:
    planned, folder = _planned_and_folder(arguments)
    new, looked_at = _read_set(folder), _read_plan(planned)
    sys.exit(with_database(lambda: _apply(new, looked_at, approve)))


def _planned_and_folder(arguments: tuple[Path, ...]) -> tuple[Path | None, Path]:
    plans = [path for path in arguments if path.suffix == ".json"]
    folders = [path for path in arguments if path.suffix != ".json"]
    if len(plans) > 1 or len(folders) > 1:
        raise click.UsageError("give one plan and one folder at most")
    return (plans[0] if plans else None), (folders[0] if folders else shipped())


async def _plan(new: SoundSet, out: Path | None) -> int:
    now = datetime.now(UTC)
    old, since = await in_force()
    made = await make_plan(old, new.policy, now)
    text = orjson.dumps(as_json(made, now), option=orjson.OPT_INDENT_2).decode()
    if out == Path("-"):
        click.echo(text)
    else:
        click.echo(policy_plan_text.render(made, since))
        _write(out, text)
    return made.plan.verdict


def _write(out: Path | None, text: str) -> None:
    try:
        if out is not None:
            out.write_text(text + "\n")
    except OSError as fault:
        raise click.ClickException(f"{out} cannot be written: {fault.strerror}") from None


async def _apply(new: SoundSet, planned: dict[str, Any] | None, approve: str | None) -> int:
    now = datetime.now(UTC)
    old, since = await in_force()
    base = old.digest if old else ""
    if planned is not None:
        _check(planned, base, new.policy.digest)
    if approve is not None and approve != new.policy.digest:
        raise click.ClickException(
            f"the approval is for {approve}, the set is {new.policy.digest}; nothing was activated"
        )
    made = await make_plan(old, new.policy, now)
    if made.plan.verdict == NEEDS_APPROVAL and approve is None:
        click.echo(policy_plan_text.render(made, since))
        click.echo(f"nothing was activated; whoever approves it: sparekey policy apply --approve {new.policy.digest}")
        return NEEDS_APPROVAL
    await _activate(new, made, base, approve)
    return 0


def _check(planned: dict[str, Any], base: str, digest: str) -> None:
    """What was looked at and what is applied are the same change."""
    planned_base = (planned["base"] or {"digest": ""})["digest"]
    if planned_base != base:
        was, now = planned_base or "no policy", base or "no policy"
        raise click.ClickException(f"the plan is stale: it was made against {was}, in force is {now}; plan again")
    if planned["set"]["digest"] != digest:
        raise click.ClickException(f"the plan is for {planned['set']['digest']}, the folder holds {digest}; plan again")


async def _activate(new: SoundSet, made: Planned, base: str, approve: str | None) -> None:
    await activations.store(new.policy, new.files, datetime.now(UTC))
    await asyncio.sleep(READY_SECONDS)
    lost = sum(change.live.holders for change in made.plan.changes if change.takes)
    said = {"approved": approve is not None, "reasons": list(made.plan.reasons), "lose": lost}
    try:
        done = await activations.activate(new.policy, _who(), datetime.now(UTC), base=base, **said)
    except activations.BaseMoved:
        raise click.ClickException("another set came into force meanwhile; nothing was activated, plan again") from None
    click.echo(
        f"in force for every request from now on: {done.name} {done.version} ({done.digest}), activation {done.number}"
    )


def _who() -> str:
    try:
        return f"{getpass.getuser()}, sparekey policy apply"
    except (KeyError, OSError):
        return "sparekey policy apply"


def _read_set(folder: Path) -> SoundSet:
    """Raises PolicyRejected, which the group prints."""
    try:
        return sound_set(folder)
    except FilesKeepChanging as fault:
        raise click.ClickException(str(fault)) from None


def _read_plan(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        found = orjson.loads(path.read_bytes())
    except OSError as fault:
        raise click.ClickException(f"{path} cannot be read: {fault.strerror}") from None
    except orjson.JSONDecodeError:
        raise click.ClickException(f"{path} is not JSON") from None
    if not _is_plan(found):
        raise click.ClickException(f"{path} is not a plan: make one with `sparekey policy plan --out {path}`")
    plan: dict[str, Any] = found
    return plan


def _is_plan(found: object) -> bool:
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        return False
    base, planned = found.get("base"), found.get("set")
    return _has_digest(planned) and (base is None or _has_digest(base))


def _has_digest(side: object) -> bool:
    return isinstance(side, dict) and isinstance(side.get("digest"), str)


async def in_force() -> tuple[Policy | None, datetime | None]:
    """The set that decides now, compiled from its stored files."""
    newest = await activations.newest()
    if newest is None:
        return None, None
    files = await activations.files_of(newest.source_digest)
    if files is None:
        raise click.ClickException("the files of the set in force are not stored; start the server once")
    found = from_files(files)
    if found.sound is None:
        raise click.ClickException(f"the set in force does not load in this version:\n{found.diagnostics}")
    return found.sound.policy, newest.activated_at
