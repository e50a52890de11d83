"""The lock: a wildcard reaches more only after somebody has read what, whatever an editor did to the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from authz.check import examine
from authz.lock import FORMAT, NAME, lock_text
from server.command import main
from tests.bad_policies.small_set import GOOD, Replaced, write_set

SHIPPED = Path(__file__).parents[1] / "policies"
EXPORT = "  claims.export: {title: Export claims, sensitivity: financial, effect: read}\n"
CATALOGUE: dict[str, Replaced] = {"permissions/billing.yaml": GOOD["permissions/billing.yaml"] + EXPORT}
LOCK = f"""# What each wildcard reaches: `sparekey policy lock` writes it, `check --locked` compares.
{FORMAT}

role biller
  claims.*
    claims.read
    claims.submit
"""


def run(*arguments: object) -> tuple[int, str]:
    said = CliRunner().invoke(main, ["policy", *map(str, arguments)])
    return said.exit_code, said.output


def locked(folder: Path, changes: dict[str, Replaced], lock: str | bytes | None = LOCK) -> Path:
    if lock is not None:
        changes = changes | {NAME: lock}
    return write_set(folder, changes)


def problems(folder: Path) -> list[tuple[str, str]]:
    found = examine(folder, locked=True).diagnostics
    return [(d.code, f"{Path(d.file).relative_to(folder).as_posix()}:{d.line}:{d.column}") for d in found]


def test_the_lock_lists_what_each_wildcard_reaches_one_permission_a_line(tmp_path: Path) -> None:
    expansion = examine(write_set(tmp_path, {})).expansion
    assert expansion is not None
    assert lock_text(expansion) == LOCK


def test_a_set_that_is_what_its_lock_says_passes(tmp_path: Path) -> None:
    assert problems(locked(tmp_path, {})) == []


@pytest.mark.parametrize("spoil", [lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text, str.rstrip])
def test_line_ends_and_a_byte_order_mark_mean_nothing(tmp_path: Path, spoil: object) -> None:
    assert callable(spoil)
    assert problems(locked(tmp_path, {}, spoil(LOCK))) == []


def test_a_new_permission_that_a_wildcard_picks_up_is_reported_at_the_wildcard(tmp_path: Path) -> None:
    folder = locked(tmp_path, dict(CATALOGUE))
    assert examine(folder).diagnostics == ()
    assert problems(folder) == [("P171", "roles/biller.yaml:7:10")]
    assert "claims.* now gives biller claims.export" in run("check", "--locked", folder)[1]


def test_a_new_wildcard_is_reported_with_everything_it_reaches(tmp_path: Path) -> None:
    folder = locked(tmp_path, {"roles/desk.yaml": ("[schedule.read]", "[schedule.*]")})
    assert problems(folder) == [("P171", "roles/desk.yaml:7:10")]


@pytest.mark.parametrize(
    ("grants", "line"), [("claims.read, claims.submit", 4), ("claims.submit, claims.read, safe.open", 4)]
)
def test_a_role_that_lost_its_wildcard_is_one_stale_line(tmp_path: Path, grants: str, line: int) -> None:
    folder = locked(tmp_path, {"roles/biller.yaml": ("claims.*", grants)})
    assert ("P172", f"{NAME}:{line}:1") in problems(folder)
    assert len([code for code, _ in problems(folder) if code == "P172"]) == 1


def test_a_permission_that_left_the_catalogue_is_a_stale_line(tmp_path: Path) -> None:
    stale = LOCK + "    claims.zero\n"
    assert problems(locked(tmp_path, {}, stale)) == [("P172", f"{NAME}:8:5")]


def test_a_set_without_a_lock_is_told_so(tmp_path: Path) -> None:
    assert problems(locked(tmp_path, {}, None)) == [("P170", f"{NAME}:1:1")]


@pytest.mark.parametrize(
    ("lock", "line"),
    [
        ("", 1),
        ("rubbish", 1),
        (LOCK + "<<<<<<< HEAD\n", 8),
        (LOCK.replace("role biller", "biller"), 4),
        (LOCK.replace("  claims.*", "   claims.*"), 5),
        (LOCK.replace("    claims.read", "      claims.read"), 6),
        (LOCK + "    claims.read\n", 8),
        (b"\xff\xfe", 1),
    ],
)
def test_a_lock_that_is_none_is_reported_once_and_where(tmp_path: Path, lock: str | bytes, line: int) -> None:
    ((code, place),) = problems(locked(tmp_path, {}, lock))
    assert (code, place.rsplit(":", 1)[0]) == ("P173", f"{NAME}:{line}")


def test_a_broken_role_is_left_until_it_is_mended(tmp_path: Path) -> None:
    folder = locked(tmp_path, {"roles/biller.yaml": ("[claims.*]", "[claims.*, claims.raed]")})
    assert problems(folder) == [("P130", "roles/biller.yaml:7:20")]


def test_the_lock_is_no_part_of_the_set(tmp_path: Path) -> None:
    with_lock, without = examine(locked(tmp_path / "a", {})), examine(locked(tmp_path / "b", {}, None))
    assert with_lock.policy is not None
    assert without.policy is not None
    assert with_lock.policy.source_digest == without.policy.source_digest


def test_the_command_writes_the_lock_and_says_whether_it_was_behind(tmp_path: Path) -> None:
    folder = locked(tmp_path, dict(CATALOGUE))
    assert run("lock", "--check", folder) == (1, f"stale {folder / NAME}\n")
    assert (folder / NAME).read_bytes() == LOCK.encode()
    assert run("lock", folder) == (0, f"wrote {folder / NAME}\n")
    assert (folder / NAME).read_bytes() == LOCK.replace("claims.*\n", "claims.*\n    claims.export\n").encode()
    assert run("lock", folder) == (0, f"{folder / NAME} is up to date\n")
    assert run("check", "--locked", folder)[0] == 0


def test_a_set_whose_tests_do_not_know_the_new_permission_yet_can_be_locked(tmp_path: Path) -> None:
    exactly = GOOD["tests/outsiders.yaml"].replace("allow: [", "exactly: [claims.read, ")
    folder = locked(tmp_path, {**CATALOGUE, "tests/outsiders.yaml": exactly})
    code, said = run("lock", folder)
    assert (code, said.splitlines()[-1]) == (0, f"wrote {folder / NAME}")
    assert f"{folder} would be rejected (P162)" in said
    assert [found for found, _ in problems(folder)] == ["P162"]


def test_a_set_that_cannot_be_read_whole_is_not_locked(tmp_path: Path) -> None:
    folder = locked(tmp_path, {"roles/biller.yaml": ("[claims.*]", "[claims.*, claims.raed]")})
    code, said = run("lock", folder)
    assert (code, "P130" in said, (folder / NAME).read_text()) == (1, True, LOCK)


def test_the_shipped_lock_is_what_the_shipped_roles_say() -> None:
    assert examine(SHIPPED, locked=True).diagnostics == ()
