"""How people come in: the code that is handed over, who may use it, and everything that makes it worthless."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

import limits
from models import AgentMember, Assignment, StaffMember
from tests.keys import made, member_of, status
from tests.stored import events, rows
from tests.town import INVITED, Agency, Client, House, Town

ACCEPTED = """... on AcceptInvitationSuccess {
    staff { id active roles { key } practice { id } } member { id admin status agent { id } }
} ... on InvalidInput { field } ... on LimitReached { limit }"""
CARD = """... on PreviewInvitationSuccess {
    card { invitedBy practiceName agentName roles { key } admin expiresAt }
}"""
SHOWN = "id email name admin status invitedAt expiresAt roles { key } invitedBy { name }"
OF_PRACTICE = f"query ($id: ID!) {{ practice(id: $id) {{ invitations {{ {SHOWN} }} }} }}"
OF_AGENT = f"query ($id: ID!) {{ agent(id: $id) {{ invitations {{ {SHOWN} }} }} }}"
NODE = "query ($id: ID!) { node(id: $id) { ... on Invitation { status } } }"
REJECTED = "this invitation does not open anything; ask whoever invited you for a new one"


async def hire(house: House, *roles: str, by: Client | None = None) -> Any:
    typed = {"practiceId": house.id, "email": "bea@elm.example", "name": "Bea", "roles": list(roles or ["scheduler"])}
    return await (by or house.owner).do("addStaff", INVITED, **typed)


async def invite(agent: Agency, **typed: Any) -> Any:
    typed = {"agentId": agent.id, "email": "Ben@acme.example", "name": "Ben", **typed}
    return await agent.admin.do("inviteMember", f"{INVITED} ... on LimitReached {{ limit }}", **typed)


async def accept(client: Client, code: str) -> Any:
    return await client.do("acceptInvitation", ACCEPTED, code=code)


async def is_rejected(client: Client, code: str) -> bool:
    """For the look at it and for the yes, in the same words, with nothing changed."""
    before = await rows("SELECT * FROM invitations ORDER BY id")
    looked, joined = await client.do("previewInvitation", CARD, code=code), await accept(client, code)
    assert joined == looked
    assert await rows("SELECT * FROM invitations ORDER BY id") == before
    return (joined["problem"], joined["message"]) == ("INVITATION_REJECTED", REJECTED)


async def test_an_invitation_to_the_staff_is_accepted_under_any_login(town: Town, elm_street: House) -> None:
    invited = await hire(elm_street, "scheduler", "biller")
    assert len(invited["code"]) == 43
    bea = await town.person("bea.private@elsewhere.example")
    card = (await bea.do("previewInvitation", CARD, code=invited["code"]))["card"]
    assert card == {
        "invitedBy": "Owner",
        "practiceName": "Elm Street Therapy",
        "agentName": None,
        "roles": [{"key": "biller"}, {"key": "scheduler"}],
        "admin": False,
        "expiresAt": "2026-11-23T13:00:00Z",
    }
    joined = await accept(bea, invited["code"])
    assert joined["member"] is None
    assert (joined["staff"]["active"], joined["staff"]["practice"]["id"]) == (True, elm_street.id)
    assert [role["key"] for role in joined["staff"]["roles"]] == ["biller", "scheduler"]
    viewer = await bea.ask("{ viewer { staffOf { nodes { practice { id } } } } }")
    assert viewer["staffOf"]["nodes"] == [{"practice": {"id": elm_street.id}}]
    assert await rows("SELECT FROM users WHERE email = 'bea@elm.example'") == []


@pytest.mark.parametrize("admin", [False, True])
async def test_an_invitation_into_an_agent_makes_a_member_who_can_work(town: Town, acme: Agency, admin: bool) -> None:
    invited = await invite(acme, admin=admin)
    ben = await town.person("ben@acme.example")
    card = (await ben.do("previewInvitation", CARD, code=invited["code"]))["card"]
    assert (card["agentName"], card["practiceName"], card["admin"]) == ("ACME Billing", None, admin)
    joined = await accept(ben, invited["code"])
    assert joined["staff"] is None
    assert joined["member"] | {"id": ""} == {"id": "", "admin": admin, "status": "ACTIVE", "agent": {"id": acme.id}}
    assert (await ben.do("issueToken", "", agentId=acme.id))["__typename"] == "IssueTokenSuccess"


async def test_inviting_gives_nobody_anything_before_the_code_is_used(town: Town, acme: Agency) -> None:
    ben = await town.person("ben@acme.example")
    await invite(acme)
    assert await rows("SELECT FROM agent_members WHERE user_id = $1", ben.user_id) == []
    assert (await ben.do("issueToken", "", agentId=acme.id))["problem"] == "NOT_FOUND"


async def test_the_code_is_stored_as_its_sha256_only_and_shown_once(town: Town, acme: Agency) -> None:
    invited = await invite(acme)
    (stored,) = await rows("SELECT code_hash FROM invitations")
    assert stored["code_hash"] == hashlib.sha256(invited["code"].encode()).digest()
    assert (await invite(acme))["code"] != invited["code"]


async def test_open_invitations_are_listed_newest_first_for_whoever_sees_the_people(
    town: Town, elm_street: House, acme: Agency
) -> None:
    first = await hire(elm_street)
    town.clock.advance(minutes=10)
    await hire(elm_street, "biller")
    cancelled = await hire(elm_street)
    await elm_street.owner.do("cancelInvitation", "", invitationId=cancelled["invitation"]["id"])
    listed = (await elm_street.owner.ask(OF_PRACTICE, id=elm_street.id))["invitations"]
    assert [each["roles"] for each in listed] == [[{"key": "biller"}], [{"key": "scheduler"}]]
    assert listed[1] == {
        **{"id": first["invitation"]["id"], "email": "bea@elm.example", "name": "Bea", "admin": False},
        **{"status": "OPEN", "invitedAt": "2026-11-23T12:00:00Z", "expiresAt": "2026-11-23T13:00:00Z"},
        **{"roles": [{"key": "scheduler"}], "invitedBy": {"name": "Owner"}},
    }
    await invite(acme)
    (of_agent,) = (await acme.admin.ask(OF_AGENT, id=acme.id))["invitations"]
    assert (of_agent["email"], of_agent["roles"]) == ("ben@acme.example", [])
    scheduler = await town.staff(elm_street, "sam@elm.example", "scheduler")
    assert (await scheduler.refusal(OF_PRACTICE, id=elm_street.id))["extensions"]["code"] == "NOT_PERMITTED"


async def test_the_status_of_an_invitation_says_what_became_of_it(town: Town, elm_street: House, acme: Agency) -> None:
    invited = [await hire(elm_street) for _ in range(3)]
    ids = [each["invitation"]["id"] for each in invited]
    await accept(await town.person("bea@elm.example"), invited[0]["code"])
    await elm_street.owner.do("cancelInvitation", "", invitationId=ids[1])
    assert await acme.admin.ask(NODE, id=ids[2]) is None
    town.clock.advance(minutes=59, seconds=59)
    owner = await town.person(elm_street.owner.email)
    assert [(await owner.ask(NODE, id=each))["status"] for each in ids] == ["ACCEPTED", "CANCELLED", "OPEN"]
    town.clock.advance(seconds=1)
    assert [(await owner.ask(NODE, id=each))["status"] for each in ids] == ["ACCEPTED", "CANCELLED", "EXPIRED"]


# --- codes that open nothing


async def test_an_expired_a_cancelled_a_used_and_an_unknown_code_get_one_answer(town: Town, elm_street: House) -> None:
    """Each at a time when nothing else stands against it."""
    used, cancelled, expired = [await hire(elm_street) for _ in range(3)]
    bea, stranger = await town.person("bea@elm.example"), await town.person("stranger@nowhere.example")
    await accept(bea, used["code"])
    await elm_street.owner.do("cancelInvitation", "", invitationId=cancelled["invitation"]["id"])
    for code in (used["code"], cancelled["code"], "x" * 43):
        assert await is_rejected(stranger, code)
    assert await is_rejected(bea, used["code"])
    town.clock.advance(hours=1)
    assert await is_rejected(await town.person("stranger@nowhere.example"), expired["code"])


async def test_an_agent_that_is_full_by_the_time_takes_nobody_in(
    town: Town, acme: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = [await invite(acme) for _ in range(2)]
    real = limits.of
    monkeypatch.setattr(limits, "of", lambda name: 2 if name == "members_per_agent" else real(name))
    ben, bob = await town.person("ben@elsewhere.example"), await town.person("bob@elsewhere.example")
    assert (await accept(ben, first["code"]))["__typename"] == "AcceptInvitationSuccess"
    refused = await accept(bob, second["code"])
    assert (refused["problem"], refused["limit"]) == ("LIMIT_REACHED", 2)


async def test_a_code_that_is_not_exactly_right_is_rejected(town: Town, elm_street: House) -> None:
    code = (await hire(elm_street))["code"]
    stranger = await town.person("stranger@nowhere.example")
    swapped = code[1] + code[0] + code[2:] if code[0] != code[1] else code[::-1]
    for wrong in (code[:-1], code[1:], code + "A", f"{code} ", swapped, code.swapcase(), "", "\0", "x" * 60_000):
        assert await is_rejected(stranger, wrong)


@pytest.mark.parametrize(
    "lost",
    [
        "UPDATE practices SET closed_at = now()",
        "UPDATE staff_members SET removed_at = now() WHERE 'staff_administrator' = ANY (roles)",
        "UPDATE staff_members SET roles = '{scheduler}' WHERE 'staff_administrator' = ANY (roles)",
        "UPDATE users SET disabled_at = now() WHERE email = 'sam@elm.example'",
        "UPDATE invitations SET roles = '{scheduler,no_such_role}'",
        "UPDATE invitations SET roles = '{manager}'",  # which an administrator may not grant
        "UPDATE invitations SET roles = '{}', practice_id = NULL, agent_id = (SELECT id FROM agents)",
    ],
)
async def test_an_invitation_to_the_staff_gives_nothing_that_its_inviter_could_not_give_now(
    town: Town, elm_street: House, acme: Agency, lost: str
) -> None:
    sam = await town.staff(elm_street, "sam@elm.example", "staff_administrator")
    code = (await hire(elm_street, by=sam))["code"]
    bea = await town.person("bea@elm.example")
    await rows(lost)
    assert await is_rejected(bea, code)
    assert await rows("SELECT FROM staff_members WHERE user_id = $1", bea.user_id) == []


async def test_roles_that_must_stay_apart_do_not_come_together_by_an_invitation(town: Town, elm_street: House) -> None:
    code = (await hire(elm_street))["code"]
    await rows("UPDATE invitations SET roles = '{manager,records_custodian}'")
    assert await is_rejected(await town.person("bea@elm.example"), code)


@pytest.mark.parametrize(
    "lost",
    [
        "UPDATE agents SET closed_at = now()",
        "UPDATE agent_members SET departed_at = now()",
        "UPDATE agent_members SET suspended_at = now()",
        "UPDATE agent_members SET admin = FALSE",
        "UPDATE users SET disabled_at = now() WHERE email = 'admin@acme.example'",
    ],
)
async def test_an_invitation_into_an_agent_gives_nothing_that_its_inviter_could_not_give_now(
    town: Town, acme: Agency, lost: str
) -> None:
    code = (await invite(acme))["code"]
    ben = await town.person("ben@acme.example")
    await rows(lost)
    assert await is_rejected(ben, code)


async def test_the_inviter_need_not_enter_the_password_again_when_it_is_accepted(town: Town, elm_street: House) -> None:
    code = (await hire(elm_street, "manager"))["code"]
    town.clock.advance(minutes=59)
    assert (await accept(await town.person("mia@elm.example"), code))["staff"]["active"]


async def test_a_closed_place_invites_nobody(town: Town, elm_street: House, acme: Agency) -> None:
    await rows("UPDATE practices SET closed_at = now()")
    await rows("UPDATE agents SET closed_at = now()")
    assert (await hire(elm_street))["problem"] == "NOT_PERMITTED"
    assert (await invite(acme))["problem"] == "NOT_PERMITTED"


# --- who belongs already, and who returns


async def test_whoever_belongs_there_already_is_told_so_and_the_invitation_stays_open(
    town: Town, elm_street: House, acme: Agency
) -> None:
    hired, invited = (await hire(elm_street))["code"], (await invite(acme))["code"]
    for client, code in ((elm_street.owner, hired), (acme.admin, invited)):
        refused = await accept(client, code)
        assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "code")
    assert (await accept(await town.person("bea@elm.example"), hired))["staff"]
    assert (await accept(await town.person("ben@acme.example"), invited))["member"]
    assert (await StaffMember.get(user_id=elm_street.owner.user_id)).roles == ["owner"]


async def test_inviting_the_address_of_somebody_who_belongs_there_is_answered_by_name(
    town: Town, elm_street: House, acme: Agency
) -> None:
    await town.staff(elm_street, "bea@elm.example", "biller")
    await town.member(acme, "ben@acme.example")
    assert (await hire(elm_street))["problem"] == (await invite(acme))["problem"] == "INVALID_INPUT"
    await rows("UPDATE staff_members SET removed_at = now() WHERE NOT 'owner' = ANY (roles)")
    assert (await hire(elm_street))["__typename"] == "InvitationSuccess"


async def test_somebody_who_was_removed_returns_in_the_same_row_with_the_new_roles_alone(
    town: Town, elm_street: House
) -> None:
    mia = await town.staff(elm_street, "mia@elm.example", "manager")
    before = await StaffMember.get(user_id=mia.user_id)
    await rows("UPDATE staff_members SET removed_at = now() WHERE id = $1", before.id)
    town.clock.advance(minutes=5)
    joined = await accept(mia, (await hire(elm_street, "biller"))["code"])
    assert joined["staff"]["id"] == str(before.id)
    assert joined["staff"]["roles"] == [{"key": "biller"}]
    after = await StaffMember.get(user_id=mia.user_id)
    assert (after.removed_at, after.added_at) == (None, town.clock.now)


async def test_somebody_who_departed_returns_without_the_work_and_the_keys_they_had(
    town: Town, acme: Agency, engagement: dict[str, Any]
) -> None:
    ben = await town.member(acme, "ben@acme.example", admin=True)
    member, now = await member_of(acme, ben), town.clock.now
    key = await made(acme, "tokens.read", member=ben)
    await Assignment.create(
        engagement_id=engagement["id"], member_id=member, assigned_at=now, assigned_by_id=ben.user_id
    )
    await AgentMember.filter(id=member).update(suspended_at=now, departed_at=now)
    joined = await accept(ben, (await invite(acme))["code"])
    assert joined["member"] == {"id": member, "admin": False, "status": "ACTIVE", "agent": {"id": acme.id}}
    assert await rows("SELECT FROM assignments WHERE removed_at IS NULL") == []
    assert await status(town, key["secret"]) == 401


async def test_a_suspended_member_is_not_let_in_again_by_an_invitation(town: Town, acme: Agency) -> None:
    ben = await town.member(acme, "ben@acme.example")
    code = (await invite(acme, email="other@acme.example"))["code"]
    await AgentMember.filter(user_id=ben.user_id).update(suspended_at=town.clock.now)
    assert (await accept(ben, code))["problem"] == "INVALID_INPUT"
    assert (await AgentMember.get(user_id=ben.user_id)).suspended_at is not None


# --- taking back


async def test_taking_back_twice_changes_nothing_and_an_accepted_one_is_not_taken_back(
    town: Town, elm_street: House
) -> None:
    one, other = await hire(elm_street), await hire(elm_street)
    await accept(await town.person("bea@elm.example"), other["code"])
    selection = "... on CancelInvitationSuccess { invitation { status } } ... on InvalidInput { field }"
    for _ in range(2):
        done = await elm_street.owner.do("cancelInvitation", selection, invitationId=one["invitation"]["id"])
        assert done["invitation"]["status"] == "CANCELLED"
    assert len(await events("invitation.cancelled")) == 1
    late = await elm_street.owner.do("cancelInvitation", selection, invitationId=other["invitation"]["id"])
    assert (late["problem"], late["field"]) == ("INVALID_INPUT", "invitationId")


async def test_only_whoever_may_invite_takes_back(town: Town, elm_street: House, acme: Agency) -> None:
    key = (await hire(elm_street))["invitation"]["id"]
    mia = await town.staff(elm_street, "mia@elm.example", "manager")
    sam = await town.staff(elm_street, "sam@elm.example", "staff_administrator")
    assert (await mia.do("cancelInvitation", "", invitationId=key))["problem"] == "NOT_PERMITTED"
    assert (await acme.admin.do("cancelInvitation", "", invitationId=key))["problem"] == "NOT_FOUND"
    assert (await sam.do("cancelInvitation", "", invitationId=key))["__typename"] == "CancelInvitationSuccess"
    of_agent = (await invite(acme))["invitation"]["id"]
    assert (await sam.do("cancelInvitation", "", invitationId=of_agent))["problem"] == "NOT_FOUND"
    assert (await acme.admin.do("cancelInvitation", "", invitationId=of_agent))[
        "__typename"
    ] == "CancelInvitationSuccess"


async def test_only_an_admin_invites(town: Town, acme: Agency) -> None:
    ben = await town.member(acme, "ben@acme.example")
    stranger = await town.person("ann@elm.example")
    typed = {"agentId": acme.id, "email": "x@acme.example", "name": "X"}
    refused = await ben.do("inviteMember", "... on NotPermitted { heldBy { key } }", **typed)
    assert (refused["problem"], refused["heldBy"]) == ("NOT_PERMITTED", [{"key": "agent_admin"}])
    assert (await stranger.do("inviteMember", "", **typed))["problem"] == "NOT_FOUND"


async def test_a_code_is_of_no_use_without_a_login(town: Town, elm_street: House) -> None:
    code = (await hire(elm_street))["code"]
    document = "mutation ($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { __typename } }"
    assert (await town.visitor().send(document, input={"code": code})).status_code == 401
