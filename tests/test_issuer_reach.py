"""How far a trusted issuer's token reaches: what it never gives, whoever it names, and what the settings may add."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from authz.load import load
from authz.policy import Policy
from models import Identity, User
from models.asyncpg_client import AsyncpgClient
from models.tenancy import NOBODY
from resolvers.actors import load_actor
from resolvers.credential import Claims, Kind, of_secret
from tests.factors import begin
from tests.issuer import SUBJECT
from tests.keys import MADE, REFUSED, member_of
from tests.policy_variants import variant
from tests.statements import ITS_OWN, SAID, noted
from tests.stored import events
from tests.test_issuer_people import AMY, ASK, Place, placed
from tests.test_second_factor_required import MINE, REQUIRED
from tests.town import START, Agency, Client, Clock, House


@pytest.fixture
async def both(database: AsyncpgClient, clock: Clock) -> AsyncIterator[Place]:
    async with placed(clock, link_by_email=True, create_users=True) as place:
        yield place


async def written_for(place: Place, database: AsyncpgClient) -> set[str]:
    """What was said to PostgreSQL of whom it asks, before each write of the first meeting with Amy."""
    its_own = tuple(words for words in ITS_OWN if words not in SAID)
    async with noted(database, its_own) as statements:
        assert await place.who() == AMY
    said = [index for index, text in enumerate(statements) if text.startswith(SAID)]
    written = [index for index, text in enumerate(statements) if text.strip().startswith(("INSERT", "UPDATE"))]
    assert len(written) >= 4, "a user or none, an identity, an event, and twice the end of its chain"
    return {statements[max(before for before in said if before < index)] for index in written}


@pytest.mark.parametrize("has_account", [True, False])
async def test_a_first_meeting_is_written_for_nobody_and_so_past_no_tenants_wall(
    both: Place, database: AsyncpgClient, has_account: bool
) -> None:
    if has_account:
        await both.user()
    assert await written_for(both, database) == {NOBODY.settings(local=True)}
    assert (await Identity.all().count(), len(await events())) == (1, 1)


async def test_a_token_beside_a_cookie_is_refused_though_each_alone_is_right(both: Place) -> None:
    """And a page that has somebody's cookie cannot ask as somebody else."""
    ann, amy = await both.town.person("ann@elm.example"), both.client()
    assert (await ann.ask(ASK))["user"]["email"] == "ann@elm.example"
    assert (await amy.ask(ASK))["user"]["email"] == AMY
    ann.http.headers["Authorization"] = amy.http.headers["Authorization"]
    response = await ann.send(ASK)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (400, "SEVERAL_CREDENTIALS")


PRACTICES = "{ practices { totalCount } }"


async def test_who_became_an_operator_after_the_link_is_none_by_a_token(both: Place) -> None:
    """An operator is past every tenant's wall, and so would be whoever controls the issuer."""
    await both.town.practice()
    ann = await both.town.person("ann@elm.example")
    assert await both.who(ann.email) == ann.email
    await User.filter(id=ann.user_id).update(operator=True)
    assert (await both.client(ann.email, jti="a new one").ask(PRACTICES))["totalCount"] == 0
    assert (await (await both.town.person(ann.email)).ask(PRACTICES))["totalCount"] == 1


async def create_key(place: Place, **said: Any) -> Any:
    acme = await place.town.agency()
    admin, member = place.client(acme.admin.email, **said), await member_of(Agency(acme.id, acme.admin))
    typed = {"agentId": acme.id, "memberId": member, "label": "Platform", "scopes": ["claims.submit"]}
    return (await admin.do("createApiKey", f"{MADE} {REFUSED}", **typed))["__typename"]


async def test_a_token_is_no_recent_password_whatever_it_says_of_signing_in(both: Place) -> None:
    now = int(both.town.clock.now.timestamp())
    assert await create_key(both, auth_time=now, amr=["pwd", "otp", "mfa"]) == "StepUpRequired"


@pytest.mark.parametrize(
    ("ago", "kind"), [(30, "ApiKeySuccess"), (600, "ApiKeySuccess"), (601, "StepUpRequired"), (None, "StepUpRequired")]
)
async def test_an_issuer_that_proves_sign_in_is_asked_how_long_ago_it_was(
    database: AsyncpgClient, clock: Clock, ago: int | None, kind: str
) -> None:
    async with placed(clock, link_by_email=True, proves_sign_in=True) as place:
        signed_in = None if ago is None else int(clock.now.timestamp()) - ago
        assert await create_key(place, auth_time=signed_in) == kind


async def test_no_issuer_adds_a_second_factor_which_would_outlive_the_trust_in_it(
    database: AsyncpgClient, clock: Clock
) -> None:
    async with placed(clock, link_by_email=True, proves_sign_in=True) as place:
        ann = await place.town.person("ann@elm.example")
        amy = place.client(ann.email, auth_time=int(clock.now.timestamp()), amr=["mfa"])
        assert (await begin(amy))["problem"] == "STEP_UP_REQUIRED"
        assert (await begin(await place.town.person(ann.email)))["__typename"] == "BeginTotpSuccess"


async def seen(client: Client, house: House) -> tuple[bool, bool]:
    """Whether roles wait for a second factor, and whether the owner's are there."""
    mine = await client.ask(MINE, id=house.id)
    assert (mine["session"], mine["staffOf"]["totalCount"]) == (None, 1)
    return mine["secondFactorRequired"], "staff.add" in mine["permissions"]


@pytest.mark.parametrize(
    ("proves", "methods", "expected"),
    [
        (False, ["pwd", "otp", "mfa"], (True, False)),
        (True, ["pwd"], (True, False)),
        (True, None, (True, False)),
        (True, ["pwd", "otp"], (False, True)),
    ],
)
async def test_a_sensitive_role_waits_for_a_second_factor_that_the_settings_let_the_issuer_tell_of(
    database: AsyncpgClient, clock: Clock, tmp_path: Path, proves: bool, methods: Any, expected: tuple[bool, bool]
) -> None:
    policy = load(variant(tmp_path / "set", REQUIRED))
    async with placed(clock, policy, link_by_email=True, proves_sign_in=proves) as place:
        house = await place.town.practice()
        assert await seen(place.client(house.owner.email, amr=methods), house) == expected


async def test_a_token_that_is_over_is_nobody_also_where_no_issuer_is_asked_again(both: Place) -> None:
    """The one whom memory or a connection that stays would still know."""
    assert await both.who() == AMY

    async def policy_at(activation: int) -> Policy:
        return both.town.policy

    async def is_there(until: timedelta) -> bool:
        claims = Claims(both.issuer.url, SUBJECT, START + until)
        shown = of_secret(Kind.ISSUER, "a token", claims)
        return await load_actor(shown, policy_at, START, address="", idle_seconds=900) is not None

    assert await is_there(timedelta(microseconds=1))
    assert not await is_there(timedelta(0))
