"""The long text of every diagnostic: what it means, why it matters, a wrong example and the right one.

The texts are `codes.md`, so that they can be read and linked to without running anything; tests hold that every code
has one, and that each wrong example produces its code and each right one nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = Path(__file__).with_name("codes.md")
SECTION = re.compile(r"^## (P\d{3}) (.+)\n\n", re.MULTILINE)
PARTS = re.compile(
    r"(?P<means>.+?)\n\n(?P<matters>.+?)\n\n"
    r"Wrong:\n\n```(?P<language>\w+)\n(?P<wrong>.+?)```\n\nRight:\n\n```\w+\n(?P<right>.+?)```\n*",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """`language` is that of the wrong example: yaml where a set can be made of it, sh or text where not."""

    code: str
    title: str
    means: str
    matters: str
    wrong: str
    right: str
    language: str
    markdown: str

    def text(self) -> str:
        wrong, right = (_indented(example) for example in (self.wrong, self.right))
        return (
            f"{self.code}: {self.title}\n\n{self.means}\n\n{self.matters}\n\nWrong:\n\n{wrong}\n\nRight:\n\n{right}\n"
        )


def explanation(code: str) -> Explanation:
    """Raises KeyError for a code that there is not."""
    return explanations()[code]


@cache
def explanations() -> Mapping[str, Explanation]:
    """Every section of the page, by its code."""
    _, *pieces = SECTION.split(PAGE.read_text(encoding="utf-8"))
    codes, titles, bodies = pieces[::3], pieces[1::3], pieces[2::3]
    return {code: _section(code, title, body) for code, title, body in zip(codes, titles, bodies, strict=True)}


def _section(code: str, title: str, body: str) -> Explanation:
    parts = PARTS.fullmatch(body)
    if parts is None:
        raise ValueError(f"{PAGE.name}: the section of {code} is not two paragraphs and two examples")
    found = parts.groupdict()
    return Explanation(code=code, title=title, markdown=body.rstrip(), **found)


def _indented(example: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in example.splitlines())
