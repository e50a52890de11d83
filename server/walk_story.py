"""What the walk tells and what it checks: a story that ends at its first surprise.

A newcomer reads the story to learn the product, an operator runs it to know that a server keeps its promises.
Both need the same thing: every sentence that is printed has been checked.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import click

WIDTH = 100


class Surprise(Exception):
    """The server did something else than the product promises."""

    def __init__(self, what: str, expected: object, came: object) -> None:
        super().__init__(f"{what}: expected {expected}, came {came}")
        self.what = what
        self.expected = expected
        self.came = came


@dataclass
class Story:
    chapters: int = 0
    checks: int = 0
    step: str = "the beginning"

    def chapter(self, title: str) -> None:
        self.chapters += 1
        click.secho(f"\n{self.chapters}. {title}", bold=True)

    def tell(self, sentence: str) -> None:
        """One step: who does what. Printed before it is done, so that a surprise stands below its step."""
        self.step = sentence
        click.echo(textwrap.fill(sentence, WIDTH, initial_indent="   ", subsequent_indent="   "))

    def screen(self, *lines: str) -> None:
        """What this person sees now."""
        for line in lines:
            click.secho(textwrap.fill(line, WIDTH, initial_indent="     | ", subsequent_indent="     |   "), fg="cyan")

    def same(self, what: str, came: object, expected: object) -> None:
        self.true(what, came == expected, came, expected)

    def true(self, what: str, holds: bool, came: object, expected: object) -> None:
        """A check that is more than equality; `expected` says in words what should have held."""
        self.checks += 1
        if not holds:
            raise Surprise(what, expected, came)

    def end(self, seconds: float) -> None:
        counted = f"{self.checks} checks in {self.chapters} chapters, {seconds:.1f} s"
        click.secho(f"\nNo surprise: {counted}.", fg="green", bold=True)

    def break_off(self, surprise: Surprise) -> None:
        click.secho(f"\nSurprise in chapter {self.chapters}, at: {self.step}", fg="red", bold=True, err=True)
        click.echo(f"  checked   {surprise.what}", err=True)
        click.echo(f"  expected  {surprise.expected}", err=True)
        click.echo(f"  came      {surprise.came}", err=True)
