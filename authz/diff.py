"""What one policy says that another does not: for reviewers before a change, and for `sparekey policy diff`.

The text lists facts below what they are about: `+` is new, `-` is gone, `~` says something else. `json` keeps its
keys: `format` names this layout, `before` and `after` (`name`, `version`, `digest`), and `changes`, each with
`section` (role, agent, permission, kind, promise, separation, redirect, task, policy), `subject`, `fact`, `name` (null
where the fact is said once), `before` and `after` (null where it is not said), and for permissions `protection`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from authz.facts import ALWAYS, SECTIONS, Fact, facts, protection
from authz.policy import Policy

JSON_FORMAT = "sparekey/diff/v1"


@dataclass(frozen=True, slots=True)
class Change:
    """`before` is None for what is new, `after` for what is gone."""

    fact: Fact
    before: str | None
    after: str | None
    protection: str = ""

    @property
    def sign(self) -> str:
        return "+" if self.before is None else "-" if self.after is None else "~"


@dataclass(frozen=True, slots=True)
class Difference:
    """`fresh` and `gone` are the (section, subject) that only one of the two speaks of."""

    old: Policy
    new: Policy
    changes: tuple[Change, ...]
    fresh: frozenset[tuple[str, str]]
    gone: frozenset[tuple[str, str]]


def compare(old: Policy, new: Policy) -> Difference:
    """Empty when the digests are equal: what then differs decides nothing."""
    before, after = facts(old), facts(new)
    if old.digest == new.digest:
        return Difference(old, new, (), frozenset(), frozenset())
    differing = [fact for fact in before.keys() | after.keys() if before.get(fact) != after.get(fact)]
    changes = [
        Change(fact, before.get(fact), after.get(fact), _protection(fact, old, new))
        for fact in sorted(differing, key=_place)
    ]
    spoken_before, spoken_after = ({fact[:2] for fact in said} for said in (before, after))
    fresh, gone = frozenset(spoken_after - spoken_before), frozenset(spoken_before - spoken_after)
    return Difference(old, new, tuple(changes), fresh, gone)


def _place(fact: Fact) -> tuple[int, str, bool, str, str]:
    """Permissions first, because they are what people look for."""
    return SECTIONS.index(fact.section), fact.subject, fact.fact != "permission", fact.fact, fact.name


def _protection(fact: Fact, old: Policy, new: Policy) -> str:
    key = fact.name if fact.fact == "permission" else ""
    return protection(new.permissions.get(key) or old.permissions.get(key))


def text(found: Difference) -> str:
    old, new = (f"{policy.name} {policy.version} {policy.digest}" for policy in (found.old, found.new))
    if not found.changes:
        return f"{new}: nothing changes\n"
    lines = [f"{old} → {new}"]
    for (section, subject), group in groupby(found.changes, lambda change: change.fact[:2]):
        lines += ["", _heading(section, subject, found), *_lines(list(group))]
    count = len(found.changes)
    return "\n".join([*lines, "", f"{count} change{'' if count == 1 else 's'}"]) + "\n"


def _heading(section: str, subject: str, found: Difference) -> str:
    key = (section, subject)
    return f"{section} {subject}" + (" (new)" if key in found.fresh else " (gone)" if key in found.gone else "")


def _lines(changes: Sequence[Change]) -> list[str]:
    said = [_said(change) for change in changes]
    width = max(map(len, said))
    return [f"  {line:{width}}  {change.protection}".rstrip() for line, change in zip(said, changes, strict=True)]


def _said(change: Change) -> str:
    """`+ claims.read`, `- granted_by manager`, `~ agreement: required → recommended`."""
    fact = change.fact
    name = fact.name if fact.fact == "permission" else f"{fact.fact} {fact.name}".strip()
    if change.before is None or change.after is None:
        value = change.after if change.before is None else change.before
        between = " " if fact.fact == "permission" else ": "
        return f"{change.sign} {name}{between + value if value and value != ALWAYS else ''}"
    return f"~ {name}: {change.before} → {change.after}"


def as_json(found: Difference) -> str:
    page = {
        "format": JSON_FORMAT,
        "before": _identity(found.old),
        "after": _identity(found.new),
        "changes": [_json_change(change) for change in found.changes],
    }
    return json.dumps(page, indent=2, ensure_ascii=False) + "\n"


def _identity(policy: Policy) -> Mapping[str, str]:
    return {"name": policy.name, "version": policy.version, "digest": policy.digest}


def _json_change(change: Change) -> Mapping[str, str | None]:
    fact = change.fact
    said = {"section": fact.section, "subject": fact.subject, "fact": fact.fact, "name": fact.name or None}
    return {**said, "before": change.before, "after": change.after, "protection": change.protection or None}
