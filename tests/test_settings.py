from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from server.settings import PEPPER_BYTES, SettingsInvalid, from_environment

SECRET = "hunter2-hunter2"
ODD_SITES = (
    *("keys.example.org", "http://keys.example.org", "https://keys.example.org/login", "https://192.0.2.7", "https://"),
    *("https://keys.example.org?a", "https://a@keys.example.org", "https://keys..org", "https://k.example.org:0", "-"),
)


def test_an_empty_environment_is_development_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = from_environment({"PORT": "", "SPAREKEY_POLICIES": str(tmp_path)})
    assert (settings.host, settings.port, settings.data_dir) == ("127.0.0.1", 8000, tmp_path / ".data")
    assert settings.database_url is None
    assert settings.development
    assert settings.graphiql
    assert settings.public_url == "http://localhost:8000"
    assert (settings.session_idle_seconds, settings.session_absolute_seconds) == (900, 43_200)


def test_developments_pepper_is_made_once_and_is_for_its_account_alone(tmp_path: Path) -> None:
    environment = {"DATA_DIR": str(tmp_path / "data"), "SPAREKEY_POLICIES": str(tmp_path)}
    first, second = from_environment(environment), from_environment(environment)
    assert first.pepper == second.pepper
    assert len(first.pepper) >= PEPPER_BYTES
    file = tmp_path / "data" / "pepper"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(tmp_path / "data") == ["pepper"]


def test_a_given_pepper_is_used_and_none_is_written(tmp_path: Path) -> None:
    pepper = "0123456789abcdefghijklmnopqrstuv"
    environment = {"DATA_DIR": str(tmp_path), "SPAREKEY_POLICIES": str(tmp_path), "SPAREKEY_PEPPER": pepper}
    assert from_environment(environment | {"SPAREKEY_MODE": "production"}).pepper == pepper.encode()
    assert os.listdir(tmp_path) == []


def test_production_does_not_start_without_a_pepper(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="SPAREKEY_PEPPER: is required in production"):
        from_environment({"SPAREKEY_MODE": "production", "DATA_DIR": str(tmp_path), "SPAREKEY_POLICIES": str(tmp_path)})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "eighty"),
        ("PORT", "8_000"),
        ("PORT", "٨٠"),
        ("PORT", "9" * 5000),
        ("SPAREKEY_MODE", "prod"),
        ("SPAREKEY_GRAPHIQL", "yes"),
        ("SPAREKEY_POLICIES", "/no/such/folder"),
        ("SPAREKEY_PEPPER", SECRET),
        ("SPAREKEY_DATABASE_URL", f"mysql://sparekey:{SECRET}@db/sparekey"),
        ("SPAREKEY_DATABASE_URL", f"postgresql://sparekey:{SECRET}@db"),
        ("SPAREKEY_DATABASE_URL", f"postgresql://sparekey:{SECRET}@[db/sparekey"),
        ("SPAREKEY_ORIGINS", "*"),
        ("SPAREKEY_ORIGINS", "https://app.example.org/"),
        ("SPAREKEY_ORIGINS", "app.example.org"),
        ("SPAREKEY_ORIGINS", "https://App.example.org"),
        ("SPAREKEY_ORIGINS", "https://app.example.org."),
        ("SPAREKEY_ORIGINS", "https://app.example.org:443"),
        ("SPAREKEY_ORIGINS", "http://app.example.org:80"),
        ("SPAREKEY_ORIGINS", "https://app.example.org;"),
        ("SPAREKEY_ORIGINS", "https://user@app.example.org"),
        ("SPAREKEY_ORIGINS", "null"),
        *(("SPAREKEY_PUBLIC_URL", text) for text in ODD_SITES),
        ("SPAREKEY_DOCUMENTS_ONLY", "true"),
        ("SPAREKEY_DOCUMENTS_ONLY", "on"),
        ("SPAREKEY_POOL_MAX", "1"),
        ("SPAREKEY_SESSION_ABSOLUTE_SECONDS", "300"),
    ],
)
def test_a_wrong_value_names_its_variable_and_is_not_repeated(tmp_path: Path, variable: str, value: str) -> None:
    environment = {"DATA_DIR": str(tmp_path), "SPAREKEY_POLICIES": str(tmp_path), variable: value}
    with pytest.raises(SettingsInvalid) as refusal:
        from_environment(environment)
    assert refusal.value.variable == variable
    assert "write" in str(refusal.value)
    assert SECRET not in str(refusal.value)


def test_printing_the_settings_shows_no_secret(tmp_path: Path) -> None:
    environment = {
        "SPAREKEY_DATABASE_URL": f"postgresql://sparekey:{SECRET}@db/sparekey",
        "SPAREKEY_PEPPER": SECRET * 4,
        "SPAREKEY_POLICIES": str(tmp_path),
    }
    settings = from_environment(environment)
    assert settings.database_url is not None
    assert SECRET not in repr(settings)


def test_the_proxies_whose_word_is_believed_are_read(tmp_path: Path) -> None:
    environment = {"DATA_DIR": str(tmp_path), "SPAREKEY_POLICIES": str(tmp_path)}
    given = environment | {"SPAREKEY_PROXIES": "10.0.0.0/8, 192.0.2.7"}
    assert from_environment(given).proxies == ("10.0.0.0/8", "192.0.2.7")
    with pytest.raises(SettingsInvalid, match="SPAREKEY_PROXIES"):
        from_environment(environment | {"SPAREKEY_PROXIES": "the proxy"})


def test_several_origins_are_read(tmp_path: Path) -> None:
    environment = {"DATA_DIR": str(tmp_path), "SPAREKEY_POLICIES": str(tmp_path)}
    given = "https://app.example.org, http://localhost:3000, https://[::1]:8443, https://app.example:8080"
    assert from_environment(environment | {"SPAREKEY_ORIGINS": given}).origins == tuple(given.split(", "))


def test_several_manifests_are_read_and_their_paths_may_hold_spaces(tmp_path: Path) -> None:
    environment = {"DATA_DIR": str(tmp_path), "SPAREKEY_POLICIES": str(tmp_path)}
    settings = from_environment(environment | {"SPAREKEY_DOCUMENTS": f"{tmp_path}/web app.json, {tmp_path}/b.json,"})
    assert settings.documents == (tmp_path / "web app.json", tmp_path / "b.json")
    assert not settings.documents_only


def test_graphiql_is_off_where_only_stored_documents_are_answered(tmp_path: Path) -> None:
    environment = {"DATA_DIR": str(tmp_path), "SPAREKEY_POLICIES": str(tmp_path), "SPAREKEY_DOCUMENTS": "a.json"}
    only = environment | {"SPAREKEY_DOCUMENTS_ONLY": "on"}
    assert from_environment(environment).graphiql
    assert not from_environment(only).graphiql
    with pytest.raises(SettingsInvalid, match="SPAREKEY_GRAPHIQL: write off"):
        from_environment(only | {"SPAREKEY_GRAPHIQL": "on"})
