"""The committed pages that a reviewer reads instead of the code: the SDL and the role matrix."""

from __future__ import annotations

from pathlib import Path

from authz.load import load
from authz.policy import Policy
from resolvers.schema import schema


def stale(root: Path) -> dict[Path, str]:
    """The snapshots whose committed text is not what the code says, with the text they should have."""
    pages = {
        root / "schema" / "schema.graphql": schema.as_str() + "\n",
        root / "tests" / "snapshots" / "matrix.txt": matrix(load(root / "policies")),
    }
    return {path: text for path, text in pages.items() if not path.exists() or path.read_text() != text}


def matrix(policy: Policy) -> str:
    """Role × permission: `■` held, `□` held under a guard, `·` not held. Roles that agents can have show their
    widest ceiling as `▲` where the role holds it and no kind of outsider gets it."""
    roles = sorted(policy.roles)
    width = max(map(len, policy.permissions))
    lines = [f"policy {policy.name} {policy.version} {policy.digest}", ""]
    lines += [f"{'':{width}}  {number:>2} {key}" for number, key in enumerate(roles, 1)]
    lines += ["", f"{'':{width}}  {' '.join(f'{number:>2}' for number in range(1, len(roles) + 1))}"]
    for key in sorted(policy.permissions):
        cells = " ".join(f"{_cell(policy, role, key):>2}" for role in roles)
        lines.append(f"{key:{width}}  {cells}")
    return "\n".join(lines) + "\n"


def _cell(policy: Policy, role: str, permission: str) -> str:
    found = policy.roles[role]
    if permission not in found.permissions:
        return "·"
    if permission in found.guards:
        return "□"
    reached = any(role in kind.roles and permission in kind.ceiling for kind in policy.agents.values())
    return "▲" if "agent" in found.held_by and not reached else "■"
