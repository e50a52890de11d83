"""Step-up: everything sensitive asks for a proof that is at most ten minutes old, to the second."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models import Session
from tests.changes import ALL
from tests.factors import RENEW, enrolled
from tests.keys import made, member_of, program
from tests.stored import rows
from tests.town import Agency, Client, Town

# What makes each of them sensitive; what says nothing is so by itself.
SENSITIVE: dict[str, dict[str, Any]] = {
    "setRoles": {"roles": [{"role": "manager"}], "acknowledgeWarnings": True},
    "confirmRoles": {},
    "addStaff": {"roles": ["manager"]},
    "setStaffRoles": {"roles": ["manager"]},
    "transferOwnership": {},
    "inviteMember": {"admin": True},
    "createApiKey": {},
    "rotateApiKey": {},
    "beginTotp": {},
    "confirmTotp": {},
    "removeFactor": {},
    "finishPasskey": {},
    "endSession": {},
    "signAgreement": {},
    "waiveAgreement": {},
}
# The same mutations without what makes them sensitive.
ORDINARY: dict[str, dict[str, Any]] = {
    "setRoles": {"roles": [{"role": "biller"}]},
    "addStaff": {"roles": ["scheduler"]},
    "setStaffRoles": {"roles": ["biller"]},
    "recordTraining": {},
    "removeStaff": {},
    "inviteMember": {"admin": False},
    "revokeApiKey": {},
    "revokeAgent": {},
    **{name: {} for name in ("leavePractice", "departMember", "suspendEngagement", "suspendAgent")},
    **{name: {} for name in ("requestAgreement", "recordAgreement", "terminateAgreement", "assignMember")},
}


async def proved(town: Town, client: Client, ago: int) -> None:
    then = town.clock.now - timedelta(seconds=ago)
    await Session.filter(user_id=client.user_id).update(reauthenticated_at=then)


@pytest.mark.parametrize("mutation", SENSITIVE)
async def test_what_is_sensitive_waits_after_ten_minutes_and_not_before(town: Town, mutation: str) -> None:
    change = await ALL[mutation](town)
    typed = change.typed | SENSITIVE[mutation]
    await proved(town, change.client, 601)
    refused = await change.client.do(mutation, "... on StepUpRequired { maxAgeSeconds }", **typed)
    assert (refused.get("problem"), refused.get("maxAgeSeconds")) == ("STEP_UP_REQUIRED", 600)
    await proved(town, change.client, 600)
    accepted = await change.client.do(mutation, "", **typed)
    assert accepted["__typename"].endswith("Success"), accepted


@pytest.mark.parametrize("mutation", ORDINARY)
async def test_what_is_not_asks_for_nothing(town: Town, mutation: str) -> None:
    change = await ALL[mutation](town)
    await proved(town, change.client, 86_400)
    accepted = await change.client.do(mutation, "", **change.typed | ORDINARY[mutation])
    assert accepted["__typename"].endswith("Success"), accepted


@pytest.mark.parametrize("mutation", ["beginPasskey", "renewRecoveryCodes", "endOtherSessions"])
async def test_so_do_those_without_an_input(town: Town, mutation: str) -> None:
    ann = await enrolled(town, password=False)
    await rows("UPDATE sessions SET second_factor = TRUE")
    document = RENEW.replace("renewRecoveryCodes", mutation).replace(
        "... on RecoveryCodesSuccess { recoveryCodes }", ""
    )
    await proved(town, ann.client, 601)
    assert (await ann.client.ask(document))["problem"] == "STEP_UP_REQUIRED"
    await proved(town, ann.client, 600)
    assert (await ann.client.ask(document))["__typename"].endswith("Success")


async def test_a_program_names_no_administrator(town: Town, acme: Agency) -> None:
    """It cannot prove itself, so a stolen key makes nobody an admin who outlives it."""
    key = await made(acme, "members.invite", memberId=await member_of(acme))
    bot = program(town, key["secret"])
    typed = {"agentId": acme.id, "email": "new@acme.example", "name": "New"}
    assert (await bot.do("inviteMember", "", **typed, admin=True))["problem"] == "STEP_UP_REQUIRED"
    assert (await bot.do("inviteMember", "", **typed))["__typename"] == "InvitationSuccess"


async def test_a_program_signs_for_nobody(town: Town, acme: Agency) -> None:
    """A signature binds the agent: a person gives it, who has just proved who they are."""
    elm = await town.practice()
    engagement = await town.engage(elm, acme)
    key = await made(acme, "agreements.sign", memberId=await member_of(acme))
    typed = {"engagementId": engagement["id"], "documentRef": "cabinet 7", "documentSha256": "a" * 64}
    bot = program(town, key["secret"])
    assert (await bot.do("signAgreement", "", **typed))["problem"] == "STEP_UP_REQUIRED"
