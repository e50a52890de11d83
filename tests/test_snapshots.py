"""The committed pages say what the code says. `make accept` writes them anew."""

from __future__ import annotations

from pathlib import Path

from graphql import build_schema, lexicographic_sort_schema, print_schema

from authz.load import load
from resolvers.schema import schema
from server import snapshots

ROOT = Path(__file__).parent.parent


def test_the_committed_pages_are_what_the_code_says() -> None:
    assert sorted(str(path.relative_to(ROOT)) for path in snapshots.stale(ROOT)) == [], "run `make accept`"


def test_a_page_that_is_missing_or_altered_is_stale(tmp_path: Path) -> None:
    (tmp_path / "policies").symlink_to(ROOT / "policies")
    (tmp_path / "schema").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "tests" / "snapshots").mkdir(parents=True)
    missing = snapshots.stale(tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in missing} >= {
        "schema/schema.graphql",
        "tests/snapshots/matrix.txt",
        "docs/states.md",
    }
    for path, text in missing.items():
        path.write_text(text)
    assert snapshots.stale(tmp_path) == {}
    page = tmp_path / "tests" / "snapshots" / "matrix.txt"
    page.write_text(page.read_text().replace("■", "·", 1))
    assert list(snapshots.stale(tmp_path)) == [page]


def test_the_committed_sdl_is_a_schema_on_its_own() -> None:
    text = (ROOT / "schema" / "schema.graphql").read_text()
    assert print_schema(lexicographic_sort_schema(build_schema(text))) == print_schema(
        lexicographic_sort_schema(build_schema(schema.as_str()))
    )


def test_the_role_matrix_shows_every_role_and_every_permission() -> None:
    policy = load(ROOT / "policies")
    page = (ROOT / "tests" / "snapshots" / "matrix.txt").read_text()
    assert policy.digest in page.splitlines()[0]
    for key in policy.permissions:
        (line,) = [line for line in page.splitlines() if line.split()[:1] == [key]]
        held = sum(key in role.permissions for role in policy.roles.values())
        assert sum(cell != "·" for cell in line.split()[1:]) == held, key
