"""What two sets say differently, and that nothing which moves the digest is left unsaid."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.check import examine
from authz.diff import Change, compare
from authz.facts import SECTIONS
from authz.policy import Policy
from server.command import main
from tests.bad_policies.small_set import GOOD, write_set

CLERK = GOOD["roles/desk.yaml"].replace("Desk", "Clerk")
GUARD = "guards: {claims.void: [{property: action.amount, lte: 5}]}\n"
LOCK = "{title: Lock the safe, sensitivity: none, effect: admin}"
TEMP = "{title: Temp, agreement: required, sensitivity_max: none, roles: []}"
REDIRECT = "{practice_kind: true_group, agent_kind: company, to: staff_account, override: not_my_employee}"
# File, what is replaced in the small set, and what stands there instead: each moves the digest.
CHANGES = [
    ("policy.yaml", "ttl_minutes: 10", "ttl_minutes: 11"),
    ("policy.yaml", "attempts: 5", "attempts: 6"),
    ("policy.yaml", "default_days: 365, max", "default_days: 364, max"),
    ("policy.yaml", "max_days: 730", "max_days: 731"),
    ("policy.yaml", "notice_days: [30, 7]", "notice_days: [30]"),
    ("policy.yaml", "grace_days: 30", "grace_days: 31"),
    ("policy.yaml", "reviews: {default_days: 365", "reviews: {default_days: 364"),
    ("policy.yaml", "overdue_days: 30", "overdue_days: 31"),
    ("policy.yaml", "months: 12", "months: 24"),
    ("policy.yaml", "training:", "limits: {lose: 3}\ntraining:"),
    ("policy.yaml", "training:", "sign_in: {second_factor: sensitive_roles}\ntraining:"),
    ("policy.yaml", "clinical]", "clinical, restricted]"),
    ("permissions/billing.yaml", "schedule, sensitivity: contact", "schedule, sensitivity: none"),
    ("permissions/billing.yaml", "safe, sensitivity: none, effect: admin", "safe, sensitivity: none, effect: write"),
    ("permissions/billing.yaml", ", needs: [claims.read]", ""),
    ("permissions/billing.yaml", "action.amount: number", "action.amount: text"),
    ("permissions/billing.yaml", "  safe.open", f"  safe.lock: {LOCK}\n  safe.open"),
    ("roles/owner.yaml", "[claims.void, safe.open]\n", "[claims.void]\n"),
    ("roles/owner.yaml", "safe.open]\n", "safe.open]\n" + GUARD),
    ("roles/owner.yaml", "root: true", "root: true\nsensitive: true"),
    ("roles/biller.yaml", "[claims.*]", "[claims.read]"),
    ("roles/biller.yaml", "[owner]", "[]"),
    ("roles/desk.yaml", "[staff]", "[staff, user]"),
    ("roles/desk.yaml", "[schedule.read]", "[schedule.read]\nreview_days: 30"),
    ("agents.yaml", "agreement: required", "agreement: not_needed"),
    ("agents.yaml", "agreement: required", "agreement: recommended, agreement_required_from: clinical"),
    ("agents.yaml", "sensitivity_max: financial", "sensitivity_max: contact"),
    ("agents.yaml", "roles: [biller]", "roles: []"),
    ("agents.yaml", "agents:\n", f"agents:\n  temp: {TEMP}\n"),
    ("agents.yaml", "agents:\n", f"redirects: [{REDIRECT}]\nagents:\n"),
    ("never.yaml", "[safe.open]", "[safe.open, schedule.read]"),
    ("never.yaml", "claims.void], at_most", "claims.void, safe.open], at_most"),
    ("never.yaml", "claims.void], at_most: 1", "claims.void, claims.read], at_most: 2"),
    ("hints.yaml", "[claims.submit]", "[claims.read]"),
    ("hints.yaml", "recommend: biller", "recommend: owner"),
]
SILENT = [
    ("policy.yaml", "name: small", "name: little"),
    ("roles/desk.yaml", "title: Desk", "# a comment\ntitle: 'The desk'"),
    ("roles/biller.yaml", "[claims.*]", "[claims.submit, claims.read]"),
    ("never.yaml", "No outsider", "Nobody from outside"),
    ("agents.yaml", "title: Company", "title: Firm"),
    ("agents.yaml", "sensitivity_max: financial", "sensitivity_max: clinical"),  # there is nothing clinical
]


def says(folder: Path) -> Policy:
    found = examine(folder).said
    assert found is not None
    return found


def changed(*changes: tuple[str, str, str]) -> Policy | None:
    """The small set with these replacements that still fit; None when its shape no longer holds."""
    texts = dict(GOOD)
    for name, old, new in changes:
        texts[name] = texts[name].replace(old, new)
    with TemporaryDirectory() as folder:
        return examine(write_set(Path(folder), {**texts})).said


@cache
def small() -> Policy:
    found = changed()
    assert found is not None
    return found


def lines(found: tuple[Change, ...]) -> list[str]:
    return [f"{c.sign} {' '.join(filter(None, c.fact))}: {c.before} → {c.after}" for c in found]


def diff(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["policy", "diff", *map(str, arguments)])


@pytest.mark.parametrize("change", CHANGES, ids=[f"{name}: {new[:30]}" for name, _, new in CHANGES])
def test_whatever_moves_the_digest_is_said_and_undone_says_the_opposite(change: tuple[str, str, str]) -> None:
    new = changed(change)
    assert new is not None
    there, back = compare(small(), new).changes, compare(new, small()).changes
    assert there
    assert [(c.fact, c.after, c.before) for c in there] == [(c.fact, c.before, c.after) for c in back]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*CHANGES, *SILENT]), max_size=4), st.lists(st.sampled_from(SILENT), max_size=3))
def test_two_sets_differ_in_facts_exactly_when_their_digests_differ(
    changes: list[tuple[str, str, str]], silent: list[tuple[str, str, str]]
) -> None:
    old, new = changed(*silent), changed(*changes)
    if old is not None and new is not None:
        assert bool(compare(old, new).changes) == (old.digest != new.digest)
        assert compare(new, new).changes == ()


def test_an_agent_gains_and_loses_within_its_ceiling(tmp_path: Path) -> None:
    new = changed(("roles/biller.yaml", "[claims.*]", "[claims.read, safe.open]"))
    assert new is not None
    assert lines(compare(small(), new).changes) == [
        "- role biller permission claims.submit: always → None",
        "+ role biller permission safe.open: None → always",
        "- role owner permission claims.submit: always → None",
        "- agent company as biller permission claims.submit: once an agreement is in force → None",
    ]


def test_an_agreement_that_is_no_longer_needed_is_said_permission_by_permission() -> None:
    new = changed(("agents.yaml", "agreement: required", "agreement: not_needed"))
    assert new is not None
    assert lines(compare(small(), new).changes) == [
        "~ agent company as biller permission claims.read: once an agreement is in force → always",
        "~ agent company as biller permission claims.submit: once an agreement is in force → always",
        "~ kind company agreement: required → not_needed",
    ]


def test_every_section_has_a_change_in_these_tests() -> None:
    found = [compare(small(), new).changes for new in map(changed, CHANGES) if new is not None]
    assert {change.fact.section for changes in found for change in changes} == set(SECTIONS)


def test_the_text_lists_what_is_new_gone_and_different(tmp_path: Path) -> None:
    old = write_set(tmp_path / "old", {"roles/clerk.yaml": CLERK})
    new = write_set(
        tmp_path / "new",
        {
            "roles/trainee.yaml": CLERK,
            "roles/owner.yaml": GOOD["roles/owner.yaml"] + GUARD,
            "permissions/billing.yaml": ("schedule, sensitivity: contact", "schedule, sensitivity: none"),
        },
    )
    page = diff(old, new)
    assert (page.exit_code, page.output) == (
        2,
        f"small 1 {says(old).digest} → small 1 {says(new).digest}\n"
        "\n"
        "role clerk (gone)\n"
        "  - schedule.read     none, read\n"
        "  - granted_by owner\n"
        "  - held_by staff\n"
        "\n"
        "role owner\n"
        "  ~ claims.void: always → when action.amount lte 5  financial, destructive\n"
        "\n"
        "role trainee (new)\n"
        "  + schedule.read     none, read\n"
        "  + granted_by owner\n"
        "  + held_by staff\n"
        "\n"
        "permission schedule.read\n"
        "  ~ sensitivity: contact → none\n"
        "\n"
        "8 changes\n",
    )


def test_nothing_changes_exits_with_0(tmp_path: Path) -> None:
    old = write_set(tmp_path / "old", {})
    new = write_set(tmp_path / "new", {"hints.yaml": GOOD["hints.yaml"] + "\n# a comment\n"})
    assert diff(old, new).exit_code == 0
    assert "nothing changes" in diff(old, new).output
    page = json.loads(diff("--format", "json", old, new).output)
    assert (page["before"], page["changes"]) == (page["after"], [])


def test_json_has_the_documented_keys_and_no_other(tmp_path: Path) -> None:
    old = write_set(tmp_path / "old", {})
    new = write_set(tmp_path / "new", {"roles/biller.yaml": ("[claims.*]", "[claims.*, safe.open]")})
    said_json = diff("--format", "json", old, new)
    page = json.loads(said_json.output)
    assert (said_json.exit_code, list(page)) == (2, ["format", "before", "after", "changes"])
    assert page["format"] == "sparekey/diff/v1"
    assert page["after"] == {"name": "small", "version": "1", "digest": says(new).digest}
    assert page["changes"] == [
        {
            "section": "role",
            "subject": "biller",
            "fact": "permission",
            "name": "safe.open",
            "before": None,
            "after": "always",
            "protection": "none, admin",
        }
    ]


def test_a_set_that_only_proofs_or_tests_reject_is_compared_and_said_so(tmp_path: Path) -> None:
    old = write_set(tmp_path / "old", {"roles/biller.yaml": ("[owner]", "[owner, desk]")})
    page = diff(old, write_set(tmp_path / "new", {}))
    assert (page.exit_code, "- granted_by desk" in page.stdout) == (2, True)
    assert page.stderr == f"{old} would be rejected (P152); what it says is taken all the same\n"


def test_a_set_that_cannot_be_read_whole_is_an_error(tmp_path: Path) -> None:
    good = write_set(tmp_path / "good", {})
    bad = write_set(tmp_path / "bad", {"roles/desk.yaml": ("schedule.read", "schedule.raed")})
    assert [diff(good, bad).exit_code, diff(bad, good).exit_code, diff(good, tmp_path / "x").exit_code] == [1, 1, 1]
    assert [diff().exit_code, diff(good, good, good).exit_code, diff("--base", "x", good, good).exit_code] == [1, 1, 1]


def test_a_git_revision_is_compared_with_the_folder_as_it_is(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    folder = write_set(tmp_path / "below" / "set", {})
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    assert diff("--base", "HEAD", folder).exit_code == 0
    write_set(folder, {"roles/biller.yaml": ("[claims.*]", "[claims.*, safe.open]")})
    page = diff("--base", "HEAD", folder)
    assert (page.exit_code, "+ safe.open" in page.output) == (2, True)
    assert diff("--base", "nowhere", folder).exit_code == 1
    assert diff("--base", "--output=x", folder).exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [".git", "below"]
