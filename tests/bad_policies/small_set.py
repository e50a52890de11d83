"""A whole set as small as one can be, and a way to write it with something changed."""

from __future__ import annotations

from pathlib import Path

Replaced = str | bytes | tuple[str, str]  # a whole text, or one piece of the good one and what replaces it

GOOD = {
    "policy.yaml": """format: sparekey/v1
kind: policy
name: small
version: 1
sensitivities: [none, contact, financial, clinical]
tokens: {ttl_minutes: 10, attempts: 5}
engagements: {default_days: 365, max_days: 730, notice_days: [30, 7], grace_days: 30}
reviews: {default_days: 365, overdue_days: 30}
training: {months: 12}
""",
    "permissions/billing.yaml": """format: sparekey/v1
kind: permissions
permissions:
  claims.read: {title: See claims, sensitivity: financial, effect: read}
  claims.submit: {title: Submit claims, sensitivity: financial, effect: write, needs: [claims.read]}
  claims.void: {title: Void claims, sensitivity: financial, effect: destructive, properties: {action.amount: number}}
  schedule.read: {title: See the schedule, sensitivity: contact, effect: read}
  safe.open: {title: Open the safe, sensitivity: none, effect: admin}
""",
    "roles/owner.yaml": """format: sparekey/v1
kind: role
title: Owner
held_by: [staff]
root: true
sensitivity_max: clinical
includes: [biller, desk]
grants: [claims.void, safe.open]
""",
    "roles/biller.yaml": """format: sparekey/v1
kind: role
title: Biller
held_by: [staff, agent]
granted_by: [owner]
sensitivity_max: financial
grants: [claims.*]
""",
    "roles/desk.yaml": """format: sparekey/v1
kind: role
title: Desk
held_by: [staff]
granted_by: [owner]
sensitivity_max: contact
grants: [schedule.read]
""",
    "agents.yaml": """format: sparekey/v1
kind: agents
agents:
  company: {title: Company, agreement: required, sensitivity_max: financial, roles: [biller]}
""",
    "never.yaml": """format: sparekey/v1
kind: promises
never:
  - {held_by: agent, permissions: [safe.open], because: No outsider opens the safe.}
  - {held_by: platform, permissions: [claims.read], because: The platform sees no claims.}
separation_of_duty:
  - {id: submit_and_void, permissions: [claims.submit, claims.void], at_most: 1, enforced: at_grant,
     because: Two pairs of eyes.}
no_escalation: true
""",
    "hints.yaml": """format: sparekey/v1
kind: hints
tasks:
  bill: {says: [bill insurance], needs: [claims.submit], recommend: biller}
""",
    "tests/outsiders.yaml": """format: sparekey/v1
kind: tests
subjects:
  acme: {kind: company, roles: [biller], agreement: in_force}
tests:
  - {name: a biller submits, subject: acme, allow: [claims.submit]}
""",
}


def write_set(folder: Path, changes: dict[str, Replaced]) -> Path:
    for name in GOOD.keys() | changes.keys():
        change = changes.get(name, GOOD.get(name, ""))
        if isinstance(change, tuple):
            assert GOOD[name].count(change[0]) == 1, "the piece to replace must be there once"
            change = GOOD[name].replace(*change)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(change if isinstance(change, bytes) else change.encode())
    return folder
