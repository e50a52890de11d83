"""What stops the start, what is only said, and what has to be left alone on a fresh machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from server import checks
from server.before_serving import refuse_unsafe
from server.checks import Examined, Unsafe
from server.checks_database import Found, Unreachable, look
from server.database import without_pepper
from server.embedded import Embedded
from server.findings import Outcome
from server.settings import PEPPER_BYTES, Settings, SettingsInvalid, from_environment
from tests.conftest import query
from tests.policy_variants import variant
from tests.policy_workers import PEPPER, environment, free_port, serving
from tests.processes import CHECKOUT, ran
from tests.stored import as_application

REMOTE = "postgresql://sparekey:hunter2-hunter2@db.example/sparekey"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WELL = Found(
    version=18, encoding="UTF8", fsync="on", full_page_writes="on", synchronous_commit="on", has_standby=False,
    superuser=False, bypasses=False, owner=False, wall=True, ahead=timedelta(), migrations=frozenset(),
)  # fmt: skip
OK, WARNING, REFUSED, SKIPPED = Outcome


def settings_of(folder: Path, production: bool = True, /, **given: str) -> Settings:
    mode = {"SPAREKEY_MODE": "production", "SPAREKEY_PEPPER": PEPPER} if production else {}
    mode |= {"SPAREKEY_PUBLIC_URL": "https://keys.example.org"} if production else {}
    own = {"DATA_DIR": str(folder), "SPAREKEY_POLICIES": str(CHECKOUT / "policies"), **mode}
    return from_environment(own | given)


def outcomes(settings: Settings, found: Found | None = WELL) -> Mapping[str, Outcome]:
    seen = checks.run(Examined(settings, lambda: None, found))
    return {each.check.name: each.finding.outcome for each in seen if each.finding.outcome is not OK}


@pytest.mark.parametrize("production", [True, False])
def test_ordinary_settings_and_an_ordinary_database_leave_nothing_to_say(tmp_path: Path, production: bool) -> None:
    assert outcomes(settings_of(tmp_path, production)) == {}


@pytest.mark.parametrize(
    ("given", "name", "in_production", "in_development"),
    [
        ({"SPAREKEY_ORIGINS": "https://app.example http://app.example"}, "origins", REFUSED, OK),
        ({"SPAREKEY_ORIGINS": "http://127.0.0.1.evil.example"}, "origins", REFUSED, OK),
        ({"SPAREKEY_ORIGINS": "http://localhost:3000 http://127.0.0.1:3000 http://[::1]:3000"}, "origins", OK, OK),
        ({"HOST": "0.0.0.0"}, "address", WARNING, OK),
        ({"HOST": "::"}, "address", WARNING, OK),
        ({"HOST": "::1"}, "address", OK, OK),
        ({"HOST": "localhost"}, "address", OK, OK),
        ({"HOST": "0.0.0.0", "SPAREKEY_PROXIES": "10.0.0.1"}, "address", OK, OK),
        ({"SPAREKEY_PROXIES": "10.0.0.1 0.0.0.0/0"}, "proxies", REFUSED, WARNING),
        ({"SPAREKEY_PROXIES": "::/0"}, "proxies", REFUSED, WARNING),
        ({"SPAREKEY_PROXIES": "10.0.0.0/8"}, "proxies", OK, OK),
        ({"SPAREKEY_GRAPHIQL": "on"}, "graphiql", WARNING, OK),
        ({"SPAREKEY_PUBLIC_URL": " "}, "public url", WARNING, OK),
        ({"SPAREKEY_PUBLIC_URL": "HTTPS://Keys.Example.org:443/"}, "public url", OK, OK),
        ({"SPAREKEY_SESSION_IDLE_SECONDS": "3601"}, "sessions", WARNING, WARNING),
        ({"SPAREKEY_SESSION_ABSOLUTE_SECONDS": "86401"}, "sessions", WARNING, WARNING),
        ({"SPAREKEY_SESSION_IDLE_SECONDS": "3600", "SPAREKEY_SESSION_ABSOLUTE_SECONDS": "86400"}, "sessions", OK, OK),
        ({"SPAREKEY_DATABASE_URL": REMOTE}, "database tls", REFUSED, OK),
        ({"SPAREKEY_DATABASE_URL": REMOTE, "SPAREKEY_DATABASE_PLAINTEXT": "on"}, "database tls", WARNING, OK),
    ],
)
def test_each_setting_that_works_and_is_unsafe(
    tmp_path: Path, given: dict[str, str], name: str, in_production: Outcome, in_development: Outcome
) -> None:
    for production, expected in ((True, in_production), (False, in_development)):
        seen = outcomes(settings_of(tmp_path, production, **given))
        assert seen == ({} if expected is OK else {name: expected})


@pytest.mark.parametrize(
    ("url", "more", "expected"),
    [
        (REMOTE + "?sslmode=prefer", {}, REFUSED),
        (REMOTE + "?sslmode=disable", {"PGSSLMODE": "require"}, REFUSED),
        (REMOTE + "?sslmode=require&sslmode=disable", {}, REFUSED),
        (REMOTE + "?sslmode=require", {}, OK),
        (REMOTE + "?sslmode=verify-full", {}, OK),
        (REMOTE, {"PGSSLMODE": "verify-ca"}, OK),
        ("postgresql://db1.example,localhost/sparekey", {}, REFUSED),
        ("postgresql://localhost,db1.example:5433/sparekey", {}, REFUSED),
        ("postgresql://a@db.example@localhost/sparekey", {}, REFUSED),
        ("postgresql:///sparekey?host=10.0.0.1", {}, REFUSED),
        ("postgresql:///sparekey", {"PGHOST": "10.0.0.1"}, REFUSED),
        ("postgresql:///sparekey?service=main", {}, REFUSED),
        ("postgresql://127.0.0.1:5433,[::1]:5432,localhost/sparekey", {}, OK),
        ("postgresql:///sparekey?host=/run/postgresql", {}, OK),
        ("postgresql://%2Frun%2Fpostgresql/sparekey", {}, OK),
        ("postgresql:///sparekey", {}, OK),
    ],
)
def test_a_password_crosses_no_network_in_clear_text(
    tmp_path: Path, url: str, more: dict[str, str], expected: Outcome
) -> None:
    seen = outcomes(settings_of(tmp_path, SPAREKEY_DATABASE_URL=url, **more))
    assert seen == ({} if expected is OK else {"database tls": expected})


@pytest.mark.parametrize(
    ("change", "name", "in_production", "in_development"),
    [
        ({"version": 12}, "version", REFUSED, REFUSED),
        ({"version": 13}, "version", OK, OK),
        ({"encoding": "SQL_ASCII"}, "encoding", REFUSED, REFUSED),
        ({"fsync": "off"}, "fsync", REFUSED, REFUSED),
        ({"full_page_writes": "off"}, "full_page_writes", REFUSED, REFUSED),
        ({"synchronous_commit": "off"}, "synchronous_commit", REFUSED, REFUSED),
        ({"synchronous_commit": "local"}, "synchronous_commit", OK, OK),
        ({"synchronous_commit": "local", "has_standby": True}, "synchronous_commit", WARNING, WARNING),
        ({"ahead": timedelta(seconds=4.9)}, "clock", OK, OK),
        ({"ahead": timedelta(seconds=5)}, "clock", WARNING, WARNING),
        ({"ahead": timedelta(seconds=-59)}, "clock", WARNING, WARNING),
        ({"ahead": timedelta(seconds=60)}, "clock", REFUSED, REFUSED),
        ({"ahead": timedelta(seconds=-600)}, "clock", REFUSED, REFUSED),
        ({"superuser": True}, "role", REFUSED, WARNING),
        ({"bypasses": True}, "role", REFUSED, WARNING),
        ({"owner": True}, "role", REFUSED, WARNING),
        ({"owner": True, "wall": False}, "role", WARNING, WARNING),
        ({"migrations": frozenset({"0001_initial"})}, "migrations", OK, OK),
        ({"migrations": frozenset({"0001_initial", "9999_new"})}, "migrations", WARNING, WARNING),
    ],
)
def test_each_state_of_a_database_that_works_and_is_unsafe(
    tmp_path: Path, change: dict[str, Any], name: str, in_production: Outcome, in_development: Outcome
) -> None:
    for production, expected in ((True, in_production), (False, in_development)):
        seen = outcomes(settings_of(tmp_path, production), replace(WELL, **change))
        assert seen == ({} if expected is OK else {name: expected})


@pytest.mark.parametrize(("name", "mode"), [("postgres", 0o750), ("postgres", 0o704), (".", 0o757)])
def test_files_of_ours_that_others_may_touch_stop_the_start_in_production(tmp_path: Path, name: str, mode: int) -> None:
    (tmp_path / "postgres").mkdir(mode=0o700)
    assert outcomes(settings_of(tmp_path)) == {}
    os.chmod(tmp_path / name, mode)
    assert outcomes(settings_of(tmp_path)) == {"files": REFUSED}
    assert outcomes(settings_of(tmp_path, False)) == {"files": WARNING}


def test_developments_pepper_is_for_one_account(tmp_path: Path) -> None:
    development = settings_of(tmp_path / "data", False)
    assert outcomes(development) == {}
    os.chmod(tmp_path / "data" / "pepper", 0o640)
    assert outcomes(development) == {"files": WARNING}


@pytest.mark.parametrize(
    "pepper", ["p" * 32, "ab" * 32, "password" * 8, "0123456701234567012345670123456", "abcdefg\n" * 9]
)
def test_a_pepper_that_nobody_drew_by_lot_is_refused_in_production(tmp_path: Path, pepper: str) -> None:
    with pytest.raises(SettingsInvalid, match="SPAREKEY_PEPPER: write at least 32 random bytes"):
        settings_of(tmp_path, SPAREKEY_PEPPER=pepper)


@pytest.mark.parametrize("make", [lambda: os.urandom(16).hex(), lambda: os.urandom(32).hex()])
def test_a_pepper_that_was_drawn_by_lot_is_taken(tmp_path: Path, make: Any) -> None:
    for _ in range(200):
        settings_of(tmp_path, SPAREKEY_PEPPER=make())
    assert len(without_pepper({})["SPAREKEY_PEPPER"]) >= PEPPER_BYTES


# What the database says.


async def test_an_ordinary_role_in_a_migrated_database_is_told_nothing(own_url: str, tmp_path: Path) -> None:
    """And what a role owns, bypasses and has set for its sessions is seen."""
    plain = own_url.replace("postgres@", "checked@")
    await query(own_url, "CREATE ROLE checked LOGIN")
    try:
        await query(own_url, "GRANT SELECT ON tortoise_migrations TO checked")
        found = await look(plain, lambda: datetime.now(UTC))
        assert (found.superuser, found.bypasses, found.owner) == (False, False, False)
        assert outcomes(settings_of(tmp_path), found) == {}
        for change in ("ROLE checked BYPASSRLS", "ROLE checked SET synchronous_commit = off"):
            await query(own_url, f"ALTER {change}")
        await query(own_url, "ALTER TABLE agents OWNER TO checked")
        found = await look(plain, lambda: datetime.now(UTC))
        assert (found.superuser, found.bypasses, found.owner) == (False, True, True)
        assert outcomes(settings_of(tmp_path), replace(found, wall=True)) == {
            "synchronous_commit": REFUSED,
            "role": REFUSED,
        }
        await query(
            own_url, "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('models', '9999_x', now())"
        )
        assert "9999_x" in (await look(plain, lambda: datetime.now(UTC))).migrations
    finally:
        for statement in ("REASSIGN OWNED BY checked TO postgres", "DROP OWNED BY checked", "DROP ROLE checked"):
            await query(own_url, statement)


async def test_row_level_security_on_any_table_is_noticed(own_url: str) -> None:
    await query(own_url, "ALTER TABLE agents ENABLE ROW LEVEL SECURITY")
    found = await look(own_url, lambda: datetime.now(UTC))
    assert (found.superuser, found.wall) == (True, True)


async def test_a_database_of_another_encoding_is_noticed_before_there_are_tables(postgres: Embedded) -> None:
    name = f"latin_{os.getpid()}"
    await query(
        postgres.url,
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'",
    )
    try:
        found = await look(postgres.url_of(name), lambda: datetime.now(UTC))
        assert (found.encoding, found.migrations, found.owner) == ("LATIN1", frozenset(), False)
    finally:
        await query(postgres.url, f"DROP DATABASE {name}")


async def test_switches_of_the_whole_server_are_noticed(tmp_path: Path) -> None:
    """A server of its own: the others' would lose its data with them."""
    server = Embedded(tmp_path / "data")
    os.chmod(tmp_path, 0o755)
    server.start()
    try:
        for name in ("fsync", "full_page_writes"):
            await query(server.url, f"ALTER SYSTEM SET {name} = off")
        await query(server.url, "SELECT pg_reload_conf()")
        async with asyncio.timeout(5):
            while (found := await look(server.url, lambda: datetime.now(UTC))).full_page_writes == "on":  # noqa: ASYNC110  # PostgreSQL has no event for us
                await asyncio.sleep(0.02)
    finally:
        server.stop()
    assert (found.fsync, found.full_page_writes) == ("off", "off")


@pytest.mark.parametrize("off", [timedelta(hours=-1), timedelta(hours=1)])
async def test_the_databases_clock_is_held_against_ours(database_url: str, off: timedelta) -> None:
    found = await look(database_url, lambda: datetime.now(UTC) - off)
    assert timedelta(seconds=-1) < found.ahead - off < timedelta(seconds=1)


async def test_a_slow_answer_is_no_difference_of_clocks(database_url: str) -> None:
    """The database's moment lies between the question and the answer, a minute apart."""
    times = iter([datetime.now(UTC) - timedelta(seconds=30), datetime.now(UTC) + timedelta(seconds=30)])
    assert (await look(database_url, lambda: next(times))).ahead == timedelta()


@pytest.mark.parametrize("url", ["postgresql://sparekey:hunter2@127.0.0.1:1/x", "postgresql://a:hunter2@localhost:x/b"])
async def test_a_database_that_is_not_there_is_a_sentence_without_the_url(tmp_path: Path, url: str) -> None:
    with pytest.raises(Unreachable, match="SPAREKEY_DATABASE_URL") as unreachable:
        await look(url, lambda: NOW)
    assert "hunter2" not in str(unreachable.value)
    seen = checks.run(Examined(settings_of(tmp_path), lambda: None, None, str(unreachable.value)))
    assert [each.check.name for each in checks.with_outcome(seen, REFUSED)] == ["database"]
    assert len(list(checks.with_outcome(seen, SKIPPED))) >= 8


def test_every_check_says_what_it_looks_at_and_every_advice_is_one_line(tmp_path: Path) -> None:
    assert len({check.name for check in checks.TABLE}) == len(checks.TABLE) == 19
    assert all(check.looks_at for check in checks.TABLE)
    bad = replace(
        WELL, version=9, encoding="x", fsync="off", full_page_writes="off", synchronous_commit="off", owner=True
    )
    given = {"SPAREKEY_DATABASE_URL": REMOTE, "SPAREKEY_ORIGINS": "http://a.example", "SPAREKEY_PROXIES": "::/0"}
    seen = checks.run(Examined(settings_of(tmp_path, **given), lambda: None, bad))
    advice = [each.finding.advice for each in checks.with_outcome(seen, REFUSED)]
    assert len(advice) == 9
    for text in advice:
        assert "\n" not in text
        assert "hunter2" not in text


# The commands.


async def sparekey(*words: str, **own: str) -> tuple[int, str]:
    return await ran(words, own)


async def test_the_server_does_not_start_and_says_every_reason_in_a_line_each(own_url: str, tmp_path: Path) -> None:
    await query(own_url, f"ALTER DATABASE {own_url.partition('?')[0].rpartition('/')[2]} SET synchronous_commit = off")
    more = {"SPAREKEY_ORIGINS": "http://app.example", "SPAREKEY_MODE": "production", "SPAREKEY_PEPPER": PEPPER}
    own = environment(own_url, PORT=str(free_port()), DATA_DIR=str(tmp_path), **more)
    for word, code in (("serve", 1), ("doctor", 1)):
        assert (await sparekey(word, **own))[0] == code
    _, said = await sparekey("serve", **own)
    origins, commit = said.strip().splitlines()
    assert origins == "Error: origins: write https:// in SPAREKEY_ORIGINS instead of http://app.example"
    assert commit.startswith("synchronous_commit: write synchronous_commit = on")


async def test_warnings_are_in_the_log_once_and_the_server_serves(own_url: str, tmp_path: Path) -> None:
    more = {"SPAREKEY_SESSION_IDLE_SECONDS": "7200"}
    async with serving(own_url, variant(tmp_path / "set"), tmp_path / "data", "production", **more) as worker:
        assert (await worker.http.get("/readyz")).status_code == 200
    assert worker.log.count("sessions: write at most 3600 in SPAREKEY_SESSION_IDLE_SECONDS") == 1


async def test_doctor_prints_every_check_and_no_secret(own_url: str, tmp_path: Path) -> None:
    more = {"SPAREKEY_MODE": "production", "SPAREKEY_PEPPER": PEPPER, "SPAREKEY_PUBLIC_URL": "https://keys.example.org"}
    code, said = await sparekey("doctor", **environment(own_url, DATA_DIR=str(tmp_path), **more))
    assert code == 0
    assert [line.split("  ")[0] for line in said.splitlines()] == [check.name for check in checks.TABLE]
    (role,) = [line for line in said.splitlines() if line.startswith("role")]
    assert role.split()[1] == "OK"
    assert PEPPER not in said
    assert own_url not in said


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"SPAREKEY_POLICIES": "{folder}"}, "policies            REFUSED  the set does not load"),
        ({"SPAREKEY_PEPPER": "hunter2-hunter2"}, "settings  REFUSED  SPAREKEY_PEPPER: write"),
        ({"SPAREKEY_LIMIT_NO_SUCH": "1"}, "Error: SPAREKEY_LIMIT_NO_SUCH: there is no such limit"),
        (
            {"SPAREKEY_DATABASE_URL": "postgresql://a:hunter2-@127.0.0.1:1/x"},
            "database            REFUSED  no connection",
        ),
    ],
)
async def test_doctor_says_what_else_would_stop_the_start(
    database_url: str, tmp_path: Path, given: dict[str, str], expected: str
) -> None:
    (tmp_path / "policy.yaml").write_text("format: [")
    own = environment(database_url, DATA_DIR=str(tmp_path)) | {
        name: value.format(folder=tmp_path) for name, value in given.items()
    }
    code, said = await sparekey("doctor", **own)
    assert code == 1
    assert expected in said
    assert "hunter2" not in said


def test_refusals_are_raised_and_warnings_logged(
    tmp_path: Path, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = as_application(database_url)
    refuse_unsafe(settings_of(tmp_path, SPAREKEY_GRAPHIQL="on"), url, lambda: datetime.now(UTC))
    assert [record.name for record in caplog.records] == ["sparekey.checks"]
    with pytest.raises(Unsafe, match=r"^clock: it is 600 s ahead of ours: set both machines by NTP$"):
        refuse_unsafe(settings_of(tmp_path), url, lambda: datetime.now(UTC) - timedelta(seconds=600.2))
