"""What goes on, told to whoever watches: over a WebSocket and as server-sent events, and not a moment too long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from graphql import parse

from models import AgentMember, ConnectToken, Engagement, StaffMember
from models.connection import listening
from resolvers import subscription
from resolvers.context import Context, Sessions, open_context
from resolvers.credential import Kind, of_secret
from resolvers.execution import RequestFacts
from resolvers.schema import schema
from tests import http_door
from tests.callers import CALLERS, World
from tests.socket_door import Peer, socket
from tests.stored import as_owner
from tests.test_changes import FEED, connected, something_happens
from tests.test_event_stream import SOON, Stream, codes, streamed
from tests.test_listening import KILL
from tests.town import START, Agency, Client, House, Town, wrong

CHANGED = (
    "subscription ($agent: ID!, $after: String) { changed(agentId: $agent, after: $after) { cursor type status } }"
)
ENGAGEMENTS = """subscription ($practice: ID!) { engagementChanged(practiceId: $practice) {
    id status version agent { legalName } externalRef roles { role { key } } } }"""
TOKEN = """subscription ($token: ID!) { tokenChanged(tokenId: $token) {
    status attemptsRemaining engagement { status } } }"""
quickly = pytest.mark.usefixtures("quick_hash")


@asynccontextmanager
async def served(town: Town) -> AsyncIterator[int]:
    async def opened(request: RequestFacts) -> Context:
        return await open_context(request, town.policy, START, Sessions(900, 43_200))

    async with http_door.served(schema=schema, open_context=opened, clock=town.clock) as port:
        yield port


@asynccontextmanager
async def watching(port: int, client: Client, document: str, **variables: Any) -> AsyncIterator[Peer]:
    async with socket(port, cookie=f"sparekey={client.reference}") as peer:
        await peer.subscribe("1", document, variables=variables)
        yield peer


async def told(peer: Peer) -> Any:
    """What the next event says."""
    heard = await peer.hear()
    assert heard["type"] == "next", heard
    assert "errors" not in heard["payload"], heard
    (value,) = heard["payload"]["data"].values()
    return value


async def streamed_event(stream: Stream) -> Any:
    _, result = await stream.event()
    (value,) = result["data"].values()
    return value


@quickly
async def test_whoever_comes_back_with_a_cursor_misses_nothing_and_hears_what_comes(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    start = (await acme.admin.ask(FEED, agent=acme.id))["cursor"]
    async with served(town) as port:
        async with watching(port, acme.admin, CHANGED, agent=acme.id, after=start) as peer:
            set_ = (await elm_street.owner.set_roles(engagement, "biller"))["engagement"]
            seen = await told(peer)
            assert (seen["type"], seen["status"]) == ("engagement.roles_set", "AWAITING_AGREEMENT")
        await elm_street.owner.set_roles(set_, "auditor")
        await elm_street.owner.revoke(engagement)
        async with watching(port, acme.admin, CHANGED, agent=acme.id, after=seen["cursor"]) as peer:
            missed = [await told(peer) for _ in range(2)]
            again = await town.engage(elm_street, acme)
            live = await told(peer)
    assert [each["type"] for each in missed] == ["engagement.roles_set", "engagement.ended"]
    assert [each["status"] for each in missed] == ["ENDED", "ENDED"]  # where it stands now
    assert (live["type"], live["status"]) == ("engagement.started", "AWAITING_ROLES")
    whole = await acme.admin.ask(FEED, agent=acme.id)
    assert [each["cursor"] for each in [seen, *missed, live]] == [each["cursor"] for each in whole["changes"][1:]]
    assert whole["changes"][-1]["engagementId"] == again["id"]


@quickly
async def test_without_a_cursor_only_what_is_new_is_told_and_a_wrong_one_ends_it(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    async with served(town) as port, streamed(port, CHANGED, {"agent": acme.id}, cookie=acme.admin.reference) as stream:
        await listened(f"agent {acme.id}")
        await asyncio.sleep(0.1)  # it looks where the feed ends
        await elm_street.owner.revoke(engagement)
        assert (await streamed_event(stream))["type"] == "engagement.ended"
        async with watching(port, acme.admin, CHANGED, agent=acme.id, after="nonsense") as peer:
            refused = await peer.hear()
        assert refused["type"] == "error"
        assert refused["payload"][0]["extensions"]["code"] == "INVALID_INPUT"


async def listened(topic: str, number: int = 1) -> None:
    async with asyncio.timeout(5):
        while len(listening()._waiting.get(topic, ())) != number:  # noqa: ASYNC110  # what is waited for is the server's
            await asyncio.sleep(0.01)


@quickly
async def test_the_staff_page_is_told_of_its_practices_engagements_and_of_no_others(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    harbour = await town.practice("Harbour Counselling", "SHARED_OFFICE_MEMBER")
    await town.staff(harbour, elm_street.owner.email, "manager")  # who therefore may see both
    async with served(town) as port:
        stream = streamed(port, ENGAGEMENTS, {"practice": elm_street.id}, cookie=elm_street.owner.reference)
        async with stream as page, watching(port, harbour.owner, ENGAGEMENTS, practice=harbour.id) as other:
            first = await streamed_event(page)
            assert (first["id"], first["status"]) == (engagement["id"], "AWAITING_ROLES")  # of the last ten seconds
            await elm_street.owner.set_roles(engagement, "biller")
            seen = await streamed_event(page)
            elsewhere = await town.engage(harbour, acme)
            assert (await told(other))["id"] == elsewhere["id"]
            await elm_street.owner.revoke(engagement)
            assert (await streamed_event(page))["status"] == "ENDED"
            assert await other.is_well()  # and was told nothing of Elm Street
    assert seen["roles"] == [{"role": {"key": "biller"}}]
    assert (seen["version"], seen["agent"], seen["externalRef"]) == (2, {"legalName": "ACME Billing"}, None)


@quickly
async def test_what_is_told_is_what_it_is_at_that_moment(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    await Engagement.all().update(expires_at=START + timedelta(seconds=30))
    start = (await acme.admin.ask(FEED, agent=acme.id))["cursor"]
    async with served(town) as port:
        feed = watching(port, acme.admin, CHANGED, agent=acme.id, after=start)
        page = watching(port, elm_street.owner, ENGAGEMENTS, practice=elm_street.id)
        async with feed as partner, page as staff:
            assert (await told(staff))["status"] == "AWAITING_ROLES"
            await listened(f"agent {acme.id}")
            town.clock.advance(seconds=30)
            await something_happens(town, elm_street, engagement, acme)
            assert (await told(staff))["status"] == (await told(partner))["status"] == "EXPIRED"


@quickly
async def test_the_screen_during_the_call_sees_attempts_the_engagement_and_then_the_end(
    town: Town, elm_street: House, acme: Agency
) -> None:
    letters, code = await acme.issue()
    token = await ConnectToken.get(letters=letters)
    async with served(town) as port, watching(port, acme.admin, TOKEN, token=str(token.id)) as peer:
        assert await told(peer) == {"status": "ISSUED", "attemptsRemaining": 5, "engagement": None}
        await elm_street.owner.connect(elm_street, letters, wrong(code), acme)
        assert await told(peer) == {"status": "ISSUED", "attemptsRemaining": 4, "engagement": None}
        await elm_street.owner.connect(elm_street, letters, code, acme)
        while (seen := await told(peer))["status"] == "ISSUED":  # an attempt counts before it is known to be right
            assert seen["engagement"] is None
        assert seen == {"status": "CONSUMED", "attemptsRemaining": 0, "engagement": {"status": "AWAITING_ROLES"}}
        assert await peer.hear() == {"id": "1", "type": "complete"}


@quickly
@pytest.mark.parametrize("end", ["expires", "cancelled", "over"])
async def test_a_token_that_is_over_says_so_at_once(town: Town, acme: Agency, end: str) -> None:
    letters, _ = await acme.issue()
    token = await ConnectToken.get(letters=letters)
    if end == "over":
        town.clock.advance(minutes=10)
    await connected()
    async with served(town) as port, watching(port, acme.admin, TOKEN, token=str(token.id)) as peer:
        if end != "over":
            assert (await told(peer))["status"] == "ISSUED"
        if end == "expires":
            town.clock.advance(minutes=9, seconds=59)
            assert await peer.is_well()
            town.clock.advance(seconds=1)
        if end == "cancelled":
            await acme.admin.do("cancelToken", "", tokenId=str(token.id))
        async with asyncio.timeout(SOON):
            assert (await told(peer))["status"] == ("CANCELLED" if end == "cancelled" else "EXPIRED")
            assert (await peer.hear())["type"] == "complete"


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


@quickly
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


@quickly
async def test_while_nothing_is_heard_nothing_is_missed(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    """The connection that listens is ended from outside, again and again, while things happen."""
    start = (await acme.admin.ask(FEED, agent=acme.id))["cursor"]
    async with served(town) as port:
        feed = watching(port, acme.admin, CHANGED, agent=acme.id, after=start)
        page = watching(port, elm_street.owner, ENGAGEMENTS, practice=elm_street.id)
        async with feed as partner, page as staff:
            await told(staff)
            for turn in range(4):
                await as_owner(KILL)
                role = "auditor" if turn % 2 else "biller"
                engagement = (await elm_street.owner.set_roles(engagement, role))["engagement"]
                if turn == 2:
                    await as_owner(KILL)
                async with asyncio.timeout(2):
                    assert (await told(partner))["type"] == "engagement.roles_set"
                    assert (await told(staff))["version"] == engagement["version"]


# Who may begin each of them, at their own place. Everybody else is refused as by the field's guard.
MAY = {
    CHANGED: {"agent admin", "agent member", "program"},
    TOKEN: {"agent admin", "agent member", "program"},
    ENGAGEMENTS: {"owner", "manager", "operator"},
}
PLACES = ("own", "other", "unknown")


@pytest.mark.usefixtures("quick_passwords")
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
