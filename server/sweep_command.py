"""The command `sparekey sweep`: the sweeper once, for whoever runs it by a timer of their own."""

from __future__ import annotations

from datetime import UTC, datetime

import click


@click.command(
    help="Tell what time alone brought about: what expires soon, has expired, lapsed or falls due. Each thing is told "
    "once, however often this runs; servers do it themselves every minute."
)
def sweep() -> None:
    from server.database import with_database

    told = with_database(_swept)
    for type, count in told.items():
        click.echo(f"{type:<24} {count:>8}")
    if not told:
        click.echo("nothing to tell")


async def _swept() -> dict[str, int]:
    from operations import sweep as sweeper
    from server.policy_plan import in_force

    policy, _ = await in_force()
    if policy is None:
        raise click.ClickException("no policy is in force; start the server once")
    return dict(sorted((await sweeper.sweep(policy, datetime.now(UTC))).items()))
