"""What the terminal shows once the server answers: the addresses, and in development who can sign in."""

from __future__ import annotations

import click

from server import demo
from server.settings import Settings


def show(settings: Settings, embedded: bool) -> None:
    address = f"http://{settings.host}:{settings.port}"
    click.echo(f"\nSparekey answers at {address}/graphql")
    if settings.graphiql:
        click.echo(f"  in a browser, the same address is GraphiQL; health: {address}/livez {address}/readyz")
    if embedded:
        click.echo(f"  data: {settings.data_dir} (embedded PostgreSQL)")
    if settings.development:
        _warn()


def _warn() -> None:
    click.secho("\nDEVELOPMENT MODE: plain http, demo accounts, a password that everybody knows.", fg="red", bold=True)
    click.secho("Set SPAREKEY_MODE=production before anybody real signs in.\n", fg="red", bold=True)
    click.echo(f"Demo accounts, all with the password {demo.PASSWORD}:")
    for account in demo.accounts():
        click.echo(f"  {account}")
