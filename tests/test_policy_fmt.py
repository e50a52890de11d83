"""The formatter: one layout for what means the same, every comment kept, and never another meaning."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from authz import layout
from authz.check import examine
from authz.diagnostic import Report, SourceFile
from authz.layout import WIDTH, LayoutUnsafe, laid_out
from authz.load import load
from server.command import main
from tests.bad_policies.small_set import GOOD, write_set

SHIPPED = Path(__file__).parents[1] / "policies"
FILES = {path.relative_to(SHIPPED).as_posix(): path.read_text() for path in sorted(SHIPPED.rglob("*.yaml"))}


def fmt(text: str) -> str:
    """The canonical text; laying it out again changes nothing."""
    once = given_out(text)
    assert once is not None
    assert given_out(once) == once
    return once


def given_out(text: str) -> str | None:
    return laid_out(SourceFile("x.yaml", tuple(text.split("\n"))), Report())


def page(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def run(*arguments: object) -> tuple[int, str]:
    said = CliRunner().invoke(main, ["policy", "fmt", *map(str, arguments)])
    return said.exit_code, said.output


@pytest.mark.parametrize("name", FILES)
def test_a_shipped_file_keeps_its_comments_in_their_order(name: str) -> None:
    def comments(text: str) -> list[str]:
        return [line.partition("#")[2].strip() for line in text.splitlines() if "#" in line]

    assert comments(fmt(FILES[name])) == comments(FILES[name])


def test_the_shipped_set_means_the_same_when_it_is_laid_out(tmp_path: Path) -> None:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fmt(text))
    assert load(tmp_path).digest == load(SHIPPED).digest


def test_no_line_that_could_be_broken_is_wider_than_the_page() -> None:
    for text in FILES.values():
        for line in fmt(text).splitlines():
            assert len(line) <= WIDTH or line.lstrip().startswith(("#", "hint:", "because:", "- {name:"))


def test_keys_have_one_order_and_what_is_above_the_first_stays_at_the_top() -> None:
    text = "# about the file\nkind: role\n# about the title\ntitle: T\ngrants: []\nformat: f\nheld_by: [a]\n"
    assert fmt(text) == page(
        """
        # about the file
        format: f
        kind: role
        # about the title
        title: T
        held_by: [a]
        grants: []
        """
    )


def test_indentation_blank_lines_spaces_and_line_ends_have_one_form() -> None:
    text = "\n\nkind:   tests\ntests:\n\n\n-  name:    a\n   allow:\n   - x\n   -   y\n\n\n\n"
    text += "- {  name: b,allow: [ x ,y ] }\n\n\n"
    expected = page(
        """
        kind: tests
        tests:
          - name: a
            allow:
              - x
              - y

          - {name: b, allow: [x, y]}
        """
    )
    assert fmt(text) == expected
    folder_text = text.replace("\n", "\r\n")
    assert laid_out(SourceFile("x.yaml", tuple(folder_text.split("\r\n"))), Report()) == expected


def test_records_below_each_other_begin_in_one_column_up_to_a_blank_line() -> None:
    text = "tasks:\n  a: {x: 1}\n  # why\n  long_name: {x: 2}\n  c: [1]\n  d: {x: 3}\n\n  even_longer: {x: 4}\n"
    assert fmt(text) == page(
        """
        tasks:
          a:         {x: 1}
          # why
          long_name: {x: 2}
          c: [1]
          d: {x: 3}

          even_longer: {x: 4}
        """
    )


def test_brackets_that_do_not_fit_are_filled_or_written_out() -> None:
    words = [f"permission.number_{number}" for number in range(12)]
    laid = fmt(f"grants: [{', '.join(words)}]\ntests:\n  - {{name: a test, allow: [{', '.join(words)}]}}\n")
    assert laid.splitlines()[:4] == [
        "grants:",
        f"  [{', '.join(words[:7])},",
        f"   {', '.join(words[7:])}]",
        "tests:",
    ]
    assert laid.splitlines()[4:6] == ["  - name: a test", "    allow:"]


def test_quotes_stay_only_where_they_were_and_are_single() -> None:
    assert fmt('title: "it\'s"\nhint: \'no\'\nname: no\nversion: "\\u0007"\n') == (
        "name: no\nversion: \"\\U00000007\"\ntitle: 'it''s'\nhint: 'no'\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1 # why\n", "a: 1  # why\n"),
        ("a: [x] # why\nb: 2\n# the end\n", "a: [x]  # why\nb: 2\n# the end\n"),
        ("a:   # why\n  - x\n", "a:  # why\n  - x\n"),
        ("a:\n- x # one\n# two\n- y\n", "a:\n  - x  # one\n  # two\n  - y\n"),
        ("a:\n  - x\n  # - y\nb: 1\n", "a:\n  - x\n  # - y\nb: 1\n"),
        ("a:\n  - x\n# about b\nb: 1\n", "a:\n  - x\n# about b\nb: 1\n"),
        ("a:\n  - x\n  # - y\n", "a:\n  - x\n  # - y\n"),
        ("a: [x, # one\n  y, # two\n  # - z\n]\n", "a:\n  - x  # one\n  - y  # two\n  # - z\n"),
        ("a:\n  - {b: 1, # one\n     c: 2}\n", "a:\n  - b: 1  # one\n    c: 2\n"),
        (
            "a: [{b: 1, # one\n c: 2},\n        # about d\n {d: 3}]\n",
            "a:\n  - b: 1  # one\n    c: 2\n  # about d\n  - {d: 3}\n",
        ),
        ("a:\n  - # one\n    b: 1\n", "a:\n  # one\n  - b: 1\n"),
        ("a:\n  - { # one\n     # two\n     b: 1}\n", "a:\n  # one\n  # two\n  - b: 1\n"),
        ("a: 'x # y' # z\n", "a: 'x # y'  # z\n"),
        ("a: x#y # z\n", "a: x#y  # z\n"),
        ("a: [x,#one\ny]\n", "a:\n  - x  #one\n  - y\n"),
        ("a: >- # why\n  x\n  # y\nb: 1\n", "a: 'x # y'  # why\nb: 1\n"),
        ("--- # why\na: 1\n", "# why\na: 1\n"),
        ("# one\n\n\n# two\n\na: 1\n", "# one\n\n# two\n\na: 1\n"),
    ],
)
def test_a_comment_stays_with_what_it_is_about(text: str, expected: str) -> None:
    assert fmt(text) == expected


NOT_WHOLE = ["", "text", "- a", "a: &b 1", "a: 1\na: 2", "[x]: 1", "a: [", "a: 1\n---\nb: 2", "<<: {a: 1}"]


@pytest.mark.parametrize("text", NOT_WHOLE)
def test_what_the_loader_cannot_read_whole_is_not_laid_out(text: str) -> None:
    assert given_out(text) is None


def test_a_text_that_would_say_something_else_is_never_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_print", lambda file: "a: 2\n")
    with pytest.raises(LayoutUnsafe):
        given_out("a: 1\n")
    monkeypatch.setattr(layout, "_print", lambda file: "a: 1\n")
    with pytest.raises(LayoutUnsafe):
        given_out("a: 1  # why\n")


# Each run draws others, and `make fuzz` draws thousands.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))
COMMENTS = st.sampled_from(["# one", "#two", "# - {a: 1}", "# 'quoted", "#"])


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_comments_and_spaces_anywhere_change_nothing_but_the_layout(name: str, data: st.DataObject) -> None:
    lines = FILES[name].splitlines()
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(lines)))
        margin = " " * data.draw(st.integers(0, 8))
        kind = data.draw(st.sampled_from(["own line", "beside", "blank", "break"]))
        if kind in ("own line", "blank"):
            lines.insert(at, margin + data.draw(COMMENTS) if kind == "own line" else margin)
        elif kind == "beside" and at < len(lines):
            lines[at] += " " + margin + data.draw(COMMENTS)
        elif at < len(lines) and ", " in lines[at] and "#" not in lines[at]:
            lines[at] = lines[at].replace(", ", f", {data.draw(COMMENTS)}\n          ", data.draw(st.integers(1, 3)))
    text = "\n".join(lines) + "\n"
    assume(given_out(text) is not None)
    assert words(fmt(text)) == words(text)


def test_of_two_comments_beside_one_entry_the_first_moves_above_it() -> None:
    """On one line they would be read as one."""
    said = fmt("title: x\ngrants:  # first\n  [a.read, b.read]  # second\n")
    assert said == "title: x\n# first\ngrants: [a.read, b.read]  # second\n"
    assert fmt(said) == said


def words(text: str) -> Any:
    return yaml.load(text, Loader=yaml.BaseLoader)  # texts, lists and maps: nothing is made of them


TEXTS = st.text(st.sampled_from("ab1 .:#'\"-[]{},&*!|>%@`?~\n\\é"), max_size=8)
VALUES = st.recursive(
    TEXTS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXTS, below, max_size=4),
    max_leaves=12,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.dictionaries(TEXTS, VALUES, min_size=1, max_size=5),
    st.sampled_from([None, True, False]),
    st.integers(20, 200),
    st.integers(2, 6),
)
def test_whatever_can_be_written_reads_the_same_afterwards(
    value: dict[str, Any], flow: bool | None, width: int, indent: int
) -> None:
    written = yaml.dump(value, default_flow_style=flow, width=width, indent=indent, allow_unicode=True)
    assume(given_out(written) is not None)
    assert words(fmt(written)) == words(written)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(GOOD)), st.sampled_from([None, True, False]), st.integers(30, 200))
def test_a_set_in_any_layout_means_the_same_and_is_laid_out_into_the_same_meaning(
    name: str, flow: bool | None, width: int
) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        changed = yaml.dump(words(GOOD[name]), default_flow_style=flow, width=width, sort_keys=False)
        plain = changed.replace("'10'", "10")
        for number in ("1", "2", "5", "7", "12", "30", "365", "730"):
            plain = plain.replace(f"'{number}'", number)
        plain = plain.replace("'true'", "true")
        before = examine(write_set(Path(one), {name: plain})).policy
        after = examine(write_set(Path(two), {name: fmt(plain)})).policy
    assert before is not None
    assert after is not None
    assert after.digest == before.digest


def test_the_command_writes_and_then_finds_nothing_to_do(tmp_path: Path) -> None:
    folder = write_set(tmp_path, {name: fmt(text) for name, text in GOOD.items()})
    assert run("--check", folder) == (0, "9 files are up to date\n")
    messy = GOOD["roles/desk.yaml"].replace("title: Desk", "title:    Desk   # here").replace("\n", "\r\n")
    (folder / "roles/desk.yaml").write_bytes(messy.encode())
    digest = load(folder).digest
    assert run("--check", folder) == (1, f"stale {folder}/roles/desk.yaml\n")
    assert (folder / "roles/desk.yaml").read_bytes() == messy.encode()
    assert run(folder) == (0, f"wrote {folder}/roles/desk.yaml\n")
    assert "title: Desk  # here\n" in (folder / "roles/desk.yaml").read_bytes().decode()
    assert (run("--check", folder)[0], load(folder).digest) == (0, digest)


def test_one_file_that_cannot_be_read_keeps_every_file_as_it_is(tmp_path: Path) -> None:
    folder = write_set(tmp_path, {"hints.yaml": "tasks: [", "roles/desk.yaml": ("title: Desk", "title:    Desk")})
    code, said = run(folder)
    assert (code, "P110" in said) == (1, True)
    assert "title:    Desk" in (folder / "roles/desk.yaml").read_text()
