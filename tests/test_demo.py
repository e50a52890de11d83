"""The demo: what whoever opens GraphiQL after `make serve` finds there, made as the API would have made it."""

from __future__ import annotations

from typing import Any

from server.demo import PASSWORD, accounts, load_demo
from tests.stored import chains_hold
from tests.town import Client, Town

MINE = """{ practices(first: 5) { nodes { name engagements(first: 5) { nodes {
    status agent { legalName } blockers { code } agreement { state }
    assignments { member { user { email } } } requestedRoles { roles { key } }
} } } } }"""


async def signed_in(town: Town, email: str) -> Client:
    visitor = town.visitor()
    answer = await visitor.do("signIn", "", email=email, password=PASSWORD)
    assert answer["__typename"] == "SignInSuccess"
    return visitor


async def seen(town: Town, email: str) -> tuple[str, dict[str, Any]]:
    """The one practice that this person sees, and its one engagement."""
    (house,) = (await (await signed_in(town, email)).ask(MINE))["nodes"]
    (engagement,) = house["engagements"]["nodes"]
    return house["name"], engagement


async def test_each_practice_of_the_demo_has_an_agent_in_another_state(town: Town) -> None:
    assert await load_demo(town.policy, town.clock.now)
    name, working = await seen(town, "owner@elm.example")
    assert (name, working["status"], working["blockers"]) == ("Elm Street Therapy", "ACTIVE", [])
    assert (working["agent"]["legalName"], working["agreement"]["state"]) == ("ACME Billing", "IN_FORCE")
    assert working["assignments"] == [{"member": {"user": {"email": "member@acme.example"}}}]
    assert working["requestedRoles"] == {"roles": [{"key": "biller"}, {"key": "manager"}]}
    _, waived = await seen(town, "owner@harbour.example")
    assert (waived["status"], waived["blockers"], waived["agreement"]["state"]) == ("ACTIVE", [], "WAIVED")
    _, waiting = await seen(town, "owner@northside.example")
    assert (waiting["status"], waiting["agreement"]["state"]) == ("AWAITING_AGREEMENT", "REQUESTED")
    assert [blocker["code"] for blocker in waiting["blockers"]] == ["AGREEMENT_MISSING", "MEMBER_NOT_ASSIGNED"]
    assert await chains_hold() > 0


async def test_a_database_with_people_in_it_is_left_alone(town: Town) -> None:
    await town.person("ann@elm.example")
    assert not await load_demo(town.policy, town.clock.now)
    answer = await town.visitor().do("signIn", "", email=accounts()[0], password=PASSWORD)
    assert answer["problem"] == "SIGN_IN_FAILED"
