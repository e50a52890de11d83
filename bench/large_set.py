"""A set far larger than anybody's: many roles that include each other, grants by name and by wildcard, guards,
promises, separations and a test in each role."""

from __future__ import annotations

import shutil
from pathlib import Path

SHIPPED = Path(__file__).resolve().parent.parent / "policies"
AREAS = 20
HEAD = "format: sparekey/v1\nkind: "


def write_large_set(folder: Path, roles: int, permissions: int) -> Path:
    """`permissions` in AREAS areas of equal size; the same set for the same numbers."""
    each = permissions // AREAS
    shutil.copy(SHIPPED / "policy.yaml", folder)
    for name in ("permissions", "roles"):
        (folder / name).mkdir()
    for area in range(AREAS):
        entries = "".join(
            f"  area{area}.do{n}: {{title: Do {n} of {area}, sensitivity: {_sensitivity(area)}, effect: {_effect(n)},"
            " properties: {action.amount: number}}\n"
            for n in range(each)
        )
        (folder / "permissions" / f"area{area}.yaml").write_text(f"{HEAD}permissions\npermissions:\n{entries}")
    for number in range(roles):
        (folder / "roles" / f"role{number}.yaml").write_text(_role(number))
    agents = "{title: Company, agreement: required, sensitivity_max: contact, roles: [role1, role11]}"
    (folder / "agents.yaml").write_text(f"{HEAD}agents\nagents:\n  company: {agents}\n")
    (folder / "never.yaml").write_text(
        f"{HEAD}promises\nnever:\n  - {{held_by: agent, permissions: [area0.do0], because: Never.}}\n"
        "separation_of_duty:\n"
        "  - {id: apart, permissions: [area0.do9, area10.do9], at_most: 1, enforced: at_grant, because: Apart.}\n"
        "no_escalation: true\n"
    )
    return folder


def _sensitivity(area: int) -> str:
    return ("none", "contact", "financial")[area % 3]


def _effect(number: int) -> str:
    return "destructive" if number % 10 == 9 else ("read", "write")[number % 2]


def _role(number: int) -> str:
    """Every tenth role is a whole of its own; the others include the one before them, so that chains are ten deep."""
    area = number * 7 % AREAS
    include = f"includes: [role{number - 1}]\n" if number % 10 else ""
    grants = f"area{area}.*, area{(area + 1) % AREAS}.do1, area{(area + 2) % AREAS}.do9"
    guards = f"guards: {{area{(area + 2) % AREAS}.do9: [{{property: action.amount, lte: {number}}}]}}\n"
    granted_by = f"[role{number - number % 10 + 9}]" if number % 10 < 9 else "[]"
    return (
        f"{HEAD}role\ntitle: Role {number}\nheld_by: [staff{', agent' if number % 10 == 1 else ''}]\n"
        f"granted_by: {granted_by}\nsensitivity_max: financial\n{include}grants: [{grants}]\n{guards}"
        f"tests:\n  - {{name: it does, allow: [area{area}.do1]}}\n"
    )
