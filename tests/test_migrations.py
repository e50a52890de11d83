"""A database built by the migrations is the one that the models describe, part by part, in both directions.

PostgreSQL itself is the judge of what is equal: what a model says is built on a temporary copy of the table and
the two definitions are compared as PostgreSQL prints them.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tortoise import Model
from tortoise.fields.relational import ForeignKeyFieldInstance
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

import models
from models import migrate
from models.asyncpg_client import AsyncpgClient
from models.identifier import uuid7
from models.tenancy import Acting
from server.embedded import Embedded
from tests.conftest import query
from tests.stored import as_application

MODELS: list[type[Model]] = [getattr(models, name) for name in models.__all__]
CHECKOUT = Path(__file__).resolve().parent.parent
BOOKKEEPING = "tortoise_migrations"
CHANGES = "row_changes"  # unlogged, and of a type that tortoise does not know: `models/freshness.py` says it all
ON_DELETE = {"RESTRICT": "r", "CASCADE": "c", "SET NULL": "n", "SET DEFAULT": "d", "NO ACTION": "a"}
INDEX = """
    SELECT i.relname AS name, ix.indisunique AS is_unique, ix.indisprimary AS is_primary, am.amname AS method,
           array(SELECT pg_get_indexdef(ix.indexrelid, n, true) FROM generate_series(1, ix.indnatts) n) AS columns,
           pg_get_expr(ix.indpred, ix.indrelid, true) AS condition
    FROM pg_index ix JOIN pg_class i ON i.oid = ix.indexrelid JOIN pg_am am ON am.oid = i.relam
    WHERE ix.indrelid = $1::text::regclass
"""


@pytest.fixture
async def session(pool: AsyncpgClient, database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """In a transaction that is always undone. `pool` is there because models know their columns only when connected."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("BEGIN")
    yield connection
    await connection.close()


def table(model: type[Model]) -> str:
    return model._meta.db_table


def columns(model: type[Model]) -> dict[str, Any]:
    """Column name to field."""
    return {column: model._meta.fields_map[name] for name, column in model._meta.fields_db_projection.items()}


def constraints(model: type[Model], kind: type[Any]) -> list[Any]:
    return [one for one in model._meta.constraints if isinstance(one, kind)]


def to_columns(model: type[Model], names: Iterable[str]) -> list[str]:
    return [model._meta.fields_db_projection.get(name, name) for name in names]


async def copy_of(session: asyncpg.Connection, model: type[Model]) -> str:
    """An empty table with the same columns and nothing else."""
    await session.execute(f"CREATE TEMP TABLE twin_{table(model)} (LIKE {table(model)})")
    return f"twin_{table(model)}"


async def test_the_tables_are_those_of_the_models(session: asyncpg.Connection) -> None:
    found = await session.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {row[0] for row in found} == {table(model) for model in MODELS} | {BOOKKEEPING, CHANGES}


@pytest.mark.parametrize("model", MODELS)
async def test_the_columns_have_the_types_nulls_and_defaults_of_the_fields(
    session: asyncpg.Connection, model: type[Model]
) -> None:
    found = await session.fetch(
        "SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull, pg_get_expr(adbin, adrelid) AS preset"
        " FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
        " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped",
        table(model),
    )
    expected = {}
    for column, field in columns(model).items():
        said = field.get_for_dialect("postgres", "SQL_TYPE")
        name = await session.fetchval("SELECT format_type(to_regtype($1), to_regtypemod($1))", said)
        expected[column] = (name, not field.null, field.has_db_default())
    assert {row["attname"]: (row["type"], row["attnotnull"], row["preset"] is not None) for row in found} == expected


@pytest.mark.parametrize("model", MODELS)
async def test_the_defaults_have_the_values_of_the_fields(session: asyncpg.Connection, model: type[Model]) -> None:
    for column, field in columns(model).items():
        if field.has_db_default():
            preset = await session.fetchval(
                "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON adrelid = attrelid"
                " AND adnum = attnum WHERE attrelid = $1::text::regclass AND attname = $2",
                table(model),
                column,
            )
            assert field.to_python_value(await session.fetchval(f"SELECT {preset}")) == field.db_default


@pytest.mark.parametrize("model", MODELS)
async def test_the_checks_are_those_of_the_model(session: asyncpg.Connection, model: type[Model]) -> None:
    twin = await copy_of(session, model)
    for check in constraints(model, CheckConstraint):
        await session.execute(f"ALTER TABLE {twin} ADD CONSTRAINT {check.name} CHECK ({check.check})")
    assert await checks_on(session, table(model)) == await checks_on(session, twin)


async def checks_on(session: asyncpg.Connection, name: str) -> dict[str, str]:
    found = await session.fetch(
        "SELECT conname, pg_get_constraintdef(oid, true) FROM pg_constraint"
        " WHERE conrelid = $1::text::regclass AND contype = 'c'",
        name,
    )
    return {row[0]: row[1] for row in found}


@pytest.mark.parametrize("model", MODELS)
async def test_the_indexes_and_uniques_are_those_of_the_model(session: asyncpg.Connection, model: type[Model]) -> None:
    """Named ones by name; those that tortoise names itself (primary key, `unique=True`) by what they do."""
    twin = await copy_of(session, model)
    named = await build_named(session, model, twin)
    for column, field in columns(model).items():
        if field.pk:
            await session.execute(f"ALTER TABLE {twin} ADD PRIMARY KEY ({column})")
        elif field.unique:
            await session.execute(f"ALTER TABLE {twin} ADD UNIQUE ({column})")
        elif field.index:
            await session.execute(f"CREATE INDEX ON {twin} ({column})")
    for together in model._meta.unique_together:
        await session.execute(f"ALTER TABLE {twin} ADD UNIQUE ({', '.join(to_columns(model, together))})")
    assert await indexes_on(session, table(model), named) == await indexes_on(session, twin, named)


async def build_named(session: asyncpg.Connection, model: type[Model], twin: str) -> set[str]:
    uniques = constraints(model, UniqueConstraint)
    for unique in uniques:
        await build(session, "UNIQUE INDEX", unique.name, twin, to_columns(model, unique.fields), unique.condition)
    for index in model._meta.indexes:
        assert not isinstance(index, tuple | list), "give the index a name: Index(name=..., fields=...)"
        assert not index.expressions, "teach this test about indexes on expressions"
        assert not index.extra, "teach this test about partial indexes"
        assert index.INDEX_TYPE == "", "teach this test about index methods"
        await build(session, "INDEX", str(index.name), twin, to_columns(model, index.fields), None)
    return {one.name for one in (*uniques, *model._meta.indexes)}


async def build(
    session: asyncpg.Connection, what: str, name: str, on: str, over: list[str], condition: str | None
) -> None:
    where = f"WHERE {condition}" if condition else ""
    await session.execute(f"CREATE {what} {name} ON {on} ({', '.join(over)}) {where}")


async def indexes_on(session: asyncpg.Connection, name: str, named: set[str]) -> list[tuple[Any, ...]]:
    found = [dict(row) for row in await session.fetch(INDEX, name)]
    for row in found:
        row["name"] = row["name"] if row["name"] in named else ""
    return sorted(tuple(str(value) for value in row.values()) for row in found)


@pytest.mark.parametrize("model", MODELS)
async def test_the_foreign_keys_are_those_of_the_model(session: asyncpg.Connection, model: type[Model]) -> None:
    found = await session.fetch(
        "SELECT pg_get_constraintdef(oid) AS text, confdeltype::text AS on_delete FROM pg_constraint"
        " WHERE conrelid = $1::text::regclass AND contype = 'f'",
        table(model),
    )
    keys = [field for field in model._meta.fields_map.values() if isinstance(field, ForeignKeyFieldInstance)]
    expected = {
        (
            f"FOREIGN KEY ({key.source_field}) REFERENCES {table(key.related_model)}"
            f"({key.to_field_instance.source_field or key.to_field_instance.model_field_name})",
            ON_DELETE[key.on_delete.value],
        )
        for key in keys
    }
    assert {(row["text"].partition(" ON DELETE")[0], row["on_delete"]) for row in found} == expected


async def test_a_start_with_nothing_to_do_asks_one_question(
    pool: AsyncpgClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "tortoise.db_client")
    assert await migrate.migrate() == ()
    assert len(caplog.records) == 1


MIGRATE = """
import asyncio, sys
from models import connection, migrate
async def main():
    await connection.connect(sys.argv[1], minsize=1, maxsize=1)
    try:
        print(*await migrate.migrate())
    finally:
        await connection.disconnect()
asyncio.run(main())
"""


async def run_migrate(url: str, checkout: Path = CHECKOUT, program: str = MIGRATE) -> tuple[int, list[str], str]:
    """As a server of its own would: another process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, url, cwd=checkout,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode().split(), err.decode()


@pytest.fixture
async def empty_url(postgres: Embedded, worker_id: str) -> AsyncIterator[str]:
    name = f"empty_{worker_id}"
    await query(postgres.url, f"CREATE DATABASE {name}")
    yield postgres.url_of(name)
    await query(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")


async def test_of_three_servers_that_start_at_once_one_migrates(empty_url: str) -> None:
    outcomes = await asyncio.gather(*(run_migrate(empty_url) for _ in range(3)))
    assert [code for code, _, _ in outcomes] == [0, 0, 0], outcomes
    assert sorted(len(names) for _, names, _ in outcomes) == [0, 0, len(migrate.on_disk())]
    recorded = await query(empty_url, f"SELECT name FROM {BOOKKEEPING} ORDER BY name")
    assert [row["name"] for row in recorded] == sorted(migrate.on_disk())


async def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str, tmp_path: Path) -> None:
    shutil.copytree(CHECKOUT / "models", tmp_path / "models")
    shutil.copy(CHECKOUT / "errors.py", tmp_path)
    (tmp_path / "models" / "migrations" / "9999_broken.py").write_text(
        "from tortoise.migrations import Migration as Base\n"
        "from tortoise.migrations.operations import RunSQL\n"
        "class Migration(Base):\n"
        f"    dependencies = [('models', '{max(migrate.on_disk())}')]\n"
        "    operations = [RunSQL('CREATE TABLE half (id int)'), RunSQL('SELECT 1 / 0')]\n"
    )
    code, _, complaint = await run_migrate(empty_url, tmp_path)
    assert code == 1
    assert "division by zero" in complaint
    assert await query(empty_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []


async def test_a_newer_servers_migration_does_not_stop_an_older_one(pool: AsyncpgClient, database_url: str) -> None:
    await query(
        database_url, f"INSERT INTO {BOOKKEEPING} (app, name, applied_at) VALUES ('models', '9999_later', now())"
    )
    try:
        assert await migrate.is_current()
    finally:
        await query(database_url, f"DELETE FROM {BOOKKEEPING} WHERE name = '9999_later'")


BRING_UP_TO_DATE = """
import asyncio, sys
from models import migrate
print(*asyncio.run(migrate.bring_up_to_date(sys.argv[1])))
"""


@pytest.fixture
async def plain_owner(postgres: Embedded, worker_id: str) -> AsyncIterator[str]:
    """The address of an empty database for its owner, who is nothing besides."""
    name = f"plain_{worker_id}"
    await query(postgres.url, f"CREATE ROLE {name} LOGIN")
    await query(postgres.url, f"CREATE DATABASE {name} OWNER {name}")
    yield postgres.url_of(name, name)
    await query(postgres.url, f"DROP DATABASE {name} WITH (FORCE)")
    await query(postgres.url, f"DROP ROLE {name}")


async def test_an_ordinary_owner_migrates_and_is_bound_by_row_level_security_too(
    template: str, plain_owner: str
) -> None:
    code, names, said = await run_migrate(plain_owner, program=BRING_UP_TO_DATE)
    assert (code, len(names)) == (0, len(migrate.on_disk())), said
    assert await run_migrate(plain_owner, program=BRING_UP_TO_DATE) == (0, [], "")
    person = "INSERT INTO users (id, name, email, created_at) VALUES (gen_random_uuid(), 'A', 'a@b.example', now())"
    await query(plain_owner, person)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await query(
            plain_owner,
            "INSERT INTO practices (id, name, kind, incorporated, created_at, created_by_id)"
            " SELECT id, 'Elm', 'shared_office_member', false, now(), id FROM users",
        )


FOUND = """
INSERT INTO practices (id, name, kind, incorporated, created_at, created_by_id)
    SELECT id, 'Elm', 'shared_office_member', false, now(), id FROM users WHERE id = acting_user();
INSERT INTO staff_members (id, practice_id, user_id, roles, added_at, added_by_id)
    SELECT id, id, id, '{owner}', now(), id FROM users WHERE id = acting_user();
"""
ENGAGE = """
INSERT INTO agents (id, kind, legal_name, address, city, phone, email, registered_at, registered_by_id)
    SELECT id, 'billing_company', 'ACME', '', '', '', '', now(), id FROM users WHERE id = acting_user();
INSERT INTO engagements (id, practice_id, agent_id, purpose, started_at, started_by_id, expires_at)
    SELECT id, id, id, 'contracted_service', now(), id, now() + interval '1 day' FROM users WHERE id = acting_user();
INSERT INTO role_grants (id, engagement_id, role, granted_at, granted_by_id)
    SELECT id, id, 'biller', now(), id FROM users WHERE id = acting_user();
"""


async def test_the_wall_that_an_ordinary_owner_built_lets_everybody_see_their_own(
    template: str, plain_owner: str
) -> None:
    await run_migrate(plain_owner, program=BRING_UP_TO_DATE)
    people = [uuid7() for _ in range(2)]
    session = await asyncpg.connect(as_application(plain_owner))
    for person in people:
        await session.execute(
            "INSERT INTO users (id, name, email, created_at) VALUES ($1, 'A', $1::uuid::text, now())", person
        )
        await session.execute(Acting(person).settings())
        await session.execute(FOUND)
        seen = await session.fetch("SELECT p.id FROM practices p JOIN staff_members s ON s.practice_id = p.id")
        assert [row["id"] for row in seen] == [person]
        await session.execute(ENGAGE)
        assert [row["outline"] for row in await session.fetch("SELECT outline FROM engagements")] == ["biller ?;"]
    await session.close()


async def test_who_may_not_migrate_changes_nothing_and_names_the_table(template: str, plain_owner: str) -> None:
    code, _, said = await run_migrate(as_application(plain_owner), program=BRING_UP_TO_DATE)
    assert code == 1
    assert "permission denied for schema public" in said
    assert await query(plain_owner, "SELECT FROM pg_tables WHERE schemaname = 'public'") == []
