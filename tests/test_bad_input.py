"""What nobody should have typed: a typed answer that names the field, and not one row changed.

Driven by the schema: a new mutation or a new input field is asked without anybody adding it here, and a field whose
answer is another than InvalidInput has to say so in the table.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.asks import mutation_document
from tests.callers import World
from tests.input_places import Asker, Place, places, put
from tests.keeping import Kept

LONG = "x" * 10_000
NAMELESS = ["", "   ", LONG]
DECEIVING = [
    "a\x00b",
    "a\nb",
    "tab\there",
    "a\u202egpj.exe",
    "\u2066a\u2069",
    "a\u200fb",
    "\ufeffa",
    "a\u2028b",
    "\x1b[2J",
    "\x7f",
]
BAD = NAMELESS + DECEIVING
SOME = ["", LONG, "a\x00b", "a\u202eb"]
# Fields that are answered by something else than InvalidInput with their name. `ok`: it is not looked at yet.
OTHERWISE = {
    "signIn.email": "SIGN_IN_FAILED",
    "signIn.password": "SIGN_IN_FAILED",
    "signIn.secondFactor": "ok",
    "reauthenticate.password": "SIGN_IN_FAILED",
    "changePassword.password": "SIGN_IN_FAILED",
    "changePassword.secondFactor": "ok",
    "reauthenticate.secondFactor": "ok",
    "finishPasskey.challengeId": "NOT_FOUND",
    "signInWithPasskey.challengeId": "SIGN_IN_FAILED",
    "reauthenticateWithPasskey.challengeId": "SIGN_IN_FAILED",
    "previewToken.letters": "TOKEN_REJECTED",
    "previewToken.code": "CHECK_DIGIT_MISMATCH",
    "connectAgent.letters": "TOKEN_REJECTED",
    "connectAgent.code": "CHECK_DIGIT_MISMATCH",
    "connectAgent.confirmAgentId": "AGENT_CONFIRMATION_MISMATCH",
    "previewInvitation.code": "INVITATION_REJECTED",
    "acceptInvitation.code": "INVITATION_REJECTED",
    "addStaff.roles.0": "UNKNOWN_ROLE",
    "setStaffRoles.roles.0": "UNKNOWN_ROLE",
    "transferOwnership.roles.0": "UNKNOWN_ROLE",
    "setRoles.roles.0.role": "UNKNOWN_ROLE",
    "requestRoles.roles.0": "UNKNOWN_ROLE",
    "assignMember.cap.0": "UNKNOWN_ROLE",
    "unassignMember.cap.0": "INVALID_INPUT cap",
    "decideReview.roles.0.role": "INVALID_INPUT roles",  # KEEP takes none
}
IDS = (
    "practiceId",
    "agentId",
    "memberId",
    "tokenId",
    "apiKeyId",
    "staffId",
    "toStaffId",
    "invitationId",
    "factorId",
    "sessionId",
    "engagementId",
    "reviewId",
)  # NOT_FOUND


PLACES = {place.name: place for place in places()}


def expected(place: Place) -> str:
    if place.path[-1] in IDS:
        return "NOT_FOUND"
    return OTHERWISE.get(place.name, f"INVALID_INPUT {'.'.join(map(str, place.path))}")


def bad_for(place: Place) -> list[str]:
    """Of a new password only the length counts. What is hashed slowly on purpose is asked less often."""
    if place.name in ("signUp.password", "changePassword.newPassword"):
        return [*NAMELESS, "x" * 7, "x" * 257]
    return SOME if expected(place) in ("SIGN_IN_FAILED", "TOKEN_REJECTED") else BAD


@pytest.fixture
async def asker(world: World, kept: Kept) -> Asker:
    return Asker(kept)


async def test_every_text_of_every_mutation_is_answered_by_name_and_changes_nothing(asker: Asker) -> None:
    asked = 0
    for place in PLACES.values():
        if place.scalar == "String" and expected(place) != "ok":
            asked += await asker.refused(place, bad_for(place), expected(place))
    assert asked > 300


async def test_every_id_of_every_mutation_may_be_anything_and_finds_nothing(asker: Asker) -> None:
    strange = [
        "0",
        "-1",
        "None",
        "../../etc/passwd",
        "' OR 1=1 --",
        "{" + "0" * 36 + "}",
        "urn:uuid:" + "0" * 32,
        "٣" * 36,
    ]
    for place in PLACES.values():
        if place.scalar == "ID":
            await asker.refused(place, BAD + strange, expected(place))


def test_what_is_answered_otherwise_is_in_the_schema() -> None:
    assert OTHERWISE.keys() <= PLACES.keys()
    assert {place.scalar for place in PLACES.values()} >= {"String", "ID", "Int", "Boolean", "DateTime"}


async def test_numbers_out_of_range_are_answered_by_name(asker: Asker) -> None:
    ttl, version = PLACES["issueToken.ttlMinutes"], PLACES["setRoles.expectedVersion"]
    for number in (0, -1, 61, 2**31 - 1, -(2**31)):
        assert await asker.said(ttl, number) == "INVALID_INPUT ttlMinutes"
    others = ("confirmRoles", "terminateAgreement", "suspendEngagement", "resumeEngagement", "renewEngagement")
    for place in (version, *(PLACES[f"{name}.expectedVersion"] for name in others)):
        for number in (-1, 0, 1, 2**31 - 1, -(2**31)):
            assert await asker.said(place, number) == "STALE_VERSION"


async def test_what_is_no_number_and_no_time_never_reaches_a_resolver(asker: Asker) -> None:
    texts: tuple[Any, ...] = ({}, [], {"a": 1}, 1.5, True)
    words = ("", "yes", 1, "billing_company", LONG)
    wrong: dict[str, tuple[Any, ...]] = {
        "Int": (2**31, -(2**31) - 1, 2**53, 1.5, "5", True, [], {}, "x"),
        "DateTime": ("", LONG, "2027-01-01", "2027-01-01T00:00:00", "2027-13-01T00:00:00Z", 1, "a\u202eb", "now"),
        "Date": ("", LONG, "2026-02-29", "2026-11-20T00:00:00Z", "20261120", 20261120, "a\u202eb", "today"),
        **dict.fromkeys(("Boolean", "PracticeKind", "AgentKind", "Purpose", "ComplianceBasis"), words),
        **dict.fromkeys(("String", "ID"), texts),
    }
    for place in PLACES.values():
        await asker.refused(place, wrong.get(place.scalar, ()), "error INVALID_VARIABLES")


async def test_every_int_and_every_time_has_a_test_of_its_range() -> None:
    named = {place.name for place in PLACES.values() if place.scalar in ("Int", "DateTime", "Date")}
    assert named == {
        *("issueToken.ttlMinutes", "setRoles.expectedVersion", "confirmRoles.expectedVersion"),
        *("suspendEngagement.expectedVersion", "resumeEngagement.expectedVersion"),
        *("renewEngagement.expectedVersion", "renewEngagement.expiresAt", "decideReview.roles.0.expiresAt"),
        *("connectAgent.expiresAt", "setRoles.roles.0.expiresAt"),
        *("createApiKey.expiresAt", "rotateApiKey.expiresAt"),
        *("recordTraining.completedOn", "terminateAgreement.expectedVersion", "signAgreement.effectiveOn"),
        *("signAgreement.expiresOn", "recordAgreement.effectiveOn", "recordAgreement.expiresOn"),
        "recordAgreement.trainingCompletedOn",
    }


async def test_a_time_in_the_past_or_too_far_away_is_answered_by_name(asker: Asker) -> None:
    engagement, grant = PLACES["connectAgent.expiresAt"], PLACES["setRoles.roles.0.expiresAt"]
    past = ["2026-11-23T12:00:00Z", "2026-11-23T11:59:59.999999Z", "1999-01-01T00:00:00+14:00", "0001-01-02T00:00:00Z"]
    for text in past:
        assert await asker.said(engagement, text) == "INVALID_INPUT expiresAt"
        assert await asker.said(grant, text) == "INVALID_INPUT roles.0.expiresAt"
    for text in ("2028-11-22T12:00:01Z", "9999-12-31T23:59:59Z"):
        assert await asker.said(engagement, text) == "INVALID_INPUT expiresAt"
    assert await asker.said(engagement, "2028-11-22T12:00:00Z") == "ok"
    renewed = PLACES["renewEngagement.expiresAt"]
    for text in (*past, "2028-11-22T12:00:01Z", "9999-12-31T23:59:59Z"):
        assert await asker.said(renewed, text) == "INVALID_INPUT expiresAt"
        assert await asker.said(PLACES["decideReview.roles.0.expiresAt"], text) == "INVALID_INPUT roles"
    assert await asker.said(renewed, "2028-11-22T12:00:00Z") == "ok"
    for name in ("createApiKey.expiresAt", "rotateApiKey.expiresAt"):
        for text in (*past, "2027-11-23T12:00:01Z", "9999-12-31T23:59:59Z"):
            assert await asker.said(PLACES[name], text) == "INVALID_INPUT expiresAt"


async def test_a_day_that_has_not_come_or_is_too_long_ago_is_answered_by_name(asker: Asker) -> None:
    trained = PLACES["recordTraining.completedOn"]
    for text in ("2026-11-24", "9999-12-31", "2003-04-13", "0001-01-01"):
        assert await asker.said(trained, text) == "INVALID_INPUT completedOn"
    assert await asker.said(trained, "2003-04-14") == "ok"


async def test_a_day_that_no_agreement_has_is_answered_by_name(asker: Asker) -> None:
    asked = 0
    for place in PLACES.values():
        if place.scalar == "Date":
            for day in ("0001-01-01", "1926-11-23", "9999-12-31"):
                said = await asker.said(place, day)
                assert said == f"INVALID_INPUT {place.path[-1]}", (place.name, day)
                asked += 1
    assert asked >= 15


@pytest.mark.parametrize(
    ("mutation", "selection", "typed"),
    [
        ("setRoles", "roles.0.role", "biler"),
        ("addStaff", "roles.0", "Biller"),
        ("setStaffRoles", "roles.0", "billers"),
        ("transferOwnership", "roles.0", "billers"),
        ("requestRoles", "roles.0", "biler"),
        ("assignMember", "cap.0", "biler"),
    ],
)
async def test_an_unknown_role_is_answered_with_the_nearest(
    asker: Asker, mutation: str, selection: str, typed: str
) -> None:
    document = mutation_document(mutation, {"UnknownRole": "role didYouMean"})
    path = PLACES[f"{mutation}.{selection}"].path
    said = await asker.browser(mutation).ask(document, input=put(asker.inputs[mutation], path, typed))
    assert (said["problem"], said["role"], said["didYouMean"][0]) == ("UNKNOWN_ROLE", typed, "biller")


async def test_a_role_named_twice_and_no_role_at_all_are_answered_by_name(asker: Asker) -> None:
    for mutation in ("addStaff", "setStaffRoles", "setRoles", "requestRoles"):
        one: Any = {"role": "biller"} if mutation == "setRoles" else "biller"
        field = "roles.1.role" if mutation == "setRoles" else "roles"
        typed = asker.inputs[mutation] | {"roles": [one, one]}
        assert await asker.outcome(mutation, **typed) == f"INVALID_INPUT {field}"
    assert await asker.outcome("addStaff", **asker.inputs["addStaff"] | {"roles": []}) == "INVALID_INPUT roles"


async def test_the_queries_take_anything_too(asker: Asker) -> None:
    owner, ids = asker.kept.world.browser("owner"), asker.kept.world.ids
    for bad in BAD:
        for field in ("node", "practice", "agent", "engagement"):
            assert await owner.ask(f"query ($id: ID!) {{ {field}(id: $id) {{ __typename }} }}", id=bad) is None
        assert await owner.ask("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[bad, bad]) == [None, None]
        assert await owner.ask("query ($key: ID!) { role(key: $key) { key } }", key=bad) is None
        found = await owner.ask("query ($s: String) { agents(search: $s) { totalCount } }", s=bad)
        assert found["totalCount"] == (3 if not bad.strip() else 0)
        found = await owner.ask("query ($id: ID!) { viewer { permissions(practiceId: $id) } }", id=bad)
        assert found["permissions"] == []
        explain = "query ($e: ID!, $p: ID!) { explainAccess(engagementId: $e, permission: $p) { allowed } }"
        assert await owner.ask(explain, e=ids["engagement own"], p=bad) == {"allowed": False}
        document = "query ($p: ID!, $e: ID) { practice(id: $p) { auditEvents(engagementId: $e) { totalCount } } }"
        found = await owner.ask(document, p=ids["practice own"], e=bad)
        assert found["auditEvents"]["totalCount"] == 0


async def test_half_a_character_is_refused_before_anything_is_looked_at(asker: Asker) -> None:
    """A lone surrogate is no text: JSON can spell it, UTF-8 and PostgreSQL cannot."""
    before = await asker.digest()
    for place in PLACES.values():
        if place.scalar != "String":
            continue
        typed = put(asker.inputs[place.mutation], place.path, "LONE")
        text = orjson.dumps({"query": mutation_document(place.mutation, {}), "variables": {"input": typed}})
        answer = await asker.kept.world.browser("owner").http.post(
            "/graphql", content=text.replace(b"LONE", b"\\ud800"), headers={"content-type": "application/json"}
        )
        assert answer.status_code == 400
    assert await asker.digest() == before


async def test_a_token_may_be_typed_with_spaces_dashes_and_in_lower_case(asker: Asker) -> None:
    letters, code = asker.kept.world.letters, asker.kept.world.code.replace("-", "")
    spellings = [
        (letters.lower(), code),
        (" ".join(letters), " ".join(code)),
        ("-".join(letters.lower()), f" {code[:4]} {code[4:8]}\u2013{code[8:]} "),
    ]
    for typed_letters, typed_code in spellings:
        typed = asker.inputs["previewToken"] | {"letters": typed_letters, "code": typed_code}
        assert await asker.outcome("previewToken", **typed) == "ok"


async def test_names_of_other_scripts_are_names(asker: Asker) -> None:
    """What is refused is what hides or turns text, not what is written in another alphabet."""
    persian = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"  # with the joiner that its spelling needs
    for name in ("Zoë Müller", "நாகராஜன்", persian, "孫悟空", "O'Brien & Søn", "🌳 Elm"):
        assert await asker.said(PLACES["createPractice.name"], name) == "ok", name
