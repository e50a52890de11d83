"""The matrix: three renderings of the same cells."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from authz.load import load
from authz.matrix import GUARDED, HELD, INSIDE, NOT_HELD, cell, markdown, text
from authz.matrix_svg import svg
from authz.policy import Policy
from server.command import main
from tests.bad_policies.small_set import GOOD, write_set

SHIPPED = Path(__file__).parents[1] / "policies"
SVG = "{http://www.w3.org/2000/svg}"
GUARD = "guards: {claims.void: [{property: action.amount, lte: 5}]}\n"


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load(SHIPPED)


@pytest.fixture
def small(tmp_path: Path) -> Policy:
    desk = GOOD["roles/desk.yaml"].replace("contact", "financial").replace("[schedule", "[claims.void, schedule")
    biller = ("[claims.*]", "[claims.*, safe.open]")
    return load(write_set(tmp_path, {"roles/desk.yaml": desk + GUARD, "roles/biller.yaml": biller}))


def cells(policy: Policy) -> dict[tuple[str, str], str]:
    return {(role, key): cell(policy, role, key) for role in policy.roles for key in policy.permissions}


def test_each_mark_says_what_a_role_gives(small: Policy) -> None:
    assert cell(small, "biller", "claims.read") == HELD
    assert cell(small, "biller", "safe.open") == INSIDE
    assert cell(small, "biller", "schedule.read") == NOT_HELD
    assert cell(small, "desk", "claims.void") == GUARDED
    assert cell(small, "owner", "safe.open") == HELD


def test_the_text_names_roles_by_number_and_permissions_by_line(small: Policy) -> None:
    assert text(small).splitlines() == [
        f"policy small 1 {small.digest}",
        "",
        "                1 biller",
        "                2 desk",
        "                3 owner",
        "",
        "                1  2  3",
        "claims.read     ■  ·  ■",
        "claims.submit   ■  ·  ■",
        "claims.void     ·  □  ■",
        "safe.open       ▲  ·  ■",
        "schedule.read   ·  ■  ■",
    ]


def test_markdown_is_a_table_with_every_cell(policy: Policy) -> None:
    rows = [line for line in markdown(policy).splitlines() if line.startswith("|")]
    assert len({len(re.split(r"(?<!\\)\|", row)) for row in rows}) == 1
    roles = [word.strip() for word in rows[0].split("|")[2:-1]]
    found: dict[tuple[str, str], str] = {}
    for row in rows[2:]:
        first, *marks = (word.strip() for word in row.split("|")[1:-1])
        if first.startswith("`"):
            found |= {(role, first.strip("`")): mark or NOT_HELD for role, mark in zip(roles, marks, strict=True)}
    assert found == cells(policy)


def test_markdown_shows_a_name_of_any_characters_unchanged(tmp_path: Path) -> None:
    named = load(write_set(tmp_path, {"policy.yaml": ("name: small", "name: a_b|<c>")}))
    assert r"**a\_b\|\<c\> 1**" in markdown(named)


def test_the_picture_is_xml_with_a_mark_for_every_cell_that_is_held(policy: Policy) -> None:
    root = ElementTree.fromstring(svg(policy))
    said = [str(title.text) for title in root.iter(f"{SVG}title")]
    for (role, key), mark in cells(policy).items():
        found = [title for title in said if title.startswith(f"{role}: {policy.permissions[key].title} (")]
        assert len(found) == (mark != NOT_HELD), (role, key)
    shown = " ".join("".join(text.itertext()) for text in root.iter(f"{SVG}text"))
    assert all(name in shown for name in [*policy.roles, *policy.permissions, *policy.sensitivities, policy.digest])


def test_nothing_of_the_picture_lies_outside_it(policy: Policy) -> None:
    root = ElementTree.fromstring(svg(policy))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for shape in root.iter():
        for key, most in (("x", width), ("cx", width), ("y", height), ("cy", height)):
            assert 0 <= float(shape.get(key, 0)) <= most
        if shape.tag == f"{SVG}text" and shape.get("x"):
            assert float(shape.get("x", 0)) + 5 * len("".join(shape.itertext())) < width


def test_titles_cannot_leave_the_text_they_stand_in(tmp_path: Path) -> None:
    title = ("title: See claims,", "title: '</text><script>&', ")
    named = load(write_set(tmp_path, {"permissions/billing.yaml": title}))
    assert "</text><script>&" in "".join(ElementTree.fromstring(svg(named)).itertext())


@pytest.mark.parametrize("form", ["text", "markdown", "svg"])
def test_the_command_prints_each_format(form: str, policy: Policy) -> None:
    made = {"text": text, "markdown": markdown, "svg": svg}[form](policy)
    said = CliRunner().invoke(main, ["policy", "matrix", "--format", form, str(SHIPPED)])
    assert (said.exit_code, said.output) == (0, made)


def test_a_set_that_is_rejected_has_no_matrix(tmp_path: Path) -> None:
    folder = write_set(tmp_path, {"roles/desk.yaml": ("schedule.read", "schedule.raed")})
    said = CliRunner().invoke(main, ["policy", "matrix", str(folder)])
    assert (said.exit_code, said.stdout, "P130" in said.stderr) == (1, "", True)
