"""Every code is explained, and what the explanations call wrong and right is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from authz.check import examine
from authz.codes import Explanation, explanation, explanations
from authz.diagnostic import CODES
from server.command import main
from tests.bad_policies.small_set import GOOD, Replaced, write_set

EXAMPLES = [found for found in explanations().values() if found.language == "yaml"]
# What no fragment of YAML can show: files, bytes and the lock. Sets that produce these stand in other tests.
SHOWN_AS_TEXT = {*(f"P10{n}" for n in range(1, 9)), "P170", "P171", "P172", "P173"}
FILE = re.compile(r"^# (\S+\.yaml)\n", re.MULTILINE)
KEY = re.compile(r"^(?=[a-z_<]+:)", re.MULTILINE)


def test_every_code_has_a_long_text_and_every_long_text_a_code() -> None:
    assert {code: found.title for code, found in explanations().items()} == CODES
    assert list(explanations()) == sorted(CODES)


def test_every_code_that_the_checks_report_is_declared() -> None:
    authz = Path(__file__).parents[1] / "authz"
    files = set(authz.glob("*.py")) - {authz / "diagnostic.py"}
    assert {code for path in files for code in re.findall(r'"(P\d{3})"', path.read_text())} == set(CODES)


def test_an_explanation_says_what_why_and_how() -> None:
    for found in explanations().values():
        assert min(len(found.means), len(found.matters), len(found.wrong), len(found.right)) > 10
        assert found.wrong != found.right
        assert found.text().startswith(f"{found.code}: {found.title}\n\n{found.means}\n\n{found.matters}\n\nWrong:")
    assert {found.code for found in explanations().values() if found.language != "yaml"} == SHOWN_AS_TEXT


@pytest.mark.parametrize("found", EXAMPLES, ids=lambda found: found.code)
def test_the_wrong_example_of_a_code_produces_it_and_the_right_one_nothing(tmp_path: Path, found: Explanation) -> None:
    wrong = examine(write_set(tmp_path / "wrong", changes(found.wrong)))
    assert {diagnostic.code for diagnostic in wrong.diagnostics} == {found.code}
    right = examine(write_set(tmp_path / "right", changes(found.right)))
    assert right.diagnostics == ()


def changes(example: str) -> dict[str, Replaced]:
    """The small set with the keys of the example in place of its own; a file that it lacks is made for it."""
    _, *pieces = FILE.split(example)
    return {name: merged(name, body) for name, body in zip(pieces[::2], pieces[1::2], strict=True)}


def merged(name: str, fragment: str) -> str:
    kind = name.partition("/")[0].removesuffix("s")
    fresh = f"format: sparekey/v1\nkind: {({'permission': 'permissions', 'agent': 'agents'}).get(kind, kind + 's')}\n"
    base = GOOD.get(name, GOOD["roles/desk.yaml"] if kind == "role" else fresh)
    said = {piece.partition(":")[0] for piece in KEY.split(fragment)}
    return "".join(piece for piece in KEY.split(base) if piece.partition(":")[0] not in said) + fragment


def test_the_command_prints_a_long_text_in_any_case_and_refuses_what_is_no_code() -> None:
    said = CliRunner().invoke(main, ["policy", "explain-code", "p104"])
    assert (said.exit_code, said.output) == (0, explanation("P104").text())
    listed = CliRunner().invoke(main, ["policy", "explain-code"])
    assert listed.output.splitlines() == [f"{code} {title}" for code, title in sorted(CODES.items())]
    unknown = CliRunner().invoke(main, ["policy", "explain-code", "P999"])
    assert (unknown.exit_code, "there is no P999" in unknown.output) == (1, True)
