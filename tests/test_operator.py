"""Naming the platform's operators, which whoever runs the server does from the command line."""

from __future__ import annotations

import os

from operations.policy import activate
from tests.processes import ran
from tests.stored import events
from tests.town import Town


async def command(url: str, *words: str) -> tuple[int, str]:
    code, said = await ran(["operator", *words], {**os.environ, "SPAREKEY_DATABASE_URL": url})
    return code, said.strip()


async def test_an_operator_is_named_and_verifies_until_removed(town: Town, database_url: str) -> None:
    olga = await town.person("olga@platform.example")
    await activate(town.policy, "a test", town.clock.now)
    acme = await town.agency(verified=False)
    assert (await olga.do("verifyAgent", "", agentId=acme.id))["problem"] == "NOT_FOUND"
    assert await command(database_url, "Olga@platform.example") == (0, "done")
    assert (await olga.do("verifyAgent", "", agentId=acme.id))["__typename"] == "AgentSuccess"
    assert await command(database_url, "olga@platform.example") == (0, "nothing to do")
    assert await command(database_url, "olga@platform.example", "--remove") == (0, "done")
    assert (await olga.do("verifyAgent", "", agentId=acme.id))["problem"] == "NOT_FOUND"
    named, removed = await events("user.operator_set")
    assert (named["after"], removed["after"]) == ({"operator": True}, {"operator": False})
    assert named["policy_digest"] == town.policy.digest


async def test_nobody_becomes_an_operator_without_an_account(town: Town, database_url: str) -> None:
    code, said = await command(database_url, "nobody@platform.example")
    assert (code, said) == (1, "Error: nobody has an account with this e-mail; they sign up first")
