"""Naming the platform's operators, which whoever runs the server does from the command line."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from operations.policy import activate
from tests.stored import events
from tests.town import Town

CHECKOUT = Path(__file__).parents[1]


async def command(url: str, *words: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from server.command import main; main()", "operator", *words),
        cwd=CHECKOUT,
        env={**os.environ, "SPAREKEY_DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode().strip()


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
