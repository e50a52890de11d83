"""Who may watch what, and how the watching ends when they may not any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from graphql import parse

from models import AgentMember, ConnectToken, StaffMember
from resolvers import subscription
from resolvers.credential import Kind, of_secret
from resolvers.execution import RequestFacts
from resolvers.schema import schema
from tests.callers import CALLERS, World
from tests.live import CHANGED, ENGAGEMENTS, TOKEN, listened, served, streamed_event, told, watching
from tests.socket_door import socket
from tests.test_event_stream import SOON, codes, streamed
from tests.town import START, Agency, Client, House, Town

Cut = Callable[[House, Agency, Client], Awaitable[Any]]


async def _departs(house: House, agent: Agency, who: Client) -> None:
    await AgentMember.filter(user_id=who.user_id).update(departed_at=START)


async def _is_removed(house: House, agent: Agency, who: Client) -> None:
    await StaffMember.filter(user_id=who.user_id).update(removed_at=START)


async def _becomes_a_scheduler(house: House, agent: Agency, who: Client) -> None:
    await StaffMember.filter(user_id=who.user_id).update(roles=["scheduler"])


CUTS: dict[str, tuple[str, Cut, str]] = {
    "a member departs": (CHANGED, _departs, "NOT_FOUND"),
    "a member departs while a token is watched": (TOKEN, _departs, "NOT_FOUND"),
    "somebody leaves the staff": (ENGAGEMENTS, _is_removed, "NOT_FOUND"),
    "somebody loses the role for it": (ENGAGEMENTS, _becomes_a_scheduler, "NOT_PERMITTED"),
}


@pytest.mark.parametrize("cut", CUTS)
async def test_who_may_not_see_it_any_more_is_told_nothing_and_the_watching_ends_within_a_second(
    town: Town, elm_street: House, acme: Agency, cut: str
) -> None:
    document, work, code = CUTS[cut]
    if document is ENGAGEMENTS:
        watcher = await town.staff(elm_street, "mia@elm.example", "manager")
    else:
        watcher = await town.member(acme, "max@acme.example")
    letters, _ = await acme.issue()
    ids = {"agent": acme.id, "practice": elm_street.id, "token": str((await ConnectToken.get(letters=letters)).id)}
    variables = {name: key for name, key in ids.items() if f"${name}" in document}
    (about,) = variables.items()
    async with served(town) as port, watching(port, watcher, document, **variables) as peer:
        async with streamed(port, document, variables, cookie=watcher.reference) as stream:
            if document is TOKEN:
                await told(peer)
                await streamed_event(stream)
            await listened(" ".join(about), 2)
            await work(elm_street, acme, watcher)
            await town.engage(elm_street, acme)  # something that would be told
            async with asyncio.timeout(SOON):
                refused = await peer.hear()
                _, result = await stream.event()
        await listened(" ".join(about), 0)
    assert refused["type"] == "error"
    assert refused["payload"][0]["extensions"]["code"] == code
    assert codes(result) == [code]


# Who may begin each of them, at their own place. Everybody else is refused as by the field's guard.
MAY = {
    CHANGED: {"agent admin", "agent member", "program"},
    TOKEN: {"agent admin", "agent member", "program"},
    ENGAGEMENTS: {"owner", "manager", "operator"},
}
PLACES = ("own", "other", "unknown")


@pytest.mark.parametrize("document", MAY, ids=["changed", "tokenChanged", "engagementChanged"])
async def test_who_may_watch_what(world: World, document: str) -> None:
    kind = next(name for name in ("agent", "practice", "token") if f"${name}" in document)
    found = {
        (place, caller): await began(world, document, kind, place, caller) for place in PLACES for caller in CALLERS
    }
    assert {caller for (place, caller), said in found.items() if place == "own" and said == "ok"} == MAY[document]
    outsiders = [caller for caller in CALLERS if caller not in ("nobody", "disabled", "other owner", "operator")]
    for caller in outsiders:
        assert found["other", caller] == found["unknown", caller] == "NOT_FOUND", caller
    assert {found[place, caller] for place in PLACES for caller in ("nobody", "disabled")} == {"NOT_SIGNED_IN"}
    if document is ENGAGEMENTS:  # who works in the practice from outside does not see who else does
        assert found["own", "agent member"] == found["own", "desk worker"] == "NOT_FOUND"
    if document is CHANGED:  # the practice sees its agent, and not its books
        assert found["own", "owner"] == found["own", "operator"] == "NOT_PERMITTED"


async def began(world: World, document: str, kind: str, place: str, caller: str) -> str:
    client = world.browser(caller)
    bearer = client.http.headers.get("Authorization", "").removeprefix("Bearer ")
    credential = of_secret(Kind.API_KEY, bearer) if bearer else client.credential
    context = await world.town.open_context(RequestFacts(credential, "127.0.0.1", world.town.clock.now, "request"))
    executor = schema.executor(parse(document), None, {kind: world.ids[f"{kind} {place}"]}, context)
    assert not isinstance(executor, list)
    try:
        await subscription.check(executor)
    except subscription.NotBegun as refused:
        return str(getattr(refused.errors[0].original_error, "code", refused.errors[0]))
    return "ok"


async def test_one_operation_watches_one_thing_and_costs_what_one_event_costs(town: Town) -> None:
    two = "subscription { a: engagementChanged(practiceId: 1) { id } b: engagementChanged(practiceId: 2) { id } }"
    owner = (await town.practice()).owner
    async with served(town) as port, socket(port, cookie=f"sparekey={owner.reference}") as peer:
        await peer.subscribe("1", two)
        refused = await peer.hear()
        assert refused["payload"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        await peer.subscribe("2", ENGAGEMENTS, variables={"practice": str(owner.user_id)})
        assert (await peer.hear())["payload"][0]["extensions"]["code"] == "NOT_FOUND"
    said = await owner.refusal(ENGAGEMENTS, practice=owner.user_id)
    assert said["extensions"]["code"] == "OPERATION_NOT_FOUND"
    assert "text/event-stream" in said["message"]
