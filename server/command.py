"""The command `sparekey`: serve, doctor, walk, operator, sweep, policy, documents, audit, accept, limits."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

try:
    import limits as table_of_limits
except ValueError as invalid:  # limits.LimitInvalid, which cannot be named while its module cannot be imported
    sys.exit(f"Error: {invalid}")

from server.audit_command import audit
from server.doctor_command import doctor
from server.documents_command import documents
from server.policy_command import policy
from server.sweep_command import sweep

# Imports of a command's own parts stand inside it: the server starts half a second earlier without the walk's
# HTTP client, and the walk needs no database.


@click.group(help="Sparekey: role-scoped keys to a practice's account, and taking them back.")
def main() -> None:
    pass


main.add_command(policy)
main.add_command(documents)
main.add_command(audit)
main.add_command(doctor)
main.add_command(sweep)


@main.command(help="Start the server. Its settings are environment variables; see README.md.")
def serve() -> None:
    from authz.check import PolicyRejected
    from server.before_serving import NotUpToDate
    from server.checks import Unsafe
    from server.embedded import Embedded, EmbeddedUnavailable
    from server.manifest import ManifestRejected
    from server.settings import SettingsInvalid, from_environment

    try:
        settings = from_environment()
        embedded = None if settings.database_url else Embedded(settings.data_dir)
        if embedded:
            embedded.start()
        from server import banner, before_serving, run, service

        url = settings.database_url or (embedded.application_url if embedded else "")
        app = service.build(settings, url, lambda: datetime.now(UTC))
        before_serving.bring_up_to_date(settings.database_owner_url or (embedded.url if embedded else url))
        before_serving.refuse_unsafe(settings, url, lambda: datetime.now(UTC))
        run.serve(
            app,
            settings.host,
            settings.port,
            proxies=settings.proxies,
            started=lambda: banner.show(settings, embedded is not None),
        )
    except (SettingsInvalid, EmbeddedUnavailable, PolicyRejected, ManifestRejected, NotUpToDate, Unsafe) as refusal:
        raise click.ClickException(str(refusal)) from None


@main.command(help="Play the whole walk against a running server, as its people would. Exits 1 at the first surprise.")
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where the server is.")
@click.option("--operator-email", default="operator@sparekey.example", show_default=True, help="Who verifies agents.")
@click.option("--operator-password", default="demo-password", show_default=True, help="The operator's password.")
def walk(url: str, operator_email: str, operator_password: str) -> None:
    from server import walk as played

    sys.exit(played.play(url, operator_email, operator_password))


@main.command(help="Make the account with this e-mail an operator of the platform, who verifies agents.")
@click.argument("email")
@click.option("--remove", is_flag=True, help="No longer an operator.")
def operator(email: str, remove: bool) -> None:
    from errors import NotFound
    from operations.operator import set_operator
    from server.database import with_database

    try:
        changed = with_database(lambda: set_operator(email, not remove, datetime.now(UTC)))
    except NotFound:
        raise click.ClickException("nobody has an account with this e-mail; they sign up first") from None
    click.echo("done" if changed else "nothing to do")


@main.command(
    help="Rewrite the committed snapshots (SDL, role matrix, policy lock, schema); the diff is what a reviewer reads."
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where a snapshot is not up to date.")
def accept(check: bool) -> None:
    from server import snapshots

    stale = snapshots.stale(Path(__file__).parent.parent)
    for path, text in stale.items():
        click.echo(f"{'stale' if check else 'wrote'} {path}")
        if not check:
            path.write_text(text)
    sys.exit(1 if check and stale else 0)


@main.command(help="Print every limit with its value, its unit and its reason.")
def limits() -> None:
    for limit in table_of_limits.LIMITS.values():
        click.echo(f"{limit.name:<36} {limit.value:>8} {limit.unit:<12} {limit.reason}")
