"""The schema for editors: it lets through what the loader lets through, and underlines what has the wrong shape."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from authz.check import examine
from authz.documents import KINDS
from authz.editor_schema import NAME, modeline, schema, schema_text
from authz.load import load
from authz.policy import Policy
from authz.shape import Cursor
from server.command import main
from tests.bad_policies.small_set import GOOD, Replaced, write_set
from tests.bad_policies.wrong import WRONG

SHIPPED = Path(__file__).parents[1] / "policies"
FILES = sorted(SHIPPED.rglob("*.yaml"))
# Problems of one file by itself. Of these only what YAML makes of the text before a schema sees it is out of reach,
# and numbers that must fit each other.
SHAPE = {"P120", "P121", "P122", "P123", "P124", "P125", "P126", "P127", "P128", "P130", "P131", "P132", "P133"}
SHAPE |= {"P134", "P145", "P146", "P163"}
BEYOND_A_SCHEMA = {
    "an octal number",  # 12 to YAML 1.2
    "a day that there is not",
    "a default beyond the maximum",
    "a role's file with a strange name",
}
YAML_1_2: tuple[tuple[re.Pattern[str], Callable[[str], object]], ...] = (
    (re.compile(r"~|null|Null|NULL|"), lambda text: None),
    (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text.lower() == "true"),
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
)


def as_editors_read(text: str) -> Any:
    """The values of a file by the core schema of YAML 1.2, which is what editors go by."""

    def value(node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return {value(key): value(below) for key, below in node.value}
        if isinstance(node, yaml.SequenceNode):
            return [value(item) for item in node.value]
        typed = (convert for pattern, convert in YAML_1_2 if not node.style and pattern.fullmatch(node.value))
        return next(typed, str)(node.value)

    return value(yaml.compose(text, Loader=yaml.BaseLoader))


def underlined(policy: Policy, text: str) -> bool:
    return not jsonschema.Draft7Validator(schema(policy)).is_valid(as_editors_read(text))


@pytest.fixture(scope="module")
def shipped() -> Policy:
    return load(SHIPPED)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    return load(write_set(tmp_path_factory.mktemp("small"), {}))


def test_the_schema_is_one_of_draft_07(shipped: Policy) -> None:
    jsonschema.Draft7Validator.check_schema(dict(schema(shipped)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SHIPPED).as_posix())
def test_every_shipped_file_validates_and_points_to_the_schema(shipped: Policy, path: Path) -> None:
    text = path.read_text()
    errors = list(jsonschema.Draft7Validator(schema(shipped)).iter_errors(as_editors_read(text)))
    assert [error.message for error in errors] == []
    first = text.splitlines()[0]
    assert first == modeline(len(path.relative_to(SHIPPED).parts) - 1)
    assert (path.parent / first.partition("$schema=")[2]).resolve() == SHIPPED / NAME


@pytest.mark.parametrize("name", GOOD)
def test_every_file_of_the_small_set_validates(small: Policy, name: str) -> None:
    assert not underlined(small, GOOD[name])


@pytest.mark.parametrize(
    ("wrong", "changes"),
    [(wrong, changes) for code, wrong, changes, _ in WRONG if code in SHAPE],
    ids=[f"{code}: {wrong}" for code, wrong, _, _ in WRONG if code in SHAPE],
)
def test_every_error_of_shape_is_underlined(small: Policy, wrong: str, changes: dict[str, Replaced]) -> None:
    found = [underlined(small, changed(name, change)) for name, change in changes.items()]
    assert any(found) == (wrong not in BEYOND_A_SCHEMA)


def changed(name: str, change: Replaced) -> str:
    if isinstance(change, tuple):
        return GOOD[name].replace(*change)
    return change.decode() if isinstance(change, bytes) else change


@pytest.mark.parametrize("text", ["no", "on", "012", "12:30", "2026-01-01", "1e3", "0x1F", "7"])
def test_what_is_text_to_the_loader_is_not_underlined_where_text_belongs(small: Policy, text: str) -> None:
    assert not underlined(small, GOOD["roles/desk.yaml"].replace("Desk", text))


def keys(part: Any) -> Iterator[frozenset[str]]:
    """The keys of every record in a schema; a map of declared names is none."""
    if isinstance(part, list):
        for item in part:
            yield from keys(item)
    elif isinstance(part, dict):
        if part.get("additionalProperties") is False:
            yield frozenset(part["properties"])
        for below in part.values():
            yield from keys(below)


def test_the_schema_and_the_readers_know_the_same_keys(
    shipped: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each reader asked for by the time it was done, over sets that hold every kind of file and record."""
    asked: set[frozenset[str]] = set()
    finish = Cursor.finish

    def remember(cursor: Cursor) -> None:
        asked.add(frozenset(cursor.asked))
        finish(cursor)

    monkeypatch.setattr(Cursor, "finish", remember)
    agreement = "agreement: {effective_on: 2026-06-01}, expires_at: 2026-07-01"
    subject = f"  all: {{kind: company, roles: [biller], {agreement}, cap: [biller], scopes: [claims.read]}}\n"
    dated = GOOD["tests/outsiders.yaml"].replace("tests:", f"{subject}tests:")
    limited = GOOD["policy.yaml"] + "limits: {lose: 25}\n"
    examine(write_set(tmp_path, {"tests/outsiders.yaml": dated, "policy.yaml": limited}))
    examine(SHIPPED)
    known = set(keys(schema(shipped)["definitions"]))
    guards = frozenset(key for key, permission in shipped.permissions.items() if permission.properties)
    condition = frozenset({"property", "eq", "in", "not_in", "lte", "gte"})  # read by other means than a cursor's
    assert known - asked == {guards, condition, frozenset({"any"})}
    assert [each for each in asked if not any(each <= record for record in known)] == []


def test_the_names_of_the_set_are_the_completions(shipped: Policy) -> None:
    definitions = schema(shipped)["definitions"]
    assert definitions["permission"]["enum"] == sorted(shipped.permissions)
    assert len(definitions["grant"]["enumDescriptions"]) == len(definitions["grant"]["enum"])
    assert {"claims.*", "reports.financial.*"} <= set(definitions["grant"]["enum"])
    assert "agreements.*" not in definitions["grant"]["enum"]
    assert definitions["role"]["enum"] == sorted(shipped.roles)
    assert "owner" not in definitions["agent_role"]["enum"]
    assert definitions["agent_kind"]["enum"] == sorted(shipped.agents)
    assert list(definitions)[-len(KINDS) :] == [f"kind_{kind}" for kind in KINDS]


def test_the_command_writes_the_schema_beside_the_set(tmp_path: Path) -> None:
    folder = write_set(tmp_path, {})
    command = ["policy", "schema", str(folder)]
    assert CliRunner().invoke(main, [*command[:2], "--check", *command[2:]]).exit_code == 1
    assert CliRunner().invoke(main, command).output == f"wrote {folder / NAME}\n"
    assert json.loads((folder / NAME).read_text()) == schema(load(folder))
    assert CliRunner().invoke(main, [*command[:2], "--check", *command[2:]]).exit_code == 0


def test_the_shipped_schema_has_the_names_of_the_shipped_set(shipped: Policy) -> None:
    assert (SHIPPED / NAME).read_text() == schema_text(shipped)
