"""Other policies to change to: copies of the shipped set without its own tests and without the claim that nobody
escalates, so that one edit is one difference."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.town import POLICIES


def variant(folder: Path, edits: dict[str, tuple[str, str]] | None = None) -> Path:
    """A copy in a folder that is not there yet. `edits`: file → what to replace, with what."""
    shutil.copytree(POLICIES, folder, ignore=shutil.ignore_patterns("tests", "policy.lock", "policy.schema.json"))
    (folder / "hints.yaml").unlink()
    for role in (folder / "roles").glob("*.yaml"):
        role.write_text(role.read_text().partition("\ntests:")[0] + "\n")
    edit(folder / "never.yaml", "no_escalation: true\n", "")
    for name, (old, new) in (edits or {}).items():
        edit(folder / name, old, new)
    return folder


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, f"{file.name} has {text.count(old)} times {old!r}"
    file.write_text(text.replace(old, new))


# One difference each.
NO_RECORDED_PAYMENTS = {"roles/biller.yaml": ("payments.*", "payments.read")}
OUTSIDE_REFUNDS = {"roles/auditor.yaml": ("grants: [", "grants: [payments.refund, ")}
AGREEMENT_FOR_ALL = {
    "agents.yaml": ("agreement: recommended\n    agreement_required_from: clinical", "agreement: required")
}
