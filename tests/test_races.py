"""What happens when people press the button at the same moment. PostgreSQL decides, and decides once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable
from contextvars import Context
from dataclasses import replace
from typing import Any

import pytest
from tortoise.backends.asyncpg.client import AsyncpgDBClient

import limits
from operations import connect
from tests.stored import copied, events, rows
from tests.town import INVITED, Agency, Client, House, Town, wrong


@pytest.fixture(params=["slow hash", "quick hash"])
def hashing(request: pytest.FixtureRequest) -> None:
    """The slow hash lets callers through two at a time; without it they all arrive at the database together."""
    if request.param == "slow hash":
        request.getfixturevalue("slow_hashes")


async def at_once(attempts: Iterable[Awaitable[Any]]) -> tuple[list[Any], Counter[str]]:
    """All answers, and how many of which type."""
    answers = await asyncio.gather(*attempts)
    return answers, Counter(answer["__typename"] for answer in answers)


async def people(town: Town, house: House, number: int) -> list[Client]:
    """The owner and managers of one practice, each at an address of their own."""
    found = [await town.person(house.owner.email, address="192.0.2.1")]
    for n in range(1, number):
        await town.staff(house, f"manager{n}@{house.id}.example", "manager")
        found.append(await town.person(f"manager{n}@{house.id}.example", address=f"192.0.2.{n + 1}"))
    return found


async def token_of(letters: str) -> dict[str, Any]:
    (token,) = await rows("SELECT state, attempts, engagement_id FROM connect_tokens WHERE letters = $1", letters)
    return token


# --- connecting


@pytest.mark.usefixtures("hashing")
@pytest.mark.parametrize("callers", [1, 4])
async def test_of_sixteen_connections_at_once_with_one_token_one_succeeds(
    town: Town, elm_street: House, acme: Agency, callers: int
) -> None:
    letters, code = await acme.issue()
    clients = (await people(town, elm_street, callers)) * (16 // callers)
    _, count = await at_once(client.connect(elm_street, letters, code, acme) for client in clients)
    assert count["ConnectAgentSuccess"] == 1
    assert set(count) <= {"ConnectAgentSuccess", "TokenRejected", "RateLimited", "AlreadyEngaged"}
    (engagement,) = await rows("SELECT id FROM engagements")
    assert len(await events("engagement.started")) == 1
    token = await token_of(letters)
    assert (token["state"], token["engagement_id"]) == ("consumed", engagement["id"])


async def test_one_token_typed_in_two_practices_at_once_connects_one(
    town: Town, elm_street: House, acme: Agency
) -> None:
    harbour = await town.practice("Harbour Counselling")
    letters, code = await acme.issue()
    _, count = await at_once(
        house.owner.connect(house, letters, code, acme) for house in (elm_street, harbour) for _ in range(4)
    )
    assert count == {"ConnectAgentSuccess": 1, "TokenRejected": 7}
    assert len(await rows("SELECT FROM engagements")) == 1
    assert len(await events("engagement.started")) == 1


@pytest.mark.usefixtures("hashing")
async def test_forty_wrong_guesses_at_once_by_many_cost_the_token_five_attempts_and_lock_it(
    town: Town, acme: Agency
) -> None:
    letters, code = await acme.issue()
    guessers = []
    for n in range(4):
        house = await town.practice(f"House{n} Therapy")
        guessers += [(house, client) for client in await people(town, house, 2)]
    _, count = await at_once(
        client.preview(house, letters, wrong(code, by))
        for by, (house, client) in enumerate((guesser for guesser in guessers for _ in range(5)), start=1)
    )
    assert count == {"TokenRejected": 40}
    assert await token_of(letters) == {"state": "issued", "attempts": 5, "engagement_id": None}
    fresh = await town.practice("Fresh Therapy")
    assert (await fresh.owner.connect(fresh, letters, code, acme))["problem"] == "TOKEN_REJECTED"


@pytest.mark.usefixtures("hashing")
async def test_forty_wrong_guesses_at_once_by_one_lock_the_token_and_the_guesser(
    town: Town, elm_street: House, acme: Agency
) -> None:
    letters, code = await acme.issue()
    owner = elm_street.owner
    _, count = await at_once(owner.preview(elm_street, letters, wrong(code, by)) for by in range(1, 41))
    assert count == {"TokenRejected": 10, "RateLimited": 30}
    assert (await token_of(letters))["attempts"] == 5
    spent = await rows("SELECT scope, short_count FROM attempt_budgets WHERE scope <> 'code_user' ORDER BY scope")
    assert [budget["short_count"] for budget in spent] == [10, 10, 10], spent
    assert (await owner.connect(elm_street, letters, code, acme))["problem"] == "RATE_LIMITED"
    fresh = await town.practice("Fresh Therapy")
    assert (await fresh.owner.connect(fresh, letters, code, acme))["problem"] == "TOKEN_REJECTED"


async def test_two_tokens_of_one_agent_at_once_make_one_engagement_and_the_loser_stays_good(
    town: Town, elm_street: House, acme: Agency
) -> None:
    letters, code = await acme.issue()
    other = await copied(letters, "BCDF" if letters != "BCDF" else "GHJK")
    answers, count = await at_once(
        client.connect(elm_street, typed, code, acme)
        for client, typed in zip(await people(town, elm_street, 2), (letters, other), strict=True)
    )
    assert count == {"ConnectAgentSuccess": 1, "AlreadyEngaged": 1}
    assert answers[0]["engagement"] == answers[1]["engagement"]
    assert len(await events("engagement.started")) == 1
    (loser,) = await rows("SELECT letters, attempts FROM connect_tokens WHERE state = 'issued'")
    assert loser["attempts"] == 0
    harbour = await town.practice("Harbour Counselling")
    assert (await harbour.owner.connect(harbour, loser["letters"], code, acme))["__typename"] == "ConnectAgentSuccess"


async def test_previews_beside_a_connection_neither_stop_it_nor_lock_the_token(
    town: Town, elm_street: House, acme: Agency
) -> None:
    letters, code = await acme.issue()
    first, second, third = await people(town, elm_street, 3)
    answers, count = await at_once(
        [
            first.preview(elm_street, letters, code),
            second.preview(elm_street, letters, code),
            third.connect(elm_street, letters, code, acme),
        ]
    )
    assert answers[2]["__typename"] == "ConnectAgentSuccess"
    assert set(count) <= {"ConnectAgentSuccess", "PreviewTokenSuccess", "TokenRejected"}
    assert (await token_of(letters))["state"] == "consumed"


async def test_a_token_cancelled_at_the_moment_it_is_used_is_one_or_the_other(
    town: Town, elm_street: House, acme: Agency
) -> None:
    for attempt in range(4):
        letters, code = await acme.issue()
        (row,) = await rows("SELECT id::text FROM connect_tokens WHERE letters = $1 AND state = 'issued'", letters)
        house = await town.practice(f"House{attempt} Therapy")
        cancel = acme.admin.do("cancelToken", "... on CancelTokenSuccess { token { status } }", tokenId=row["id"])
        connected, cancelled = await asyncio.gather(house.owner.connect(house, letters, code, acme), cancel)
        status = "CONSUMED" if connected["__typename"] == "ConnectAgentSuccess" else "CANCELLED"
        assert cancelled["token"]["status"] == status
        started = await rows("SELECT FROM engagements WHERE practice_id = $1", house.id)
        assert len(started) == (status == "CONSUMED")


async def test_an_engagement_that_ends_while_it_stands_in_the_way_makes_room(
    town: Town, elm_street: House, acme: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    standing = await town.engage(elm_street, acme)
    letters, code = await acme.issue()
    revoker = await town.person(elm_street.owner.email)
    original = AsyncpgDBClient.execute_query_dict

    async def revoked_just_before(self: AsyncpgDBClient, query: str, values: Any = None) -> Any:
        if query == connect._STANDING:
            monkeypatch.setattr(AsyncpgDBClient, "execute_query_dict", original)
            await asyncio.create_task(revoker.revoke(standing), context=Context())
        return await original(self, query, values)

    monkeypatch.setattr(AsyncpgDBClient, "execute_query_dict", revoked_just_before)
    answer = await elm_street.owner.connect(elm_street, letters, code, acme)
    assert answer["__typename"] == "ConnectAgentSuccess"
    ended, started = await rows("SELECT id::text, previous_id::text, ended_at FROM engagements ORDER BY id")
    assert ended["ended_at"] is not None
    assert (started["id"], started["previous_id"]) == (answer["engagement"]["id"], ended["id"])


# --- issuing


@pytest.mark.usefixtures("hashing")
async def test_eight_tokens_issued_at_once_by_one_member_leave_five(town: Town, acme: Agency) -> None:
    _, count = await at_once(acme.admin.do("issueToken", "", agentId=acme.id) for _ in range(8))
    assert count == {"IssueTokenSuccess": 5, "LimitReached": 3}
    assert len(await rows("SELECT FROM connect_tokens")) == 5
    assert len(await events("token.issued")) == 5


@pytest.mark.usefixtures("hashing")
async def test_tokens_issued_at_once_for_one_client_leave_one_live(town: Town, acme: Agency) -> None:
    _, count = await at_once(acme.admin.do("issueToken", "", agentId=acme.id, externalRef="client 7") for _ in range(6))
    assert count == {"IssueTokenSuccess": 6}
    states = Counter(row["state"] for row in await rows("SELECT state FROM connect_tokens"))
    assert states == {"issued": 1, "cancelled": 5}


# --- roles and the end


async def test_of_two_devices_with_one_version_one_is_stale_and_is_shown_the_other(
    town: Town, elm_street: House, acme: Agency
) -> None:
    engagement = await town.engage(elm_street, acme)
    phone, desk = await people(town, elm_street, 2)
    answers, count = await at_once([phone.set_roles(engagement, "biller"), desk.set_roles(engagement, "auditor")])
    assert count == {"SetRolesSuccess": 1, "StaleVersion": 1}
    answers.sort(key=lambda answer: str(answer["__typename"]))
    success, stale = answers
    assert stale["current"] == success["engagement"]
    assert stale["current"]["version"] == 2
    assert len(await events("engagement.roles_set")) == 1
    assert len(await rows("SELECT FROM role_grants")) == 1


async def test_eight_revocations_at_once_give_one_receipt_and_one_event(
    town: Town, elm_street: House, acme: Agency
) -> None:
    engagement = await town.engage(elm_street, acme)
    clients = [*await people(town, elm_street, 3), await town.operator()] * 2
    answers, count = await at_once(client.revoke(engagement) for client in clients)
    assert count == {"RevokeAgentSuccess": 8}
    assert [answer["receipt"] for answer in answers] == [answers[0]["receipt"]] * 8
    assert len(await events("engagement.ended")) == 1
    assert len(await rows("SELECT FROM revocation_receipts")) == 1


async def test_roles_set_at_the_moment_of_the_end_are_gone_or_never_were(
    town: Town, elm_street: House, acme: Agency
) -> None:
    engagement = await town.engage(elm_street, acme)
    first, second = await people(town, elm_street, 2)
    answers, _ = await at_once([first.set_roles(engagement, "biller"), second.revoke(engagement)])
    assert answers[0]["__typename"] in ("SetRolesSuccess", "EngagementEnded")
    assert answers[1]["engagement"]["status"] == "ENDED"
    assert answers[1]["engagement"]["roles"] == []
    assert await rows("SELECT FROM role_grants WHERE removed_at IS NULL") == []
    removed = ["biller"] if answers[0]["__typename"] == "SetRolesSuccess" else []
    assert answers[1]["receipt"]["rolesRemoved"] == removed


# --- people


async def test_of_sixteen_who_accept_one_invitation_at_once_one_comes_in(town: Town, elm_street: House) -> None:
    typed = {"practiceId": elm_street.id, "email": "bea@elm.example", "name": "Bea", "roles": ["scheduler"]}
    code = (await elm_street.owner.do("addStaff", INVITED, **typed))["code"]
    sixteen = [await town.person(f"p{n}@elm.example") for n in range(16)]
    _, count = await at_once(person.do("acceptInvitation", "", code=code) for person in sixteen)
    assert count == {"AcceptInvitationSuccess": 1, "InvitationRejected": 15}
    assert len(await rows("SELECT FROM staff_members WHERE 'scheduler' = ANY (roles)")) == 1
    assert len(await events("staff.added")) == 1


async def test_one_person_who_accepts_several_invitations_at_once_comes_in_once(town: Town, acme: Agency) -> None:
    typed = {"agentId": acme.id, "email": "new@acme.example", "name": "New"}
    codes = [(await acme.admin.do("inviteMember", INVITED, **typed))["code"] for _ in range(8)]
    new = await town.person("new@acme.example")
    _, count = await at_once(new.do("acceptInvitation", "", code=code) for code in codes)
    assert count == {"AcceptInvitationSuccess": 1, "InvalidInput": 7}
    assert len(await rows("SELECT FROM invitations WHERE accepted_at IS NULL")) == 7


async def test_open_invitations_do_not_exceed_their_limit_by_asking_at_once(
    town: Town, acme: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = "open_invitations_per_place"
    monkeypatch.setattr(limits, "LIMITS", {**limits.LIMITS, limit: replace(limits.LIMITS[limit], value=2)})
    typed = {"agentId": acme.id, "email": "new@acme.example", "name": "New"}
    _, count = await at_once(acme.admin.do("inviteMember", "", **typed) for _ in range(8))
    assert count == {"InvitationSuccess": 2, "LimitReached": 6}
    town.clock.advance(hours=1)
    acme.admin = await town.person(acme.admin.email)
    assert (await acme.admin.do("inviteMember", "", **typed))["__typename"] == "InvitationSuccess"


async def test_staff_roles_set_at_once_end_as_one_of_them_with_exactly_one_owner(town: Town, elm_street: House) -> None:
    admin = await town.staff(elm_street, "sam@elm.example", "staff_administrator")
    await town.staff(elm_street, "bea@elm.example", "scheduler")
    staff = await rows("SELECT id::text, roles FROM staff_members ORDER BY id")
    attempts = [
        client.do("setStaffRoles", "", staffId=person["id"], roles=roles)
        for client in (elm_street.owner, admin)
        for person in staff
        for roles in (["owner"], ["biller"], ["reporting", "scheduler"])
    ]
    await at_once(attempts)
    owners = await rows("SELECT id::text FROM staff_members WHERE 'owner' = ANY (roles)")
    assert owners == [{"id": staff[0]["id"]}]
    (bea,) = await rows("SELECT roles FROM staff_members WHERE id = $1", staff[2]["id"])
    assert bea["roles"] in (["biller"], ["reporting", "scheduler"])
    *_, last = [event for event in await events("staff.roles_set") if event["after"]["staff"] == staff[2]["id"]]
    assert last["after"]["roles"] == bea["roles"]


async def test_an_agent_verified_by_eight_operators_at_once_was_verified_once(town: Town) -> None:
    acme = await town.agency(verified=False)
    operators = [await town.operator() for _ in range(8)]
    _, count = await at_once(operator.do("verifyAgent", "", agentId=acme.id) for operator in operators)
    assert count == {"AgentSuccess": 8}
    assert len(await events("agent.verified")) == 1


@pytest.mark.parametrize(("kind", "limit"), [("practice", "practices_per_user"), ("agent", "agents_per_user")])
async def test_what_one_person_may_own_is_not_exceeded_by_asking_at_once(
    town: Town, monkeypatch: pytest.MonkeyPatch, kind: str, limit: str
) -> None:
    monkeypatch.setattr(limits, "LIMITS", {**limits.LIMITS, limit: replace(limits.LIMITS[limit], value=2)})
    owner = await town.person("owner@many.example")
    practice = {"name": "Elm Street", "kind": "SHARED_OFFICE_MEMBER", "incorporated": False}
    company = {"kind": "BILLING_COMPANY", "legalName": "ACME", "address": "1 Elm", "city": "Dayton"}
    agent = {**company, "phone": "+1 555 0100", "email": "office@acme.example"}
    mutation, typed = ("createPractice", practice) if kind == "practice" else ("registerAgent", agent)
    _, counted = await at_once(owner.do(mutation, "", **typed) for _ in range(8))
    assert counted["LimitReached"] == 6
