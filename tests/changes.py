"""Every mutation, ready to be sent: who would change what, how it is recorded, and what would have it refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.agreed import SAID, SHA, Parties
from tests.authenticator import Authenticator
from tests.factors import ADDED, BEGUN, REMOVED, Person, asked, begin, enrolled
from tests.keys import MADE, made, member_of
from tests.stored import rows
from tests.town import INVITED, RECEIPT, ROLES_SET, Agency, Client, House, Town, wrong

PASSWORD = "correct horse"
ENGAGEMENT_SHOWN = "... on EngagementSuccess { engagement { id version expiresAt } }"
ENGAGED = "... on EngagementSuccess { engagement { id version status } }"
PREVIEWED = "... on PreviewTokenSuccess { agent { agentId } }"


@dataclass(frozen=True)
class Change:
    """`event` is the type of the one audit event, None where nothing changes; `spoiled` is an input that is refused."""

    client: Client
    typed: dict[str, Any]
    selection: str
    event: str | None
    spoiled: dict[str, Any]


async def sign_up(town: Town) -> Change:
    typed = {"name": "Ann", "email": "ann@elm.example", "password": PASSWORD}
    return Change(town.visitor(), typed, "", "user.signed_up", {"password": "short"})


async def sign_in(town: Town) -> Change:
    change = await sign_up(town)
    await change.client.do("signUp", "", **change.typed)
    typed = {"email": "ann@elm.example", "password": PASSWORD}
    return Change(change.client, typed, "", "user.signed_in", {"password": "wrong horse"})


async def reauthenticate(town: Town) -> Change:
    change = await sign_in(town)
    return Change(change.client, {"password": PASSWORD}, "", "user.signed_in", {"password": "wrong horse"})


async def create_practice(town: Town) -> Change:
    typed = {"name": "Elm Street", "kind": "INDEPENDENT_THERAPIST", "incorporated": False}
    selection = "... on PracticeSuccess { practice { id name } }"
    return Change(await town.person("ann@elm.example"), typed, selection, "practice.created", {"name": ""})


async def add_staff(town: Town) -> Change:
    elm = await town.practice()
    typed = {"practiceId": elm.id, "email": "bea@elm.example", "name": "Bea", "roles": ["manager"]}
    return Change(elm.owner, typed, INVITED, "staff.invited", {"roles": ["auditor"]})


async def _with_bea(town: Town) -> tuple[House, str]:
    """A practice with a scheduler, and her membership."""
    elm = await town.practice()
    await town.staff(elm, "bea@elm.example", "scheduler")
    (bea,) = await rows("SELECT id::text FROM staff_members WHERE 'scheduler' = ANY (roles)")
    return elm, str(bea["id"])


async def set_staff_roles(town: Town) -> Change:
    elm, bea = await _with_bea(town)
    typed = {"staffId": bea, "roles": ["biller", "manager"]}
    selection = "... on StaffSuccess { staff { id roles { key } } }"
    return Change(elm.owner, typed, selection, "staff.roles_set", {"roles": ["owner"]})


async def record_training(town: Town) -> Change:
    elm, bea = await _with_bea(town)
    selection = "... on StaffSuccess { staff { id training { lastCompletedOn } } }"
    typed = {"staffId": bea, "completedOn": "2026-11-20"}
    return Change(elm.owner, typed, selection, "staff.training_recorded", {"completedOn": "2026-11-24"})


async def remove_staff(town: Town) -> Change:
    elm, bea = await _with_bea(town)
    selection = "... on StaffSuccess { staff { id active } }"
    return Change(elm.owner, {"staffId": bea}, selection, "staff.removed", {"reason": ""})


async def transfer_ownership(town: Town) -> Change:
    elm, bea = await _with_bea(town)
    selection = "... on StaffSuccess { staff { id roles { key } } }"
    typed = {"practiceId": elm.id, "toStaffId": bea}
    return Change(elm.owner, typed, selection, "practice.transferred", {"roles": ["owner"]})


async def register_agent(town: Town) -> Change:
    typed = {
        "kind": "BILLING_COMPANY",
        "legalName": "ACME Billing",
        "address": "1 Example Street",
        "city": "Dayton",
        "phone": "+1 555 0100",
        "email": "office@acme.example",
    }
    selection = "... on AgentSuccess { agent { id legalName } }"
    return Change(await town.person("ann@acme.example"), typed, selection, "agent.registered", {"phone": "none"})


async def verify_agent(town: Town) -> Change:
    acme = await town.agency(verified=False)
    selection = "... on AgentSuccess { agent { id verifiedAt } }"
    nobody = {"agentId": "01975f0e-0000-7000-8000-000000000001"}
    return Change(await town.operator(), {"agentId": acme.id}, selection, "agent.verified", nobody)


async def invite_member(town: Town) -> Change:
    acme = await town.agency()
    typed = {"agentId": acme.id, "email": "new@acme.example", "name": "New", "admin": True}
    return Change(acme.admin, typed, INVITED, "member.invited", {"email": "admin@acme.example"})


async def cancel_invitation(town: Town) -> Change:
    change = await invite_member(town)
    invited = await change.client.do("inviteMember", INVITED, **change.typed)
    selection = "... on CancelInvitationSuccess { invitation { id status } }"
    nothing = {"invitationId": "01975f0e-0000-7000-8000-000000000001"}
    typed = {"invitationId": invited["invitation"]["id"]}
    return Change(change.client, typed, selection, "invitation.cancelled", nothing)


async def accept_invitation(town: Town) -> Change:
    change = await invite_member(town)
    invited = await change.client.do("inviteMember", INVITED, **change.typed)
    selection = "... on AcceptInvitationSuccess { member { id admin status } }"
    client, nothing = await town.person("new@elsewhere.example"), {"code": "x" * 43}
    return Change(client, {"code": invited["code"]}, selection, "member.joined", nothing)


async def preview_invitation(town: Town) -> Change:
    change = await accept_invitation(town)
    selection = "... on PreviewInvitationSuccess { card { invitedBy agentName } }"
    return Change(change.client, change.typed, selection, None, change.spoiled)


async def issue_token(town: Town) -> Change:
    acme = await town.agency()
    selection = "... on IssueTokenSuccess { code token { id letters } }"
    return Change(acme.admin, {"agentId": acme.id}, selection, "token.issued", {"ttlMinutes": 61})


async def cancel_token(town: Town) -> Change:
    acme = await town.agency()
    await acme.issue()
    (token,) = await rows("SELECT id::text FROM connect_tokens")
    selection = "... on CancelTokenSuccess { token { id status } }"
    nothing = {"tokenId": "01975f0e-0000-7000-8000-000000000001"}
    return Change(acme.admin, {"tokenId": token["id"]}, selection, "token.cancelled", nothing)


async def create_api_key(town: Town) -> Change:
    acme = await town.agency()
    typed = {"agentId": acme.id, "memberId": await member_of(acme), "label": "Platform", "scopes": ["tokens.read"]}
    return Change(acme.admin, typed, MADE, "api_key.created", {"scopes": ["agents.connect"]})


async def rotate_api_key(town: Town) -> Change:
    acme = await town.agency()
    typed = {"apiKeyId": (await made(acme, "tokens.read"))["id"]}
    return Change(acme.admin, typed, MADE, "api_key.rotated", {"expiresAt": "2020-01-01T00:00:00Z"})


async def revoke_api_key(town: Town) -> Change:
    change = await rotate_api_key(town)
    nothing = {"apiKeyId": "01975f0e-0000-7000-8000-000000000001"}
    return Change(change.client, change.typed, MADE, "api_key.revoked", nothing)


async def preview_token(town: Town) -> Change:
    connect = await connect_agent(town)
    typed = {name: connect.typed[name] for name in ("practiceId", "letters", "code")}
    return Change(connect.client, typed, PREVIEWED, None, {"code": wrong(typed["code"])})


async def connect_agent(town: Town) -> Change:
    elm, acme = await town.practice(), await town.agency()
    letters, code = await acme.issue()
    typed = {
        "practiceId": elm.id,
        "letters": letters,
        "code": code,
        "confirmAgentId": acme.id,
        "purpose": "CONTRACTED_SERVICE",
    }
    selection = "... on ConnectAgentSuccess { engagement { id version } }"
    return Change(elm.owner, typed, selection, "engagement.started", {"code": wrong(code)})


async def engaged(town: Town) -> tuple[House, Agency, dict[str, Any]]:
    elm, acme = await town.practice(), await town.agency()
    return elm, acme, await town.engage(elm, acme)


async def set_roles(town: Town) -> Change:
    elm, _, engagement = await engaged(town)
    typed = {"engagementId": engagement["id"], "expectedVersion": 1, "roles": [{"role": "biller"}]}
    return Change(elm.owner, typed, ROLES_SET, "engagement.roles_set", {"expectedVersion": 2})


async def confirm_roles(town: Town) -> Change:
    elm, _, engagement = await engaged(town)
    manager = await town.staff(elm, "mia@elm.example", "manager")
    waiting = await manager.set_roles(engagement, "manager", acknowledgeWarnings=True)
    assert waiting["engagement"]["status"] == "AWAITING_ROLES", waiting
    typed = {"engagementId": engagement["id"], "expectedVersion": 2}
    return Change(elm.owner, typed, ROLES_SET, "engagement.roles_set", {"expectedVersion": 1})


async def _parties(town: Town) -> Parties:
    elm, acme, engagement = await engaged(town)
    return Parties(elm, acme, engagement)


async def request_agreement(town: Town) -> Change:
    parties = await _parties(town)
    nothing = {"engagementId": "01975f0e-0000-7000-8000-000000000001"}
    return Change(parties.owner, {"engagementId": parties.id}, SAID, "agreement.requested", nothing)


async def sign_agreement(town: Town) -> Change:
    parties = await _parties(town)
    typed = {"engagementId": parties.id, "documentRef": "cabinet 7", "documentSha256": SHA}
    return Change(parties.admin, typed, SAID, "agreement.signed", {"documentSha256": "none"})


async def record_agreement(town: Town) -> Change:
    parties = await _parties(town)
    typed = {"engagementId": parties.id, "basis": "BAA", "effectiveOn": "2026-11-23"}
    return Change(parties.owner, typed, SAID, "agreement.recorded", {"effectiveOn": "1926-11-23"})


async def waive_agreement(town: Town) -> Change:
    elm, desk = await town.practice(), await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")
    engagement = await town.engage(elm, desk)
    typed = {"engagementId": engagement["id"], "reason": "one afternoon a month"}
    return Change(elm.owner, typed, SAID, "agreement.waived", {"reason": ""})


async def terminate_agreement(town: Town) -> Change:
    parties = await _parties(town)
    await parties.sign()
    typed = {"engagementId": parties.id, "expectedVersion": 2}
    return Change(parties.owner, typed, SAID, "agreement.terminated", {"expectedVersion": 1})


async def revoke_agent(town: Town) -> Change:
    elm, _, engagement = await engaged(town)
    nothing = {"engagementId": "01975f0e-0000-7000-8000-000000000001"}
    return Change(elm.owner, {"engagementId": engagement["id"]}, RECEIPT, "engagement.ended", nothing)


async def renew_engagement(town: Town) -> Change:
    elm, _, engagement = await engaged(town)
    typed = {"engagementId": engagement["id"], "expectedVersion": 1, "expiresAt": "2027-06-01T00:00:00Z"}
    return Change(elm.owner, typed, ENGAGEMENT_SHOWN, "engagement.renewed", {"expectedVersion": 2})


async def decide_review(town: Town) -> Change:
    elm, _, _ = await engaged(town)
    (review,) = await rows("SELECT id::text FROM reviews")
    typed = {"reviewId": review["id"], "decision": "KEEP"}
    return Change(elm.owner, typed, ENGAGEMENT_SHOWN, "engagement.reviewed", {"decision": "REDUCE"})


async def leave_practice(town: Town) -> Change:
    _, acme, engagement = await engaged(town)
    return Change(acme.admin, {"engagementId": engagement["id"]}, RECEIPT, "engagement.ended", {"reason": ""})


async def suspend_engagement(town: Town) -> Change:
    elm, _, engagement = await engaged(town)
    typed = {"engagementId": engagement["id"], "expectedVersion": 1, "reason": "holidays"}
    return Change(elm.owner, typed, ENGAGED, "engagement.suspended", {"reason": " "})


async def resume_engagement(town: Town) -> Change:
    change = await suspend_engagement(town)
    await change.client.do("suspendEngagement", ENGAGED, **change.typed)
    typed = {"engagementId": change.typed["engagementId"], "expectedVersion": 2}
    return Change(change.client, typed, ENGAGED, "engagement.resumed", {"expectedVersion": 1})


async def request_roles(town: Town) -> Change:
    _, acme, engagement = await engaged(town)
    typed = {"engagementId": engagement["id"], "roles": ["biller"], "reason": "claims"}
    return Change(acme.admin, typed, ENGAGED, "engagement.roles_requested", {"roles": ["scheduler"]})


async def assign_member(town: Town) -> Change:
    _, acme, engagement = await engaged(town)
    typed = {"engagementId": engagement["id"], "memberId": await member_of(acme)}
    return Change(acme.admin, typed, ENGAGED, "engagement.member_assigned", {"cap": []})


async def unassign_member(town: Town) -> Change:
    change = await assign_member(town)
    await change.client.do("assignMember", ENGAGED, **change.typed)
    return Change(change.client, change.typed, ENGAGED, "engagement.member_unassigned", {"cap": ["biller"]})


async def depart_member(town: Town) -> Change:
    acme = await town.agency()
    ben = await town.member(acme, "ben@acme.example")
    selection = "... on MemberSuccess { practicesNotified member { id status } }"
    last = {"memberId": await member_of(acme)}
    return Change(acme.admin, {"memberId": await member_of(acme, ben)}, selection, "member.departed", last)


async def suspend_agent(town: Town) -> Change:
    acme = await town.agency()
    selection = "... on AgentSuccess { agent { id status } }"
    nobody = {"agentId": "01975f0e-0000-7000-8000-000000000001"}
    return Change(await town.operator(), {"agentId": acme.id}, selection, "agent.suspended", nobody)


async def resume_agent(town: Town) -> Change:
    change = await suspend_agent(town)
    await change.client.do("suspendAgent", "", **change.typed)
    return Change(change.client, change.typed, change.selection, "agent.resumed", change.spoiled)


async def begin_totp(town: Town) -> Change:
    return Change(await town.person("ann@elm.example"), {"label": "Phone"}, BEGUN, "factor.begun", {"label": ""})


async def confirm_totp(town: Town) -> Change:
    ann = Person(town, await town.person("ann@elm.example"))
    begun = await begin(ann.client)
    ann.secret = begun["secret"]
    typed = {"factorId": begun["factorId"], "code": ann.code()}
    return Change(ann.client, typed, ADDED, "factor.added", {"code": "none"})


async def remove_factor(town: Town) -> Change:
    ann = await enrolled(town, password=False)
    await rows("UPDATE sessions SET second_factor = TRUE")
    nobodys = {"factorId": "01975f0e-0000-7000-8000-000000000001"}
    return Change(ann.client, {"factorId": ann.factor_id}, REMOVED, "factor.removed", nobodys)


async def _passkey(town: Town) -> tuple[Client, Authenticator, dict[str, Any]]:
    """A person about to add a passkey."""
    ann, device = await town.person("ann@elm.example"), Authenticator()
    begun = await asked(ann, "beginPasskey")
    typed = {"challengeId": begun["challengeId"], "credential": device.create(begun["options"]), "label": "Laptop"}
    return ann, device, typed


async def finish_passkey(town: Town) -> Change:
    ann, _, typed = await _passkey(town)
    return Change(ann, typed, ADDED, "factor.added", {"label": ""})


async def sign_in_with_passkey(town: Town) -> Change:
    return await _with_passkey(town, "beginPasskeySignIn")


async def reauthenticate_with_passkey(town: Town) -> Change:
    return await _with_passkey(town, "beginPasskeyReauthentication")


async def _with_passkey(town: Town, mutation: str) -> Change:
    ann, device, typed = await _passkey(town)
    await ann.do("finishPasskey", "", **typed)
    begun = await asked(ann, mutation)
    typed = {"challengeId": begun["challengeId"], "credential": device.get(begun["options"])}
    return Change(ann, typed, "", "user.signed_in", {"challengeId": ""})


async def change_password(town: Town) -> Change:
    ann = town.visitor()
    await ann.do("signUp", "", name="Ann", email="ann@elm.example", password=PASSWORD)
    typed = {"password": PASSWORD, "newPassword": "an altogether other one"}
    return Change(
        ann,
        typed,
        "... on ChangePasswordSuccess { viewer { user { email } } }",
        "user.password_changed",
        {"password": "none of it"},
    )


async def end_session(town: Town) -> Change:
    ann = await town.person("ann@elm.example")
    await town.person("ann@elm.example")
    (other,) = await rows("SELECT max(id::text) AS id FROM sessions")
    nobodys = {"sessionId": "01975f0e-0000-7000-8000-000000000001"}
    selection = "... on EndSessionSuccess { viewer { sessions { current } } }"
    return Change(ann, {"sessionId": other["id"]}, selection, "user.session_ended", nobodys)


WITHOUT_A_KEY: dict[str, Callable[[Town], Awaitable[Change]]] = {
    "signUp": sign_up,
    "signIn": sign_in,
    "reauthenticate": reauthenticate,
    "changePassword": change_password,
    "previewToken": preview_token,
    "previewInvitation": preview_invitation,
    "beginTotp": begin_totp,
    "confirmTotp": confirm_totp,
    "finishPasskey": finish_passkey,
    "signInWithPasskey": sign_in_with_passkey,
    "reauthenticateWithPasskey": reauthenticate_with_passkey,
}
WITH_A_KEY: dict[str, Callable[[Town], Awaitable[Change]]] = {
    "createPractice": create_practice,
    "addStaff": add_staff,
    "setStaffRoles": set_staff_roles,
    "recordTraining": record_training,
    "removeStaff": remove_staff,
    "transferOwnership": transfer_ownership,
    "removeFactor": remove_factor,
    "endSession": end_session,
    "registerAgent": register_agent,
    "verifyAgent": verify_agent,
    "inviteMember": invite_member,
    "acceptInvitation": accept_invitation,
    "cancelInvitation": cancel_invitation,
    "issueToken": issue_token,
    "cancelToken": cancel_token,
    "createApiKey": create_api_key,
    "rotateApiKey": rotate_api_key,
    "revokeApiKey": revoke_api_key,
    "connectAgent": connect_agent,
    "setRoles": set_roles,
    "confirmRoles": confirm_roles,
    "renewEngagement": renew_engagement,
    "decideReview": decide_review,
    "revokeAgent": revoke_agent,
    "leavePractice": leave_practice,
    "suspendEngagement": suspend_engagement,
    "resumeEngagement": resume_engagement,
    "requestRoles": request_roles,
    "assignMember": assign_member,
    "unassignMember": unassign_member,
    "departMember": depart_member,
    "suspendAgent": suspend_agent,
    "resumeAgent": resume_agent,
    "requestAgreement": request_agreement,
    "signAgreement": sign_agreement,
    "recordAgreement": record_agreement,
    "waiveAgreement": waive_agreement,
    "terminateAgreement": terminate_agreement,
}
ALL = WITHOUT_A_KEY | WITH_A_KEY
