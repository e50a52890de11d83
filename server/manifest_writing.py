"""A manifest out of `*.graphql` files, for a frontend whose build has no tool for it.

Each operation becomes one document: itself and the fragments that it reaches, wherever they stand, printed in one
form, so that an id changes when the meaning does and not with an editor's habits. The form is Apollo's, because it
keeps the name by which a page looks up the id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphql import (
    DefinitionNode,
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    Node,
    OperationDefinitionNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

from server import redaction
from server.manifest import APOLLO, ManifestRejected, id_of


@dataclass(slots=True)
class Sources:
    operations: list[OperationDefinitionNode] = field(default_factory=list)
    fragments: dict[str, FragmentDefinitionNode] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def built(folders: Iterable[Path]) -> dict[str, Any]:
    """The manifest. Raises ManifestRejected with everything that keeps the files from becoming one."""
    sources = Sources()
    for folder in folders:
        for file in sorted(folder.rglob("*.graphql")) if folder.is_dir() else [folder]:
            _read(file, sources)
    names = Counter(node.name.value for node in sources.operations if node.name)
    sources.problems += [f"{name}: {count} operations have this name" for name, count in names.items() if count > 1]
    if not sources.operations and not sources.problems:
        sources.problems.append("no *.graphql file with an operation is there")
    if sources.problems:
        raise ManifestRejected(sources.problems)
    operations = sorted((_operation(node, sources.fragments) for node in sources.operations), key=lambda o: o["name"])
    return {"format": APOLLO, "version": 1, "operations": operations}


def _read(file: Path, sources: Sources) -> None:
    try:
        document = parse(file.read_text("utf-8"))
    except GraphQLSyntaxError as syntax:
        places = "".join(f":{place.line}:{place.column}" for place in syntax.locations or ())
        sources.problems.append(f"{file}{places}: {redaction.about_syntax(syntax)}")
        return
    except (OSError, UnicodeDecodeError):
        sources.problems.append(f"{file}: cannot be read as UTF-8 text")
        return
    for node in document.definitions:
        _sort(node, file, sources)


def _sort(node: DefinitionNode, file: Path, sources: Sources) -> None:
    if isinstance(node, FragmentDefinitionNode):
        if node.name.value in sources.fragments:
            sources.problems.append(f"{file}: another fragment is called {node.name.value} too")
        sources.fragments[node.name.value] = node
    elif isinstance(node, OperationDefinitionNode) and node.name:
        sources.operations.append(node)
    else:
        sources.problems.append(f"{file}: holds something other than fragments and operations with names")


def _operation(node: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> dict[str, str]:
    reached: dict[str, FragmentDefinitionNode] = {}
    _reach(node, fragments, reached)
    body = print_ast(DocumentNode(definitions=(node, *(reached[name] for name in sorted(reached)))))
    name = node.name.value if node.name else ""
    return {"id": id_of(body), "name": name, "type": node.operation.value, "body": body}


def _reach(
    node: Node, fragments: Mapping[str, FragmentDefinitionNode], reached: dict[str, FragmentDefinitionNode]
) -> None:
    for name in _spreads(node):
        if name in fragments and name not in reached:  # an unknown one is told by the validation
            reached[name] = fragments[name]
            _reach(fragments[name], fragments, reached)


def _spreads(node: Node) -> list[str]:
    found: list[str] = []

    class Spreads(Visitor):
        def enter_fragment_spread(self, spread: FragmentSpreadNode, *_: object) -> None:
            found.append(spread.name.value)

    visit(node, Spreads())
    return found
