"""The command `sparekey doctor`: every start-up check as a table, without starting the server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from server.checks import Examined, Seen

EXIT = {"REFUSED": 1, "WARNING": 2}
HELP = """
Run every start-up check and print what there is to do. The settings are those of `sparekey serve`; a PostgreSQL of its
own that is not running is started for the time. Nothing secret is printed.

Exits 0 when all is well, 1 when the server would not start, 2 when it would start and warn.
"""


@click.command(help=HELP)
def doctor() -> None:
    from server import checks
    from server.settings import SettingsInvalid

    try:
        seen = checks.run(_examined())
    except SettingsInvalid as invalid:
        click.echo(f"settings  REFUSED  {invalid}\n\nThe other checks need settings that can be read.")
        sys.exit(EXIT["REFUSED"])
    click.echo("\n".join(table(seen)))
    outcomes = {each.finding.outcome.value for each in seen}
    sys.exit(next((code for outcome, code in EXIT.items() if outcome in outcomes), 0))


def _examined() -> Examined:
    from server.before_serving import examined
    from server.checks import Examined
    from server.embedded import Embedded, EmbeddedUnavailable
    from server.policy_compiler import sound_set
    from server.settings import from_environment

    settings = from_environment(os.environ)

    def load_policies() -> object:
        return sound_set(settings.policies)

    try:
        embedded = None if settings.database_url else Embedded(settings.data_dir)
        if embedded:
            embedded.start()
    except EmbeddedUnavailable as unavailable:
        return Examined(settings, load_policies, why_not=str(unavailable).partition("\n")[0])
    url = settings.database_url or (embedded.application_url if embedded else "")
    return examined(settings, url, lambda: datetime.now(UTC), load_policies)


def table(seen: Iterable[Seen]) -> list[str]:
    """A line each: the check, its outcome, and what to do or else what was looked at."""
    rows = [(each.check.name, each.finding.outcome.value, each.finding.advice or each.check.looks_at) for each in seen]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return [f"{name:<{widths[0]}}  {outcome:<{widths[1]}}  {said}" for name, outcome, said in rows]
