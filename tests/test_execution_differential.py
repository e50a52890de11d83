"""Compiled selections answer what graphql-core answers: the same data in the same order, the same errors and paths.

Generated documents over a schema with everything in it and over the API itself, executed both ways. `make fuzz` runs
many more of them than this.
"""

from __future__ import annotations

import os
import random
from typing import Any

import orjson
import pytest
from graphql import DocumentNode, ExecutionResult, GraphQLField, GraphQLNamedType, parse, validate
from hypothesis import given, settings
from hypothesis import strategies as st

from models import Engagement
from models.asyncpg_client import AsyncpgClient
from resolvers import executor, reads, shapes
from resolvers.execution import Schema
from resolvers.executor import Compiled
from resolvers.schema import schema as api
from tests import odd_schema
from tests.callers import World
from tests.query_maker import Maker, flags

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "80"))


async def both_ways(
    schema: Schema, document: DocumentNode, compiled: Compiled, variables: dict[str, Any], contexts: tuple[Any, Any]
) -> bool:
    """Executes twice and compares. Whether there were errors."""
    ours = await schema.run(document, None, variables, contexts[0], compiled)
    theirs = await schema.run(document, None, variables, contexts[1])
    assert isinstance(ours, ExecutionResult)
    assert isinstance(theirs, ExecutionResult)
    assert written(ours.data) == written(theirs.data)
    mine, its = by_null(ours), by_null(theirs)
    assert mine.keys() == its.keys()
    assert all(mine[place] & its[place] for place in its)
    return bool(theirs.errors)


def written(data: Any) -> bytes:
    """Bytes, because the order of keys is part of an answer."""
    return orjson.dumps(data, default=repr, option=orjson.OPT_NON_STR_KEYS)


def by_null(result: ExecutionResult) -> dict[tuple[Any, ...], set[str]]:
    """The errors, whole, by the null in the data that they explain.

    Of several errors below one null the specification asks for one (6.4.4); which more there are depends on what had
    begun when the first ended the others.
    """
    found: dict[tuple[Any, ...], set[str]] = {}
    for each in result.errors or ():
        found.setdefault(null_above(result.data, each.path or []), set()).add(str(each.formatted))
    return found


def null_above(data: Any, path: list[str | int]) -> tuple[Any, ...]:
    for length, step in enumerate(path):
        if data is None:
            return tuple(path[:length])
        data = data[step]
    return tuple(path)


# Where a sibling's failure ends an execution in the very turn in which the library took it over, coroutines that the
# library had made and not begun are dropped. Letting them begin would collect errors that it does not collect.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(min_value=0), st.sampled_from([0.0, 0.0, 0.02, 0.15]))
async def test_any_document_over_any_objects_is_answered_as_by_the_library(seed: int, wrong: float) -> None:
    chance = random.Random(seed)
    text = Maker(odd_schema.SCHEMA.graphql_schema, chance).document(depth=4)
    document = parse(text)
    if validate(odd_schema.SCHEMA.graphql_schema, document):
        return
    compiled = Compiled.of(document)
    for _ in range(3):  # the later ones meet what the first has compiled, under other variables and over other objects
        made = chance.getrandbits(32)
        contexts = [odd_schema.World(random.Random(made), wrong).context for _ in range(2)]
        await both_ways(odd_schema.SCHEMA, document, compiled, flags(chance), (contexts[0], contexts[1]))


def test_what_is_generated_is_worth_comparing() -> None:
    """Most documents are valid, and together they ask for every field of the schema."""
    documents = [Maker(odd_schema.SCHEMA.graphql_schema, random.Random(seed)).document(depth=4) for seed in range(300)]
    words = " ".join(documents)
    assert sum(not validate(odd_schema.SCHEMA.graphql_schema, parse(text)) for text in documents[:40]) > 25
    for name in ("Leaf", "Branch"):
        for field in odd_schema.SCHEMA.graphql_schema.type_map[name].fields:  # type: ignore[attr-defined]  # both are objects
            assert f"{field} " in words, field
    assert "@skip" in words
    assert "fragment" in words


async def test_sound_objects_are_completed_by_compiled_functions_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the comparison would compare the library with itself."""

    def never(*_: object) -> None:
        raise AssertionError("the library was asked")

    monkeypatch.setattr(executor.Executor, "_by_the_library", never)
    document = parse(
        "{ branch { name leaf { count ratio flag key colour at on extra grid } mother { name } sister { name }"
        " children { failingHard failing either { ... on Leaf { name } } people { __typename name } } } }"
    )
    context = odd_schema.World(random.Random(1), 0.0).context
    compiled = Compiled.of(document)
    result = await odd_schema.SCHEMA.run(document, None, {}, context, compiled)
    assert isinstance(result, ExecutionResult)
    assert result.errors is None
    assert None not in compiled.selections.values()


async def test_of_two_fields_that_wait_one_failure_ends_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of an abandoned pass goes on, and nothing of it was left unawaited: that would be a warning, an error."""
    seen = []

    async def settle(self: shapes.Pass, original: Any = shapes.Pass.settle) -> None:
        seen.append(len(self.waiting))
        await original(self)

    monkeypatch.setattr(shapes.Pass, "settle", settle)
    world = odd_schema.World(random.Random(1), 0.0)
    for branch in world.context.branches.values():
        branch.row["fails"] = True
    document = parse("{ branch { children { name } failing failingHard mother { name } } }")
    assert await both_ways(odd_schema.SCHEMA, document, Compiled.of(document), {}, (world.context, world.context))


def api_arguments(world: World, chance: random.Random) -> Any:
    """What the API's fields can be asked with in the world of `tests/callers.py`."""

    def given_to(parent: GraphQLNamedType, name: str, definition: GraphQLField) -> str | None:
        required = [key for key, argument in definition.args.items() if str(argument.type).endswith("!")]
        if name.startswith("__") or name in ("explainAccess", "node", "nodes"):
            return None
        if "first" in definition.args:
            return f"({chance.choice(('first', 'last'))}: {chance.randint(1, 4)})"
        values = {"id": world.ids.get(f"{name} own", ""), "practiceId": world.ids["practice own"], "key": "biller"}
        if not all(key in values for key in required):
            return None
        return "(" + ", ".join(f'{key}: "{values[key]}"' for key in required) + ")" if required else ""

    return given_to


@pytest.mark.parametrize("caller", ["owner", "agent admin", "agent member", "operator"])
async def test_any_document_over_the_api_is_answered_as_by_the_library(
    world: World, database: AsyncpgClient, caller: str
) -> None:
    """Against the database, as different people: refusals in the middle of pages are among the answers."""
    chance = random.Random(len(caller))
    client = world.browser(caller)
    asked = failed = 0
    for _ in range(EXAMPLES):
        if asked > EXAMPLES // 4:  # of what is made up not all is valid
            break
        text = Maker(api.graphql_schema, chance, api_arguments(world, chance), most=25).document(depth=5)
        document = parse(text)
        if validate(api.graphql_schema, document):
            continue
        compiled = Compiled.of(document)
        for _ in range(2):
            variables = flags(chance)
            contexts = [await world.town.context(client) for _ in range(2)]
            failed += await both_ways(api, document, compiled, variables, (contexts[0], contexts[1]))
            asked += 1
    assert asked > EXAMPLES // 4
    assert failed < asked


PAGES = (
    "id status agent { id legalName kind } roles { status role { key title } }",
    "__typename s: status version agent { __typename city } practice { name kind } autoExtend",
    "status startedAt expiresAt version roles { __typename expiresAt role { hint sensitive } }",
    "id roles { status } ...on Engagement { status agent { email phone verifiedAt } }",
)


@pytest.mark.parametrize("fields", PAGES)
@pytest.mark.parametrize("place", ["own", "suspended", "expired", "extended", "ended"])
async def test_a_page_that_is_read_by_columns_is_what_it_is_by_objects(
    world: World, database: AsyncpgClient, fields: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0

    def counted(*given: Any, original: Any = reads.Read.complete) -> Any:
        nonlocal read
        read += 1
        return original(*given)

    monkeypatch.setattr(reads.Read, "complete", counted)
    text = f"query ($id: ID!) {{ practice(id: $id) {{ name engagements(first: 10) {{ nodes {{ {fields} }} }} }} }}"
    document, client = parse(text), world.browser("owner")
    compiled = Compiled.of(document)
    practice = world.ids[f"practice {place.replace('extended', 'expired')}"]
    await Engagement.filter(practice_id=practice).update(auto_extend=place == "extended")
    for _ in range(3):  # by the library; by what was compiled; by what was learnt
        contexts = [await world.town.context(client) for _ in range(2)]
        variables = {"id": practice}
        assert not await both_ways(api, document, compiled, variables, (contexts[0], contexts[1]))
    assert read >= 2
    assert any(compiled.straight.values())
