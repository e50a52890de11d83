"""Manifests: read in the forms that frontends' tools write, and refused with the file, the document and the remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from starlette.routing import Route

from server import service
from server.command import main
from server.graphql import Endpoint
from server.manifest import APOLLO, ManifestRejected, id_of
from server.settings import from_environment
from server.stored import load
from tests.http_door import SCHEMA

NAME = "query Name { practice { name } }"
CONNECT = 'mutation Connect { connectAgent(code: "1234") }'
VIEWER = "query Viewer {\n  viewer {\n    user {\n      name\n    }\n  }\n}"
COSTLY = """query ($n: Int) {
  few: practice { agents(first: $n) { nodes { name } } }
  many: practice { agents(first: 100) { nodes { tags { tags { tags { name } } } } } }
}"""
Write = Callable[[Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes one manifest after another."""

    def written(content: Any) -> Path:
        file = tmp_path / f"manifest{len(list(tmp_path.iterdir()))}.json"
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return file

    return written


def plain(*texts: str, prefix: str = "") -> dict[str, str]:
    return {prefix + id_of(text): text for text in texts}


def apollo(*texts: str) -> dict[str, Any]:
    operations = [{"id": id_of(text), "name": f"O{n}", "type": "query", "body": text} for n, text in enumerate(texts)]
    return {"format": APOLLO, "version": 1, "operations": operations}


def problems(*files: Path) -> list[str]:
    with pytest.raises(ManifestRejected) as refusal:
        load(files, SCHEMA.graphql_schema)
    assert str(refusal.value) == "\n".join(refusal.value.problems)
    return refusal.value.problems


@pytest.mark.parametrize(
    "content", [plain(NAME, CONNECT), plain(NAME, CONNECT, prefix="sha256:"), apollo(NAME, CONNECT)]
)
def test_each_form_of_a_manifest_is_read(write: Write, content: Any) -> None:
    stored = load([write(content)], SCHEMA.graphql_schema)
    assert set(stored.by_hash) == {id_of(NAME), id_of(CONNECT)}
    assert stored.find(f"sha256:{id_of(NAME)}") is stored.find(id_of(NAME))


def test_several_manifests_are_one_and_may_share_documents(write: Write) -> None:
    stored = load([write(plain(NAME)), write(apollo(NAME, CONNECT))], SCHEMA.graphql_schema)
    assert set(stored.by_hash) == {id_of(NAME), id_of(CONNECT)}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b'{"a": "\xff"}', "is not JSON"),
        (b'{"a": "\\ud800"}', "is not JSON"),
        ([NAME], "is not an object"),
        ({}, "no document"),
        ({"format": "relay"}, "format is unknown"),
        ({"format": APOLLO, "version": 2, "operations": []}, "format is unknown"),
        ({"format": APOLLO, "version": 1, "operations": {}}, "format is unknown"),
        ({"format": APOLLO, "version": 1, "operations": []}, "no document"),
        ({"format": APOLLO, "version": 1, "operations": [5]}, "operation 1 is not an object"),
        ({"format": APOLLO, "version": 1, "operations": [{"name": "Name", "body": NAME}]}, "Name: its id and its text"),
        ({id_of(NAME): 5}, "its id and its text must be strings"),
        ({"0" * 64: NAME}, "sha256 of the exact text"),
        ({id_of(NAME).upper(): NAME}, "sha256 of the exact text"),
        ({id_of(NAME): NAME + "\n"}, "sha256 of the exact text"),
        (plain("{"), "1:2 syntax error"),
        (plain("{ practice { nome } }"), "1:14 Cannot query field 'nome' on type 'Practice'. Did you mean 'name'?"),
        (plain("{ practice { ...a } } fragment a on Practice { ...a }"), "spread themselves"),
        (plain("fragment a on Practice { name }"), "never used"),
        (plain("{ " + "practice { agent { " * 7 + "name" + " } }" * 7 + " }"), "levels"),
        (plain("mutation { a: previewToken(code: $c) b: previewToken(code: $c) }"), "at most one"),
        (plain(COSTLY), "nodes; at most 2000"),
    ],
)
def test_what_is_wrong_in_a_manifest_is_told_with_its_file(write: Write, content: Any, said: str) -> None:
    file = write(content)
    told = problems(file)
    assert all(each.startswith(f"{file}: ") for each in told)
    assert said in "\n".join(told)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.json") == [
        f"{tmp_path}/none.json: cannot be read (No such file or directory); name a file that exists"
    ]


def test_everything_that_is_wrong_is_told_at_once_and_by_the_documents_name(write: Write) -> None:
    first, second = write(apollo("{ a }", NAME, "{ b }")), write({"0" * 64: NAME})
    told = problems(first, second)
    for each, text, name in zip(told, ("{ a }", "{ b }"), ("O0", "O2"), strict=False):
        assert each.startswith(f"{first}: document {id_of(text)[:12]} ({name}): 1:3 Cannot query field")
    assert told[2].startswith(f"{second}: document 000000000000: ids are the sha256")


def test_a_document_that_small_variables_keep_within_the_budget_is_taken(write: Write) -> None:
    inner = "name"
    for _ in range(3):
        inner = f"practice {{ agents(first: $n) {{ nodes {{ {inner} }} }} }}"
    text = f"query ($n: Int) {{ {inner} }}"
    load([write(plain(text))], SCHEMA.graphql_schema)


def test_a_server_with_a_wrong_manifest_does_not_start(write: Write, tmp_path: Path) -> None:
    file = write(plain("{ nothing }"))
    settings = from_environment({"DATA_DIR": str(tmp_path / "data"), "SPAREKEY_DOCUMENTS": str(file)})
    with pytest.raises(ManifestRejected, match="Cannot query field 'nothing'"):
        service.build(settings, "postgresql:///nowhere", lambda: datetime.now(UTC))


def test_the_documents_of_the_settings_are_those_that_the_server_answers(write: Write, tmp_path: Path) -> None:
    environment = {"DATA_DIR": str(tmp_path / "data"), "SPAREKEY_DOCUMENTS": str(write(plain(VIEWER)))}
    settings = from_environment(environment | {"SPAREKEY_DOCUMENTS_ONLY": "on"})
    app = service.build(settings, "postgresql:///nowhere", lambda: datetime.now(UTC))
    [endpoint] = [each.endpoint for each in app.routes if isinstance(each, Route) and each.path == "/graphql"]
    assert isinstance(endpoint, Endpoint)
    assert set(endpoint.answering.stored.by_hash) == {id_of(VIEWER)}
    assert endpoint.answering.stored.only
    assert endpoint.page is None


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["documents", *map(str, arguments)])


def test_check_says_that_nothing_is_wrong(write: Write) -> None:
    said = run("check", write(plain(VIEWER)))
    assert (said.exit_code, said.output) == (0, "1 document, nothing wrong\n")


def test_check_exits_with_1_and_tells_every_problem_of_every_file(write: Write) -> None:
    said = run("check", write(plain("{ a }")), write(plain("{ b }", "{")))
    assert said.exit_code == 1
    assert said.output.count("document ") == 3


def test_build_writes_a_manifest_that_check_and_the_server_take(tmp_path: Path) -> None:
    (tmp_path / "pages" / "deep").mkdir(parents=True)
    (tmp_path / "pages" / "viewer.graphql").write_text(
        "query Viewer { viewer { ...Viewer } }\nmutation Out { signOut ...Gone }"
    )
    (tmp_path / "pages" / "deep" / "parts.graphql").write_text(
        "fragment Viewer on Viewer { user { name } } fragment Gone on Mutation { __typename }"
    )
    out = tmp_path / "manifest.json"
    said = run("build", tmp_path / "pages", "--out", out)
    assert said.exit_code == 0, said.output
    operations = json.loads(out.read_text())["operations"]
    assert [(each["name"], each["type"]) for each in operations] == [("Out", "mutation"), ("Viewer", "query")]
    assert "fragment Viewer" in operations[1]["body"]
    assert "Gone" not in operations[1]["body"]
    assert said.output.splitlines()[1] == f"{operations[1]['id']}  query Viewer"
    assert run("check", out).exit_code == 0


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no *.graphql file"),
        ({"a": "fragment A on Query { __typename }"}, "no *.graphql file with an operation"),
        ({"a": "query A {"}, "a.graphql:1:10: syntax error"),
        ({"a": "{ viewer { user { name } } }"}, "operations with names"),
        ({"a": VIEWER, "b": VIEWER}, "Viewer: 2 operations have this name"),
        ({"a": "fragment A on Query { __typename } " * 2}, "another fragment is called A too"),
        ({"a": "query A { nothing }"}, "(A): 2:3 Cannot query field 'nothing'"),
        ({"a": "query A { ...B }"}, "Unknown fragment 'B'"),
        ({"a": "query A { ...B } fragment B on Query { ...C } fragment C on Query { ...B }"}, "spread themselves"),
    ],
)
def test_build_writes_nothing_where_something_is_wrong(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        (tmp_path / f"{name}.graphql").write_text(text)
    told = run("build", tmp_path, "--out", tmp_path / "manifest.json")
    assert told.exit_code == 1
    assert said in told.output
    assert not (tmp_path / "manifest.json").exists()


def test_the_id_that_the_readme_shows_is_the_one_that_build_gives(tmp_path: Path) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    [text] = re.findall(r"echo '(query Practices [^']*)' > pages/practices.graphql", readme)
    (tmp_path / "practices.graphql").write_text(text + "\n")
    said = run("build", tmp_path, "--out", tmp_path / "documents.json")
    assert said.output in readme
    assert f'documentId: "{said.output.split()[0]}"' in readme
