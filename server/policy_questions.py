"""The subcommands of `sparekey policy` that answer questions: test, explain, why, who.

`test` and `explain` read files only. `why` and `who` ask the live database who holds what, one query each, and the
policy what that means.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from authz.check import check, examine
from authz.policy import Policy
from server.policy_command import policy, set_folder

if TYPE_CHECKING:
    from authz.run_tests import Case
    from resolvers.standing import House, Standing

T = TypeVar("T")


@policy.command(help="Run the tests of a set. Exits 1 when one fails, too little is asserted or a mutant survives.")
@click.option("--coverage", is_flag=True, help="Also count which cells of role × permission a test asserts.")
@click.option("--coverage-min", type=click.FloatRange(0, 100), help="Exit 1 where fewer per cent are asserted.")
@click.option("--mutate", is_flag=True, help="Also change the set in one place at a time; list what no test notices.")
@set_folder
def test(folder: Path, coverage: bool, coverage_min: float | None, mutate: bool) -> None:
    from authz.run_tests import cases

    found, expansion = examine(folder).compiled()
    asked = cases(expansion.draft, found)
    click.echo(f"{len(expansion.draft.tests)} tests hold, asked as {len(asked)} holders")
    enough = not (coverage or coverage_min is not None) or _covered(found, asked, coverage_min or 0)
    unnoticed = _survivors(found, asked) if mutate else 0
    sys.exit(0 if enough and not unnoticed else 1)


def _covered(policy: Policy, asked: list[Case], least: float) -> bool:
    from authz.coverage import coverage, role_lines

    found = coverage(policy, asked)
    click.echo(f"{found.cells - len(found.missing)} of {found.cells} cells are asserted: {found.percent:.1f} %")
    for line in role_lines(policy, found):
        click.echo(line)
    if found.percent < least:
        click.echo(f"fewer than {least:g} %", err=True)
    return found.percent >= least


def _survivors(policy: Policy, asked: list[Case]) -> int:
    from authz.mutate import mutate, paste

    found = mutate(policy, asked)
    click.echo(f"{found.killed} of {found.tried} mutants are noticed")
    for mutant in found.survivors:
        click.echo(f"  survives: {mutant.what}")
    if found.survivors:
        click.echo("\n# The tests that are missing: a file of its own under tests/, or lines of one that is there.")
        click.echo("\n".join(paste(found.survivors)))
    return len(found.survivors)


@policy.command(help="Print how a role comes to hold a permission, or which roles do.")
@click.argument("role")
@click.argument("permission")
@set_folder
def explain(role: str, permission: str, folder: Path) -> None:
    from authz.role_page import role_page

    found = check(folder)
    if permission not in found.permissions or role not in found.roles:
        raise click.ClickException(_unknown(found, role, permission))
    click.echo(role_page(found, role, permission), nl=False)


@policy.command(help="Print why a person may or may not do something in a practice, now.")
@click.argument("who")
@click.argument("permission")
@click.argument("where")
@set_folder
def why(who: str, permission: str, where: str, folder: Path) -> None:
    found, now = check(folder), datetime.now(UTC)
    house = _one_house(_asked(lambda: _people(where, who, found, now)), where)
    if not house.people:
        raise click.ClickException(f"nobody has the e-mail or id {who}")
    (person,) = house.people
    click.echo(_why(person, permission, house, found), nl=False)


@policy.command(help="Print who may do something in a practice, now, and through what.")
@click.argument("permission")
@click.argument("where")
@set_folder
def who(permission: str, where: str, folder: Path) -> None:
    found, now = check(folder), datetime.now(UTC)
    if permission not in found.permissions:
        raise click.ClickException(_unknown(found, None, permission))
    house = _one_house(_asked(lambda: _people(where, None, found, now)), where)
    lines = [line for person in house.people for line in _who(person, permission, found)]
    count = f"{len(lines)} {'person' if len(lines) == 1 else 'people'}"
    click.echo("\n".join([f"{permission} at {house.name}: {count}", *lines]))


def _why(person: Standing, permission: str, house: House, policy: Policy) -> str:
    from authz.explain import explain
    from authz.plain_words import as_given

    found = explain(policy, tuple(person.seats), permission, background=person.seats, where=as_given)
    may = "may" if found.decision.allowed else "may not"
    lines = [f"{person.name} <{person.email}> {may} {permission} at {house.name}: {found.decision.reason.name}"]
    lines += [f"  {'✔' if step.passed else '✘'} {step.check}: {step.detail}" for step in found.steps]
    if not person.seats and person.ended:
        lines.append(f"    {person.ended}")
    if found.would_be_allowed_by:
        lines.append(f"  roles that would give it: {', '.join(role.key for role in found.would_be_allowed_by)}")
    return "\n".join([*lines, f"  policy {policy.name} {policy.version} {policy.digest}", ""])


def _who(person: Standing, permission: str, policy: Policy) -> Iterator[str]:
    """A line for somebody who may; under a guard it depends on what is asked, and the line says so."""
    from authz.decide import Reason, decide
    from authz.plain_words import guard_words

    found = decide(policy, tuple(person.seats), permission)
    if found.seat is None or found.reason not in (Reason.ALLOWED, Reason.GUARD):
        return
    roles = [policy.roles[key] for key in sorted(found.seat.roles) if key in policy.roles]
    through = found.role or next(role.key for role in roles if permission in role.guards)
    standing = found.seat.agent_kind or found.seat.held_by
    words = "" if found.allowed else f" when {guard_words(policy.roles[through].guards[permission])}"
    yield f"  {person.name} <{person.email}>: {standing}, through {through}{words}"


def _unknown(policy: Policy, role: str | None, permission: str) -> str:
    from difflib import get_close_matches

    if role is not None and role not in policy.roles:
        near, what = policy.nearest_role(role), f"role {role}"
    else:
        near, what = tuple(get_close_matches(permission[:80], policy.permissions, n=1)), f"permission {permission}"
    return f"the policy has no {what}" + (f"; did you mean {near[0]}?" if near else "")


def _one_house(houses: tuple[House, ...], where: str) -> House:
    if not houses:
        raise click.ClickException(f"no practice has the id or name {where}")
    if len(houses) > 1:
        raise click.ClickException(f"several practices are called {where}: {', '.join(str(h.id) for h in houses)}")
    return houses[0]


async def _people(where: str, who: str | None, policy: Policy, now: datetime) -> tuple[House, ...]:
    from resolvers.standing import people

    return await people(where, who, policy, now)


def _asked(question: Callable[[], Awaitable[T]]) -> T:
    from server.database import with_database

    return with_database(question)
