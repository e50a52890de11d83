"""Imports point one way, so that each folder can be read, and tested, without the ones above it."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent

BELOW_EVERYTHING = {"errors", "limits"}
MAY_IMPORT = {
    "errors": set[str](),
    "limits": set[str](),
    "authz": BELOW_EVERYTHING,
    "models": BELOW_EVERYTHING,
    "schema": BELOW_EVERYTHING | {"authz", "models"},
    "operations": BELOW_EVERYTHING | {"authz", "models"},
    "resolvers": BELOW_EVERYTHING | {"authz", "models", "schema", "operations"},
    "server": BELOW_EVERYTHING | {"authz", "models", "schema", "operations", "resolvers"},
    "bench": BELOW_EVERYTHING | {"authz", "models", "schema", "operations", "resolvers", "server"},
}
# An operation takes the typed input of its mutation. It names the type and never runs the layer.
MAY_NAME_TYPES_OF = {"operations": {"schema"}}
NOT_FOR_AUTHZ = {"asyncio", "asyncpg", "graphql", "starlette", "strawberry", "tortoise"}
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}


def sources(layer: str) -> list[Path]:
    folder = CHECKOUT / layer
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [CHECKOUT / f"{layer}.py"]


@functools.cache
def nodes(layer: str) -> list[tuple[str, ast.AST]]:
    """Every node of the layer's syntax trees, with the place to look at when it is wrong."""
    return [
        (f"{source.relative_to(CHECKOUT)}:{getattr(node, 'lineno', 0)}", node)
        for source in sources(layer)
        for node in ast.walk(ast.parse(source.read_text(), source))
    ]


def imports(layer: str) -> set[tuple[str, str]]:
    """Top-level names, with those inside functions and behind TYPE_CHECKING."""
    return {(place, name) for place, node in nodes(layer) for name in imported(node)}


def imports_for_types(layer: str) -> set[tuple[str, str]]:
    """Those behind TYPE_CHECKING, which are not there when the program runs."""
    return {
        (f"{place.partition(':')[0]}:{inner.lineno}", name)
        for place, node in nodes(layer)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in node.body
        for name in imported(inner)
    }


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [name.name.partition(".")[0] for name in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [(node.module or "").partition(".")[0]]
    return []


def test_every_folder_with_code_is_a_layer() -> None:
    found = {path.parent.name for path in CHECKOUT.glob("*/__init__.py")} | {
        path.stem for path in CHECKOUT.glob("*.py")
    }
    assert found <= set(MAY_IMPORT)


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_a_layer_imports_only_what_is_below_it(layer: str) -> None:
    forbidden = set(MAY_IMPORT) - MAY_IMPORT[layer] - {layer}
    for_types = {found for found in imports_for_types(layer) if found[1] in MAY_NAME_TYPES_OF.get(layer, ())}
    assert sorted(found for found in imports(layer) - for_types if found[1] in forbidden) == []


def test_the_decision_neither_waits_nor_knows_a_database_or_graphql() -> None:
    assert [(place, name) for place, name in imports("authz") if name in NOT_FOR_AUTHZ] == []
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert [place for place, node in nodes("authz") if isinstance(node, waiting)] == []


@pytest.mark.parametrize("layer", sorted(set(MAY_IMPORT) - {"server"}))
def test_only_the_server_looks_at_the_clock(layer: str) -> None:
    assert [place for place, node in nodes(layer) if isinstance(node, ast.Call) and reads_clock(node.func)] == []


def reads_clock(called: ast.expr) -> bool:
    if not isinstance(called, ast.Attribute):
        return False
    owner = called.value
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return (name, called.attr) in CLOCKS


@pytest.mark.parametrize("layer", sorted(set(MAY_IMPORT) - {"server", "limits", "bench"}))
def test_only_the_settings_and_the_limits_read_the_environment(layer: str) -> None:
    asked = [
        place for place, node in nodes(layer) if isinstance(node, ast.Attribute | ast.Name) and is_environment(node)
    ]
    assert asked == []


def is_environment(node: ast.Attribute | ast.Name) -> bool:
    return (node.attr if isinstance(node, ast.Attribute) else node.id) in ("environ", "getenv")
