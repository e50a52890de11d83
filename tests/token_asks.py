"""Connect tokens as their agent sees them, and the one answer that a practice gets for every failure."""

from __future__ import annotations

from typing import Any

from tests.stored import rows
from tests.town import Agency

ISSUED = """
... on IssueTokenSuccess { code token { id letters spoken status attemptsRemaining label externalRef expiresAt } }
... on InvalidInput { field } ... on LimitReached { limit }
"""
TOKENS = """
query ($id: ID!, $live: Boolean) {
  agent(id: $id) { tokens(live: $live) { id letters status attemptsRemaining engagement { id } } }
}
"""
REJECTED = {
    "__typename": "TokenRejected",
    "problem": "TOKEN_REJECTED",
    "message": "these letters and this code do not open anything; ask the agent for a new token",
}


async def issue(acme: Agency, **typed: Any) -> Any:
    return await acme.admin.do("issueToken", ISSUED, agentId=acme.id, **typed)


async def seen_by_the_agent(acme: Agency, letters: str) -> tuple[str, int]:
    """Status and attempts left of the newest token with these letters."""
    agent = await acme.admin.ask(TOKENS, id=acme.id, live=False)
    token = next(token for token in agent["tokens"] if token["letters"] == letters)
    return token["status"], token["attemptsRemaining"]


async def cancel(acme: Agency, letters: str) -> Any:
    (row,) = await rows("SELECT id::text FROM connect_tokens WHERE letters = $1", letters)
    return await acme.admin.do("cancelToken", "... on CancelTokenSuccess { token { status } }", tokenId=row["id"])
