"""Who a trusted issuer's subject becomes here: linked, created or nobody, once and never somebody with more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import orjson
import pytest

from authz.policy import Policy
from models import Factor, Identity, User
from models.asyncpg_client import AsyncpgClient
from operations.identity import Vouched, make_known
from tests.canary import HOOKS
from tests.issuer import SUBJECT, Issuer, jwk, serving, trusting
from tests.keys import program
from tests.socket_door import codes, socket
from tests.sockets import behind_uvicorn
from tests.statements import noted
from tests.stored import events
from tests.test_people import is_signed_in, sign_in, sign_up
from tests.town import Client, Clock, Town, build

ASK = "{ viewer { user { email name } } }"
AMY = "amy@elm.example"


@dataclass
class Place:
    town: Town
    issuer: Issuer

    def client(self, email: str | None = AMY, **changes: Any) -> Client:
        """Whoever shows a token that says so."""
        changes = {"email": email, "email_verified": True, **changes}
        return program(self.town, self.issuer.token(self.town.clock.now, **changes))

    async def who(self, email: str | None = AMY, **changes: Any) -> str | int:
        """The address of who that is here, or the status."""
        response = await self.client(email, **changes).send(ASK)
        found: str = response.json()["data"]["viewer"]["user"]["email"] if response.status_code == 200 else ""
        return found or response.status_code

    async def user(self, email: str = AMY, **changes: Any) -> User:
        given: dict[str, Any] = {
            "name": "Amy",
            "email": email,
            "password_hash": "unusable",
            "created_at": self.town.clock.now,
        }
        return await User.create(**given | changes)


@asynccontextmanager
async def placed(clock: Clock, policy: Policy | None = None, **trust: Any) -> AsyncIterator[Place]:
    async with serving() as issuer, trusting(issuer.trusted(**trust)) as issuers:
        town = build(clock, issuers=issuers, policy=policy)
        try:
            yield Place(town, issuer)
        finally:
            for client in town.clients:
                await client.http.aclose()
            await town.remembered.close()


@pytest.fixture
async def linking(database: AsyncpgClient, clock: Clock) -> AsyncIterator[Place]:
    async with placed(clock, link_by_email=True) as place:
        yield place


@pytest.fixture
async def creating(database: AsyncpgClient, clock: Clock) -> AsyncIterator[Place]:
    async with placed(clock, create_users=True) as place:
        yield place


@pytest.fixture
async def both(database: AsyncpgClient, clock: Clock) -> AsyncIterator[Place]:
    async with placed(clock, link_by_email=True, create_users=True) as place:
        yield place


async def nobody_became_anybody(users: int) -> None:
    assert await Identity.all().count() == 0
    assert await User.all().count() == users
    assert await events() == []


async def test_who_has_an_account_with_a_verified_address_is_linked_once(linking: Place) -> None:
    user = await linking.user()
    assert await linking.who("Amy@Elm.example") == AMY
    assert await linking.who() == AMY
    (identity,) = await Identity.all()
    assert (await identity.user, identity.issuer) == (user, linking.issuer.url)
    (event,) = await events()
    assert (event["type"], event["actor_user_id"], event["party"]) == ("identity.linked", user.id, "platform")
    assert event["after"] == {"identity": str(identity.id), "issuer": linking.issuer.url}


async def test_who_opened_the_account_ahead_of_its_owner_is_out_once_it_is_linked(linking: Place) -> None:
    """Nobody's address is verified at a sign-up, so the password may be a stranger's."""
    stranger, other = linking.town.visitor(), linking.town.visitor()
    await sign_up(stranger, email=AMY)
    await sign_up(other, email="bob@elm.example")
    assert await linking.who() == AMY
    assert [await is_signed_in(each) for each in (stranger, other)] == [False, True]
    assert (await sign_in(linking.town.visitor(), email=AMY))["problem"] == "SIGN_IN_FAILED"
    assert (await sign_in(linking.town.visitor(), email="bob@elm.example"))["__typename"] == "SignInSuccess"


async def test_from_then_on_the_subject_counts_and_no_address(linking: Place) -> None:
    await linking.user()
    await linking.user("bob@elm.example")
    assert await linking.who() == AMY
    assert await linking.who("bob@elm.example") == AMY
    assert await linking.who(None) == AMY
    assert await linking.who(AMY, email_verified=False) == AMY


async def test_an_address_that_was_given_to_the_next_person_opens_nothing(linking: Place) -> None:
    await linking.user()
    assert await linking.who() == AMY
    assert await linking.who(sub="the next person") == 401
    assert await Identity.all().count() == 1


@pytest.mark.parametrize("changes", [{"email_verified": False}, {"email_verified": None}, {"email": None}])
async def test_an_unverified_address_links_and_creates_nobody(both: Place, changes: dict[str, Any]) -> None:
    await both.user()
    assert await both.who(**changes) == 401
    assert await both.who(**{"email": "new@elm.example", **changes}) == 401
    await nobody_became_anybody(users=1)


async def test_an_issuer_may_do_neither_unless_the_settings_say_so(database: AsyncpgClient, clock: Clock) -> None:
    async with placed(clock) as place:
        await place.user()
        assert await place.who() == 401
        assert await place.who("new@elm.example") == 401
    await nobody_became_anybody(users=1)


async def test_an_issuer_that_may_only_link_creates_nobody(linking: Place) -> None:
    assert await linking.who() == 401
    await nobody_became_anybody(users=0)


async def test_an_issuer_that_may_only_create_takes_nobodys_account(creating: Place) -> None:
    await creating.user()
    assert await creating.who() == 401
    await nobody_became_anybody(users=1)


async def test_an_operator_is_never_linked(both: Place) -> None:
    await both.user(operator=True)
    assert await both.who(amr=["mfa"], auth_time=int(both.town.clock.now.timestamp())) == 401
    await nobody_became_anybody(users=1)


@pytest.mark.parametrize(
    ("confirmed", "removed", "found"), [(True, False, 401), (False, False, AMY), (True, True, AMY)]
)
async def test_who_has_a_second_factor_here_is_not_linked(
    both: Place, confirmed: bool, removed: bool, found: str | int
) -> None:
    """The token's own `amr` is written by whom it is to protect against."""
    user, now = await both.user(), both.town.clock.now
    times: dict[str, Any] = {
        "added_at": now,
        "confirmed_at": now if confirmed else None,
        "removed_at": now if removed else None,
    }
    await Factor.create(user_id=user.id, kind="totp", label="Phone", secret=b"sealed", **times)
    assert await both.who(amr=["mfa"]) == found


async def test_a_disabled_user_is_neither_linked_nor_made_a_second_time(both: Place) -> None:
    await both.user(disabled_at=both.town.clock.now)
    assert await both.who() == 401
    await nobody_became_anybody(users=1)


async def test_a_linked_user_who_is_disabled_stays_out_with_any_address(both: Place, database: AsyncpgClient) -> None:
    """And nothing is even tried: who is known is on no way to an account."""
    await both.user()
    assert await both.who() == AMY
    await User.all().update(disabled_at=both.town.clock.now)
    async with noted(database) as statements:
        for address in (AMY, "new@elm.example", None):
            assert await both.who(address) == 401
    assert not any("INSERT" in text or "FOR NO KEY" in text for text in statements)
    assert (await User.all().count(), await Identity.all().count(), len(await events())) == (1, 1, 1)


async def test_who_has_no_account_gets_one_named_as_the_issuer_says(creating: Place) -> None:
    assert await creating.client(name="Amy \u202eElm").ask(ASK) == {"user": {"email": AMY, "name": "amy"}}
    assert await creating.client("bob@elm.example", sub="bob", name="Bob Elm").ask(ASK) == {
        "user": {"email": "bob@elm.example", "name": "Bob Elm"}
    }
    assert [user.password_hash for user in await User.all()] == [None, None]
    assert [event["type"] for event in await events()] == ["user.signed_up", "user.signed_up"]


async def test_who_became_known_a_moment_ago_is_there(linking: Place) -> None:
    """A request that found nobody, while another one linked the same person."""
    await linking.user()
    assert await linking.who() == AMY
    who = Vouched(linking.issuer.url, SUBJECT, AMY, None)
    assert await make_known(who, "", linking.town.clock.now, link_by_email=True, create_users=False) is True
    assert len(await events()) == 1


async def test_sixteen_first_requests_at_once_link_once(linking: Place) -> None:
    await linking.user()
    assert await asyncio.gather(*(linking.who() for _ in range(16))) == [AMY] * 16
    assert (await Identity.all().count(), len(await events())) == (1, 1)


async def test_sixteen_first_requests_at_once_create_one_user(both: Place) -> None:
    assert await asyncio.gather(*(both.who() for _ in range(16))) == [AMY] * 16
    assert (await User.all().count(), await Identity.all().count(), len(await events())) == (1, 1, 1)


async def test_of_sixteen_subjects_at_once_with_one_address_one_gets_it(both: Place) -> None:
    found = await asyncio.gather(*(both.who(sub=f"subject {each}") for each in range(16)))
    assert sorted(map(str, found)) == ["401"] * 15 + [AMY]
    assert (await User.all().count(), await Identity.all().count(), len(await events())) == (1, 1, 1)


async def test_of_sixteen_subjects_at_once_with_the_address_of_one_account_one_gets_it(linking: Place) -> None:
    await linking.user()
    found = await asyncio.gather(*(linking.who(sub=f"subject {each}") for each in range(16)))
    assert sorted(map(str, found)) == ["401"] * 15 + [AMY]
    assert (await Identity.all().count(), len(await events())) == (1, 1)


async def test_of_one_subject_with_sixteen_addresses_at_once_one_user_is_made(creating: Place) -> None:
    """What the others began is undone: no user without an identity is left."""
    found = await asyncio.gather(*(creating.who(f"amy{each}@elm.example") for each in range(16)))
    assert len(set(found)) == 1
    assert (await User.all().count(), await Identity.all().count(), len(await events())) == (1, 1, 1)


async def test_who_is_known_costs_one_query_and_from_memory_none(linking: Place, database: AsyncpgClient) -> None:
    await linking.user()
    client, other = linking.client(), linking.client(jti="another token")
    await client.ask(ASK)
    async with noted(database) as statements:
        await other.ask(ASK)
    assert len([text for text in statements if "identities" in text]) == 1
    assert not any("INSERT" in text or "FOR NO KEY" in text for text in statements)
    async with noted(database) as statements:
        await other.ask("{ practices { totalCount } }")
    assert not any("identities" in text for text in statements)


@asynccontextmanager
async def the_same_again(place: Place, seconds: int) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """An owner's page, asked for with the very same bytes, as long as memory answers it."""
    house, now = await place.town.practice(), place.town.clock.now
    exp = int(now.timestamp()) + seconds
    token = place.issuer.token(now, email=house.owner.email, email_verified=True, exp=exp)
    content = orjson.dumps({"query": "query ($id: ID!) { practice(id: $id) { name } }", "variables": {"id": house.id}})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with behind_uvicorn(place.town.app) as port, httpx2.AsyncClient(event_hooks=HOOKS, headers=headers) as http:

        async def status() -> int:
            return (await http.post(f"http://127.0.0.1:{port}/graphql", content=content)).status_code

        assert [await status() for _ in range(4)] == [200] * 4
        metrics = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
        assert "sparekey_graphql_given_again_total 0.0" not in metrics
        yield status


async def test_the_same_request_again_is_not_answered_for_a_token_that_is_over(linking: Place) -> None:
    async with the_same_again(linking, seconds=300) as status:
        linking.town.clock.advance(seconds=359)
        assert await status() == 200
        linking.town.clock.advance(seconds=1)
        assert await status() == 401


async def test_the_same_request_again_is_not_answered_for_a_key_that_was_taken_back(linking: Place) -> None:
    """Within the lifetime of the set, here ten minutes, though the token would hold for an hour."""
    async with the_same_again(linking, seconds=3_600) as status:
        linking.issuer.keys = [jwk("ES256", "two", "new")]
        linking.town.clock.advance(seconds=440)
        assert await status() == 200
        linking.town.clock.advance(seconds=160)
        assert await status() == 401


async def test_a_key_that_was_taken_back_ends_what_an_open_socket_may_ask(linking: Place) -> None:
    """And the end of its token does; until then the socket asks as before, also after the first set of keys."""
    user, clock = await linking.user(), linking.town.clock
    exp = int((clock.now + timedelta(hours=3)).timestamp())
    shown = linking.issuer.token(clock.now, email=AMY, email_verified=True, exp=exp)
    async with (
        behind_uvicorn(linking.town.app) as port,
        socket(port, begun=False, cookie=None) as peer,
    ):
        await peer.say({"type": "connection_init", "payload": {"authorization": f"Bearer {shown}"}})
        assert await peer.hear() == {"type": "connection_ack"}
        for number in ("1", "2"):
            clock.advance(seconds=601)
            await peer.subscribe(number, ASK)
            assert (await peer.hear_until("complete"))[0]["payload"]["data"]["viewer"]["user"]["name"] == user.name
        linking.issuer.keys = [jwk("ES256", "two", "new")]
        clock.advance(seconds=601)
        await peer.subscribe("3", ASK)
        assert codes(await peer.hear()) == ["NOT_SIGNED_IN"]
