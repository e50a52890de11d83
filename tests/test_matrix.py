"""Who gets what: every root field, every kind of caller, every sort of place, as one page that a reviewer reads.

The page is `tests/snapshots/access.txt`. After a change that is meant, write it anew and read the difference:

    SPAREKEY_ACCEPT=1 make test ARGS="-k the_table"
"""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import orjson

from tests.asks import PERMISSIONS, ROOTS, Ask, all_asks, guarded_edges, ids_taken, outcome
from tests.callers import CALLERS, World
from tests.keeping import Kept

PAGE = Path(__file__).parent / "snapshots" / "access.txt"
ACCEPT = os.environ.get("SPAREKEY_ACCEPT") == "1"
# Root fields that the table leaves out. It may only shrink.
EXEMPT = frozenset[str]()
# To these everything of the other practice and the other agent is hidden.
OUTSIDE = [caller for caller in CALLERS if caller not in ("other owner", "operator")]
ID_FIELDS = (
    "practiceId",
    "agentId",
    "tokenId",
    "apiKeyId",
    "staffId",
    "invitationId",
    "factorId",
    "sessionId",
    "engagementId",
    "reviewId",
    "memberId",
)


async def test_the_table_of_all_answers_is_the_committed_one(world: World, kept: Kept) -> None:
    lines = [f"{caller:14} {meaning}" for caller, meaning in CALLERS.items()]
    first_day = await kept.restore.digest()
    for _, block in groupby(all_asks(world), lambda ask: (ask.field, ask.kind)):
        lines += ["", *[_line(ask, caller, await _ask(kept, ask, caller)) for ask in block for caller in CALLERS]]
        assert await kept.restore.digest() == first_day, lines[-1]
    text = "\n".join(lines) + "\n"
    if ACCEPT:
        PAGE.write_text(text)
    assert text.splitlines() == PAGE.read_text().splitlines()


def test_every_root_field_and_every_guarded_edge_stands_in_the_table() -> None:
    lines = PAGE.read_text().splitlines()[len(CALLERS) :]
    in_the_table = {line.split()[0] for line in lines if line}
    assert ROOTS.keys() - in_the_table == EXEMPT
    assert {edge for edge, _ in guarded_edges()} <= in_the_table


def test_every_line_of_the_table_is_there_for_every_caller() -> None:
    blocks = PAGE.read_text().split("\n\n")[1:]
    for block in blocks:
        callers = [line[53:67].strip() for line in block.splitlines()]
        assert callers == list(CALLERS) * (len(callers) // len(CALLERS))


async def test_what_is_hidden_is_answered_like_what_does_not_exist(world: World) -> None:
    """Byte for byte, for every field that takes an id; and a malformed id like both."""
    by_place = {(ask.field, ask.kind, ask.place): ask for ask in all_asks(world)}
    compared = 0
    for (field, kind, place), hidden in by_place.items():
        if place != "other":
            continue
        unknown = by_place[field, kind, "unknown"]
        for caller in OUTSIDE:
            answers = {await _body(world, ask, caller) for ask in (hidden, unknown, _malformed(unknown))}
            assert len(answers) == 1, (field, kind, caller, answers)
            compared += 1
    assert compared == len(OUTSIDE) * sum(place == "other" for _, _, place in by_place)


async def test_what_is_hidden_is_answered_so_below_the_root_and_beside_the_first_id_too(world: World) -> None:
    events = "query ($p: ID!, $e: ID) { practice(id: $p) { auditEvents(engagementId: $e) { nodes { id } } } }"
    ids = world.ids
    for caller in ("owner", "manager"):
        browser = world.browser(caller)
        foreign = [ids["engagement other"], ids["engagement unknown"], "malformed"]
        found = {(await browser.send(events, p=ids["practice own"], e=each)).content for each in foreign}
        assert len(found) == 1, found
    explain = """query ($e: ID!, $m: ID) {
        explainAccess(engagementId: $e, permission: "claims.read", memberId: $m) { allowed }
    }"""
    foreign = [ids["member other"], ids["member unknown"], "malformed"]
    asked = [await world.browser("owner").send(explain, e=ids["engagement own"], m=each) for each in foreign]
    assert {outcome(answer) for answer in asked} == {"error NOT_FOUND"}
    assert len({answer.content for answer in asked}) == 1
    foreign = [ids["member other"], ids["member unknown"], "malformed"]
    asked = [
        await world.browser("owner").send(PERMISSIONS, id=ids["engagement own"], memberId=each) for each in foreign
    ]
    assert {outcome(answer) for answer in asked} == {"error NOT_FOUND"}
    assert len({answer.content for answer in asked}) == 1
    assign = next(ask for ask in all_asks(world) if (ask.field, ask.place) == ("assignMember", "own"))
    asks = [assign.variables["input"] | {"memberId": each} for each in foreign]
    found = {(await world.browser("agent admin").send(assign.document, input=typed)).content for typed in asks}
    assert len(found) == 1
    assert b"NOT_FOUND" in found.pop()
    create = next(ask for ask in all_asks(world) if (ask.field, ask.place) == ("createApiKey", "own"))
    foreign = [ids["member other"], ids["member unknown"], "malformed"]
    asks = [create.variables["input"] | {"memberId": each} for each in foreign]
    found = {(await world.browser("agent admin").send(create.document, input=typed)).content for typed in asks}
    assert len(found) == 1
    assert b"NOT_FOUND" in found.pop()
    connect = next(ask for ask in all_asks(world) if (ask.field, ask.place) == ("connectAgent", "own"))
    foreign = [ids["agent other"], ids["agent unknown"], "malformed"]
    asks = [connect.variables["input"] | {"confirmAgentId": each} for each in foreign]
    found = {(await world.browser("owner").send(connect.document, input=typed)).content for typed in asks}
    assert len(found) == 1
    assert b"AGENT_CONFIRMATION_MISMATCH" in found.pop()
    hand_over = next(ask for ask in all_asks(world) if (ask.field, ask.place) == ("transferOwnership", "own"))
    foreign = [ids["staff other"], ids["staff unknown"], "malformed"]
    asks = [hand_over.variables["input"] | {"toStaffId": each} for each in foreign]
    found = {(await world.browser("owner").send(hand_over.document, input=typed)).content for typed in asks}
    assert len(found) == 1
    assert b"NOT_FOUND" in found.pop()


def test_every_argument_that_takes_an_id_is_asked_with_somebody_elses() -> None:
    """What takes an ID and is not here names a role or a permission of the policy, which are nobody's."""
    assert {
        place
        for place in ids_taken()
        if place.rpartition(".")[2] not in ("role", "roles", "key", "permission", "scopes", "cap")
    } == {
        *("Query.node.id", "Query.nodes.ids", "Query.practice.id", "Query.agent.id", "Query.engagement.id"),
        "Query.accessAsOf.practiceId",
        *("Query.explainAccess.engagementId", "Query.explainAccess.memberId", "Viewer.permissions.practiceId"),
        "Query.previewRoles.engagementId",
        *("Practice.auditEvents.engagementId", "Practice.auditEvents.actorUserId"),
        "Query.changes.agentId",
        # Those of `tests/test_subscription_rights.py`.
        *(
            "Subscription.tokenChanged.tokenId",
            "Subscription.engagementChanged.practiceId",
            "Subscription.changed.agentId",
        ),
        *("AddStaffInput.practiceId", "SetStaffRolesInput.staffId", "AgentInput.agentId", "InviteMemberInput.agentId"),
        "CancelInvitationInput.invitationId",
        *("CreateApiKeyInput.agentId", "CreateApiKeyInput.memberId"),
        *("RotateApiKeyInput.apiKeyId", "RevokeApiKeyInput.apiKeyId"),
        "EndSessionInput.sessionId",
        *("ConfirmTotpInput.factorId", "RemoveFactorInput.factorId"),
        *("FinishPasskeyInput.challengeId", "PasskeyAnswerInput.challengeId"),
        *("IssueTokenInput.agentId", "CancelTokenInput.tokenId", "PreviewTokenInput.practiceId"),
        *("ConnectAgentInput.practiceId", "ConnectAgentInput.confirmAgentId"),
        *("AssignMemberInput.engagementId", "AssignMemberInput.memberId", "MemberInput.memberId"),
        *("Engagement.permissions.memberId", "RequestRolesInput.engagementId", "LeavePracticeInput.engagementId"),
        "SuspendEngagementInput.engagementId",
        *("SetRolesInput.engagementId", "EngagementVersionInput.engagementId", "RevokeAgentInput.engagementId"),
        *("RequestAgreementInput.engagementId", "SignAgreementInput.engagementId", "RecordAgreementInput.engagementId"),
        *("WaiveAgreementInput.engagementId", "RenewEngagementInput.engagementId", "DecideReviewInput.reviewId"),
        "Query.clientOnboarding.agentId",
        *("RecordTrainingInput.staffId", "RemoveStaffInput.staffId"),
        *("TransferOwnershipInput.practiceId", "TransferOwnershipInput.toStaffId"),
    }


async def _ask(kept: Kept, ask: Ask, caller: str) -> str:
    """The outcome, after which everything is as it was: the guard's refusals change nothing, the rest is undone."""
    said = outcome(await kept.world.browser(caller).send(ask.document, **ask.variables))
    if ask.changes and not said.startswith(("401", "NOT_FOUND", "NOT_PERMITTED")):
        await kept.restore()
    return said


async def _body(world: World, ask: Ask, caller: str) -> bytes:
    return bytes((await world.browser(caller).send(ask.document, **ask.variables)).content)


def _malformed(ask: Ask) -> Ask:
    """The same question with its id (and whatever else is an unknown one) torn off."""
    unknown = str(ask.variables.get("id") or ask.variables.get("ids", [""])[0])
    text = orjson.dumps(ask.variables).decode()
    typed = ask.variables.get("input", {})
    unknown = unknown or next(typed[name] for name in ID_FIELDS if name in typed)
    return replace(ask, variables=orjson.loads(text.replace(unknown, unknown[:-1])))


def _line(ask: Ask, caller: str, said: str) -> str:
    place = f"{ask.kind} {ask.place}".strip()
    return f"{ask.field:30} {place:21} {caller:14} {said}"
