"""`sparekey serve` with the file of SPAREKEY_ISSUERS: the settings, the keys and the people together."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests import policy_workers
from tests.issuer import of_json, serving
from tests.policy_variants import variant

FILE = (
    "- issuer: {url}\n  audience: sparekey\n  link_by_email: true\n  create_users: true\n  email_domains: [{domain}]\n"
)
ASK = "{ viewer { user { email } } }"


async def test_a_server_takes_the_tokens_of_the_issuers_in_its_file_and_no_others(own_url: str, tmp_path: Path) -> None:
    async with serving() as issuer, serving() as stranger:
        file = tmp_path / "issuers.yaml"
        file.write_text(FILE.format(url=issuer.url, domain="sparekey.example"))
        settings = {"SPAREKEY_ISSUERS": str(file)}
        policies, data = variant(tmp_path / "set"), tmp_path / "data"
        async with policy_workers.serving(own_url, policies, data, "development", **settings) as worker:

            async def status(token: str) -> int:
                headers = {"Authorization": f"Bearer {token}"}
                return (await worker.http.post("/graphql", json={"query": ASK}, headers=headers)).status_code

            await policy_workers.until(lambda: _fetched(issuer.asked))  # at the start, before anybody comes
            now = datetime.now(UTC)
            amy: dict[str, Any] = {"email": "amy@sparekey.example", "email_verified": True}
            unsigned = f"{of_json({'alg': 'none'})}.{of_json(issuer.claims(now, **amy))}."
            operator: dict[str, Any] = {"email": "operator@sparekey.example", "email_verified": True}
            assert await status(issuer.token(now, **amy)) == 200
            assert await status(issuer.token(now)) == 200
            assert await status(issuer.token(now, sub="operator", **operator)) == 401
            assert await status(issuer.token(now, sub="other", **amy | {"email": "amy@evil.example"})) == 401
            assert await status(stranger.token(now, **amy)) == 401
            assert await status(unsigned) == 401
        assert "Traceback" not in worker.log
        assert (issuer.fetches, stranger.asked) == (1, [])


async def _fetched(asked: list[str]) -> bool:
    return "/keys" in asked
