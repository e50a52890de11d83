"""An agreement as tests make it: each side's acts, and what came of them."""

from __future__ import annotations

from typing import Any

from tests.stored import rows
from tests.town import Agency, Client, House

SHA = "a" * 64
AGREEMENT = """
id version status permissions { key } blockers { code message waitingFor since } agreement {
    requirement basis state effectiveOn expiresOn coveredUntil documentRef documentSha256 requestedAt agentSignedAt
    practiceSignedAt trainingCompletedOn waivedAt waiveReason terminatedAt
}
"""
SAID = f"""
... on EngagementSuccess {{ engagement {{ {AGREEMENT} }} }} ... on InvalidInput {{ field }}
... on NotPermitted {{ permission heldBy {{ key }} }} ... on EngagementEnded {{ endReason }}
... on StaleVersion {{ current {{ version }} }}
"""


class Parties:
    """A practice and an agent with an engagement between them."""

    def __init__(self, house: House, agency: Agency, engagement: dict[str, Any]) -> None:
        self.owner, self.admin, self.id = house.owner, agency.admin, engagement["id"]
        self.house, self.agency = house, agency

    async def request(self, **typed: Any) -> Any:
        return await self._does(self.owner, "requestAgreement", **typed)

    async def sign(self, **typed: Any) -> Any:
        said = {"documentRef": "cabinet 7", "documentSha256": SHA, **typed}
        return await self._does(self.admin, "signAgreement", **said)

    async def record(self, **typed: Any) -> Any:
        said = {"basis": "BAA", "effectiveOn": "2026-11-23", **typed}
        return await self._does(self.owner, "recordAgreement", **said)

    async def train(self, completed: str | None = "2026-11-01", **typed: Any) -> Any:
        return await self.record(basis="WORKFORCE_TRAINING", trainingCompletedOn=completed, **typed)

    async def waive(self, **typed: Any) -> Any:
        return await self._does(self.owner, "waiveAgreement", **{"reason": "one afternoon a month", **typed})

    async def terminate(self, version: int | None = None, **typed: Any) -> Any:
        seen = await self.version() if version is None else version
        return await self._does(self.owner, "terminateAgreement", expectedVersion=seen, **typed)

    async def version(self) -> int:
        (row,) = await rows("SELECT version FROM engagements WHERE id = $1", self.id)
        return int(row["version"])

    async def look(self, client: Client | None = None) -> Any:
        query = f"query ($id: ID!) {{ engagement(id: $id) {{ {AGREEMENT} }} }}"
        return await (client or self.owner).ask(query, id=self.id)

    async def state(self) -> tuple[str, str]:
        found = await self.look()
        return found["status"], found["agreement"]["state"]

    async def _does(self, client: Client, mutation: str, **typed: Any) -> Any:
        return await client.do(mutation, SAID, engagementId=self.id, **typed)


def state_of(answer: dict[str, Any]) -> str:
    assert answer["__typename"] == "EngagementSuccess", answer
    return str(answer["engagement"]["agreement"]["state"])


def blockers(engagement: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["code"], each["waitingFor"], each["since"]) for each in engagement["blockers"]]
