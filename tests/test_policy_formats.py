"""What `check` prints in each format, read back by the rules of whoever is meant to read it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from authz.check import Examined, examine
from authz.diagnostic import CODES, Diagnostic, Report, SourceFile, Spot
from authz.formats import FORMATS
from server.command import main
from tests.bad_policies.small_set import Replaced, write_set

TWO: dict[str, Replaced] = {
    "roles/biller.yaml": ("claims.*", "claims.read, claims.sumbit"),
    "roles/desk.yaml": ("title:", "titel:"),
}
TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 1}


def closed(**properties: Any) -> dict[str, Any]:
    """An object with all of these keys and no other."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def listed(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


# The part of sarif-schema-2.1.0.json that is used, and nothing beside it.
REGION = closed(startLine=COUNT, startColumn=COUNT, endColumn=COUNT, snippet=closed(text=TEXT))
PLACE = closed(physicalLocation=closed(artifactLocation=closed(uri=TEXT), region=REGION))
RESULT = closed(
    ruleId=TEXT,
    ruleIndex={"type": "integer", "minimum": 0},
    level={"enum": ["none", "note", "warning", "error"]},
    message=closed(text=TEXT),
    locations=listed(PLACE),
    partialFingerprints=closed(**{"place/v1": TEXT}),
)
RULE = closed(
    id=TEXT,
    shortDescription=closed(text=TEXT),
    fullDescription=closed(text=TEXT),
    help=closed(text=TEXT, markdown=TEXT),
    defaultConfiguration=closed(level={"const": "error"}),
)
RUN = closed(
    tool=closed(driver=closed(name=TEXT, rules=listed(RULE))),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results=listed(RESULT),
)
SARIF = closed(**{"$schema": TEXT, "version": {"const": "2.1.0"}, "runs": listed(RUN)})


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examined:
    """A set with two mistakes, named as `set` from where the command runs."""
    write_set(tmp_path / "set", TWO)
    monkeypatch.chdir(tmp_path)
    return examine(Path("set"))


@pytest.fixture
def fine(tmp_path: Path) -> Examined:
    return examine(write_set(tmp_path / "fine", {}))


def run(*arguments: str) -> tuple[int, str]:
    said = CliRunner().invoke(main, ["policy", "check", *arguments])
    return said.exit_code, said.output


def made_up(message: str, file: str = "set/a.yaml", source: str = "") -> Examined:
    """An outcome with one problem whose words are given."""
    found = Diagnostic(file, 1, 1, "P130", message, "", source, 3)
    return Examined(Path("set"), (file,), (found,), None, None)


def test_people_read_each_problem_with_its_line_and_the_count(two: Examined) -> None:
    assert FORMATS["human"](two) == (
        "set/roles/biller.yaml:7:23: P130 unknown permission claims.sumbit\n"
        "    grants: [claims.read, claims.sumbit]\n"
        "                          ^^^^^^^^^^^^^\n"
        "    did you mean claims.submit?\n"
        "\n"
        "set/roles/desk.yaml:3:1: P122 unknown key titel in a role file\n"
        "    titel: Desk\n"
        "    ^^^^^\n"
        "    did you mean title?\n"
        "\n"
        "2 problems\n"
    )


def test_a_sound_set_is_named_with_its_digest(fine: Examined) -> None:
    assert fine.policy is not None
    assert f"small 1 {fine.policy.digest}: 3 roles, 5 permissions" in FORMATS["human"](fine)


def test_compilers_write_one_line_a_problem(two: Examined, fine: Examined) -> None:
    assert FORMATS["gnu"](two).splitlines() == [
        "set/roles/biller.yaml:7:23: error: unknown permission claims.sumbit (did you mean claims.submit?) [P130]",
        "set/roles/desk.yaml:3:1: error: unknown key titel in a role file (did you mean title?) [P122]",
    ]
    assert FORMATS["gnu"](fine) == ""


def test_json_has_the_documented_keys_and_no_other(two: Examined, fine: Examined) -> None:
    page = json.loads(FORMATS["json"](two))
    assert page["diagnostics"][0] == {
        "file": "set/roles/biller.yaml",
        "line": 7,
        "column": 23,
        "end_column": 36,
        "code": "P130",
        "title": CODES["P130"],
        "message": "unknown permission claims.sumbit",
        "suggestion": "did you mean claims.submit?",
        "source": "grants: [claims.read, claims.sumbit]",
    }
    del page["diagnostics"]
    assert page == {"format": "sparekey/diagnostics/v1", "ok": False, "folder": "set", "files": 9, "policy": None}
    assert fine.policy is not None
    good = json.loads(FORMATS["json"](fine))
    assert good["policy"] == {"name": "small", "version": "1", "digest": fine.policy.digest}
    assert (good["ok"], good["diagnostics"]) == (True, [])


def test_sarif_has_the_structure_of_2_1_0(two: Examined, fine: Examined) -> None:
    for found in (two, fine):
        jsonschema.validate(json.loads(FORMATS["sarif"](found)), SARIF)
    (only,) = json.loads(FORMATS["sarif"](two))["runs"]
    rules = only["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["P122", "P130"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in only["results"])
    place = only["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "set/roles/biller.yaml"
    region = {"startLine": 7, "startColumn": 23, "endColumn": 36, "snippet": {"text": "claims.sumbit"}}
    assert place["region"] == region


def test_a_finding_of_sarif_stays_the_same_when_lines_move_above_it(two: Examined) -> None:
    def fingerprint(found: Examined) -> str:
        return str(json.loads(FORMATS["sarif"](found))["runs"][0]["results"][0]["partialFingerprints"]["place/v1"])

    before = fingerprint(two)
    path = Path("set/roles/biller.yaml")
    path.write_text("# a comment\n" + path.read_text())
    assert fingerprint(examine(Path("set"))) == before
    assert fingerprint(made_up("another")) != before


@pytest.mark.parametrize(
    ("file", "uri"),
    [("set/a b%.yaml", "set/a%20b%25.yaml"), ("/x/ü.yaml", "file:///x/%C3%BC.yaml"), ("a:b.yaml", "a%3Ab.yaml")],
)
def test_a_file_of_any_name_is_a_valid_uri_in_sarif(file: str, uri: str) -> None:
    result = json.loads(FORMATS["sarif"](made_up("x", file)))["runs"][0]["results"][0]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": uri}


def test_github_gets_one_workflow_command_a_problem(two: Examined, fine: Examined) -> None:
    assert FORMATS["github"](two).splitlines()[0] == (
        "::error file=set/roles/biller.yaml,line=7,endLine=7,col=23,endColumn=36,title=P130 a permission is unknown"
        "::unknown permission claims.sumbit (did you mean claims.submit?)"
    )
    assert FORMATS["github"](fine) == ""


def as_the_runner_reads(command: str) -> tuple[dict[str, str], str]:
    """The properties and the message, split and unescaped as GitHub's runner does it."""
    written = re.fullmatch(r"::error ([^\r\n]*?)::([^\r\n]*)\n", command)
    assert written
    properties = dict(pair.split("=", 1) for pair in written[1].split(","))
    return {key: unquote(value) for key, value in properties.items()}, unquote(written[2])


@example("a,b:c%2C.yaml", "100%0A::error ::\r\n")
@given(st.text(max_size=40), st.text(max_size=40))
def test_nothing_in_a_name_or_a_message_ends_a_workflow_command(file: str, message: str) -> None:
    properties, read = as_the_runner_reads(FORMATS["github"](made_up(message, file)))
    assert (properties["file"], read) == (file, message)
    assert list(properties) == ["file", "line", "endLine", "col", "endColumn", "title"]


def test_junit_has_one_case_for_each_file(two: Examined, fine: Examined) -> None:
    root = ElementTree.fromstring(FORMATS["junit"](two))
    cases = {str(case.get("name")): case for case in root.iter("testcase")}
    assert sorted(cases) == sorted(two.files)
    failed = {name: case.find("failure") for name, case in cases.items() if len(case)}
    assert list(failed) == ["set/roles/biller.yaml", "set/roles/desk.yaml"]
    failure = failed["set/roles/biller.yaml"]
    assert failure is not None
    assert (failure.get("type"), failure.text) == ("P130", str(two.diagnostics[0]))
    suite = root.find("testsuite")
    assert suite is not None
    assert [(each.get("tests"), each.get("failures"), each.get("errors")) for each in (root, suite)] == [
        ("9", "2", "0")
    ] * 2
    assert not list(ElementTree.fromstring(FORMATS["junit"](fine)).iter("failure"))


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_whatever_a_file_holds_junit_is_well_formed(file: str, message: str, source: str) -> None:
    root = ElementTree.fromstring(FORMATS["junit"](made_up(message, file, source)).encode())
    assert len(list(root.iter("failure"))) == 1


@given(st.text(max_size=400), st.integers(0, 400), st.integers(1, 400))
def test_the_caret_stands_below_its_character_and_nothing_moves_the_cursor(line: str, at: int, width: int) -> None:
    found = Diagnostic("f", 1, min(at, len(line)) + 1, "P130", "m", "", line, width)
    quoted, carets = found.quote()
    assert quoted.isprintable()
    assert len(quoted) <= 162
    caret = carets.index("^")
    if at < len(line):
        assert quoted[caret] == (line[at] if line[at].isprintable() else " " if line[at] == "\t" else "?")


def test_a_long_line_is_quoted_around_its_place(tmp_path: Path) -> None:
    nonsense = "[" + "schedule.read, " * 30 + "claims.raed]"
    *_, found = examine(write_set(tmp_path, {"roles/desk.yaml": ("[schedule.read]", nonsense)})).diagnostics
    quoted, carets = found.quote()
    assert quoted[carets.index("^") :][: carets.count("^")] == "claims.raed"
    assert quoted.startswith("…")


def test_a_file_name_cannot_write_to_the_terminal() -> None:
    report = Report()
    report.add("P102", Spot(SourceFile("a\x1b[31m\udcff\n.yaml", ()), 1, 1), "cannot be read")
    assert [found.file for found in report.found] == ["a?[31m??.yaml"]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_exits_with_1_for_a_problem_and_0_for_none(tmp_path: Path, form: str) -> None:
    good, bad = write_set(tmp_path / "good", {}), write_set(tmp_path / "bad", TWO)
    assert run("--format", form, str(good))[0] == 0
    assert run("--format", form, str(bad))[0] == 1
    assert run("--format", form, str(tmp_path / "nowhere"))[0] == 1


def test_a_wrong_argument_is_an_error_and_never_says_that_something_changes() -> None:
    assert run("--format", "xml")[0] == 1
    assert run("--nonsense")[0] == 1


def test_without_a_folder_the_shipped_set_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])
    code, page = run("--format", "json")
    assert (code, json.loads(page)["folder"]) == (0, "policies")
