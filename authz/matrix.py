"""The whole policy as one page, role × permission: what a reviewer reads instead of the files.

The text is a committed snapshot, so its diff shows who gets what. Markdown is the same as a table, and the picture
(`authz/matrix_svg.py`) is for people who were never shown a policy.
"""

from __future__ import annotations

from itertools import groupby

from authz.policy import Permission, Policy

HELD, GUARDED, INSIDE, NOT_HELD = "■", "□", "▲", "·"
MEANING = {
    HELD: "held",
    GUARDED: "held under a guard",
    INSIDE: "held, and within reach of no kind of agent that can have the role",
    NOT_HELD: "not held",
}


def cell(policy: Policy, role: str, permission: str) -> str:
    """One of the four marks. `▲`: the role is one that agents can have, and no kind of agent gets this from it."""
    found = policy.roles[role]
    if permission not in found.permissions:
        return NOT_HELD
    if permission in found.guards:
        return GUARDED
    reached = any(role in kind.roles and permission in kind.ceiling for kind in policy.agents.values())
    return INSIDE if "agent" in found.held_by and not reached else HELD


def areas(policy: Policy) -> list[tuple[str, list[Permission]]]:
    """The permissions by area, both in alphabetical order."""
    ordered = sorted(policy.permissions.values(), key=lambda found: (found.area, found.key))
    return [(area, list(group)) for area, group in groupby(ordered, lambda found: found.area)]


def text(policy: Policy) -> str:
    roles = sorted(policy.roles)
    width = max(map(len, policy.permissions))
    lines = [f"policy {policy.name} {policy.version} {policy.digest}", ""]
    lines += [f"{'':{width}}  {number:>2} {key}" for number, key in enumerate(roles, 1)]
    lines += ["", f"{'':{width}}  {' '.join(f'{number:>2}' for number in range(1, len(roles) + 1))}"]
    for key in sorted(policy.permissions):
        cells = " ".join(f"{cell(policy, role, key):>2}" for role in roles)
        lines.append(f"{key:{width}}  {cells}")
    return "\n".join(lines) + "\n"


def markdown(policy: Policy) -> str:
    """A table with a row for each permission, and one above each area; what is not held is left empty."""
    roles = sorted(policy.roles)
    legend = " · ".join(f"{mark} {meaning}" for mark, meaning in MEANING.items() if mark != NOT_HELD)
    lines = [f"**{_escaped(policy.name)} {_escaped(policy.version)}** `{policy.digest}`", "", legend, ""]
    lines += [_row("permission", roles), _row(":---", [":---:"] * len(roles))]
    for area, permissions in areas(policy):
        lines.append(_row(f"**{_escaped(area)}**", [""] * len(roles)))
        for permission in permissions:
            marks = [cell(policy, role, permission.key).replace(NOT_HELD, "") for role in roles]
            lines.append(_row(f"`{permission.key}`", marks))
    return "\n".join(lines) + "\n"


def _row(first: str, cells: list[str]) -> str:
    return "| " + " | ".join([first, *cells]) + " |"


def _escaped(words: str) -> str:
    """Words that people chose, as Markdown shows them unchanged."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>()#+-!|" else c for c in words)
