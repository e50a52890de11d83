"""The command `sparekey policy`: what an author of policies asks of a set, one subcommand a question.

Each subcommand takes the folder of the set as its last argument. What it answers is made in `authz/`; here are the
words and the exit codes: 0 fine or nothing changes, 1 errors, 2 changes, 3 changes that need approval.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from pathlib import Path

import click

SHIPPED = Path(__file__).parent.parent / "policies"
PARTS = (  # each adds its commands to `policy`
    "server.policy_pages",
    "server.policy_writing",
    "server.policy_questions",
    "server.policy_plan",
)


class WrongArgument(click.UsageError):
    """An error exits with 1: 2 says that something changes."""

    exit_code = 1


class PolicyGroup(click.Group):
    """Imports its parts when a subcommand is asked for: `sparekey serve` never pays for them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._complete()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        self._complete()
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> object:
        from authz.check import PolicyRejected

        try:
            return super().invoke(ctx)
        except PolicyRejected as rejected:
            click.echo(str(rejected), err=True)
            return ctx.exit(1)
        except click.UsageError as refusal:
            raise WrongArgument(refusal.format_message(), refusal.ctx) from None

    def _complete(self) -> None:
        for part in PARTS:
            if importlib.util.find_spec(part) is not None:
                importlib.import_module(part)


def shipped() -> Path:
    """The checkout's set, as it is called from here, so that messages name places that an editor can open."""
    path = Path(os.path.relpath(SHIPPED))
    return SHIPPED if ".." in path.parts else path


@click.group(cls=PolicyGroup, help="Check, test, compare and apply policies. The set is the last argument.")
def policy() -> None:
    pass


# The last argument of every subcommand. That it is a folder with a policy in it is for the loader to say.
set_folder = click.argument("folder", type=click.Path(path_type=Path), default=shipped, metavar="[FOLDER]")
