"""GraphiQL and the health pages."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Mapping

import pytest

import limits
from tests.http_door import door

HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


async def test_a_browser_gets_graphiql_in_development() -> None:
    async with door() as caller:
        response = await caller.client.get("/graphql", headers=HTML)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "GraphiQL.createFetcher" in response.text
    assert "<title>Sparekey GraphiQL</title>" in response.text


async def test_graphiql_may_load_its_scripts_and_nothing_else() -> None:
    async with door() as caller:
        response = await caller.client.get("/graphql", headers=HTML)
    policy = response.headers["content-security-policy"]
    [scripts] = re.findall(r"script-src ([^;]*)", policy)
    assert "unsafe" not in scripts
    for inline in re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'" in scripts
    for source in re.findall(r'<script[^>]* src="([^"]*)"', response.text):
        assert source.startswith("https://unpkg.com/")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"development": False}, 405), ({"development": False, "graphiql": True}, 200), ({"graphiql": False}, 405)],
)
async def test_graphiql_is_off_in_production_unless_asked_for(changes: dict[str, bool], status: int) -> None:
    async with door(**changes) as caller:
        assert (await caller.client.get("/graphql", headers=HTML)).status_code == status


async def test_livez_answers_whatever_the_database_does() -> None:
    async def ready() -> Mapping[str, bool]:
        raise ConnectionError

    async with door(ready=ready) as caller:
        response = await caller.client.get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_readyz_names_its_checks() -> None:
    async with door() as caller:
        response = await caller.client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "checks": {"database": True, "policy": True}}


async def test_readyz_is_503_when_one_check_fails() -> None:
    async def ready() -> Mapping[str, bool]:
        return {"database": True, "migrations": False}

    async with door(ready=ready) as caller:
        response = await caller.client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "checks": {"database": True, "migrations": False}}


async def test_readyz_is_503_when_a_check_raises() -> None:
    async def ready() -> Mapping[str, bool]:
        raise ConnectionError("password=hunter2")

    async with door(ready=ready) as caller:
        response = await caller.client.get("/readyz")
    assert response.status_code == 503
    assert "hunter2" not in response.text


async def test_readyz_is_503_when_a_check_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ready() -> Mapping[str, bool]:
        await asyncio.sleep(60)
        return {}

    monkeypatch.setattr(limits, "LIMITS", limits.read({"SPAREKEY_LIMIT_READINESS_SECONDS": "1"}))
    async with door(ready=ready) as caller:
        response = await caller.client.get("/readyz")
    assert response.status_code == 503
