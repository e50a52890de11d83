from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.stored import events, rows
from tests.town import Agency, House, Town

ISSUED = """
... on IssueTokenSuccess { code token { id letters spoken status attemptsRemaining label externalRef expiresAt } }
... on InvalidInput { field } ... on LimitReached { limit }
"""
TOKENS = """
query ($id: ID!, $live: Boolean) {
  agent(id: $id) { tokens(live: $live) { id letters status attemptsRemaining engagement { id } } }
}
"""
PREVIEWED = """
... on PreviewTokenSuccess { agent { agentId legalName practiceCount verified } advice { overrideWith } }
"""


async def issue(acme: Agency, **typed: Any) -> Any:
    return await acme.admin.do("issueToken", ISSUED, agentId=acme.id, **typed)


async def seen_by_the_agent(acme: Agency, letters: str) -> tuple[str, int]:
    """Status and attempts left of the newest token with these letters."""
    agent = await acme.admin.ask(TOKENS, id=acme.id, live=False)
    token = next(token for token in agent["tokens"] if token["letters"] == letters)
    return token["status"], token["attemptsRemaining"]


async def test_a_preview_shows_who_it_is_and_how_many_practices_but_no_names(
    town: Town, elm_street: House, acme: Agency
) -> None:
    await town.engage(await town.practice("Harbour Counselling"), acme)
    letters, code = await acme.issue()
    typed = {"practiceId": elm_street.id, "letters": letters, "code": code}
    previewed = await elm_street.owner.do("previewToken", PREVIEWED, **typed)
    card = {"agentId": acme.id, "legalName": "ACME Billing", "practiceCount": 1, "verified": True}
    assert (previewed["agent"], previewed["advice"]) == (card, None)


@pytest.mark.parametrize("dress", [str.lower, " ".join, "-".join, lambda typed: f" {typed} "])
async def test_letters_and_code_are_accepted_however_they_are_typed(
    town: Town, elm_street: House, acme: Agency, dress: Callable[[str], str]
) -> None:
    letters, code = await acme.issue()
    connected = await elm_street.owner.connect(elm_street, dress(letters), dress(code), acme)
    assert connected["__typename"] == "ConnectAgentSuccess"
    assert await seen_by_the_agent(acme, letters) == ("CONSUMED", 0)


async def test_a_token_of_another_agent_than_the_confirmed_one_connects_nothing_and_stays_good(
    town: Town, elm_street: House, acme: Agency
) -> None:
    letters, code = await acme.issue()
    clearwater = await town.agency("Clearwater", "PRACTICE_MANAGEMENT_COMPANY")
    for other in (clearwater.id, elm_street.id, "", "x"):
        mistaken = await elm_street.owner.connect(elm_street, letters, code, Agency(other, clearwater.admin))
        assert mistaken["problem"] == "AGENT_CONFIRMATION_MISMATCH"
    assert await rows("SELECT FROM engagements") == []
    confirmed = await elm_street.owner.connect(elm_street, letters, code, Agency(acme.id.upper(), acme.admin))
    assert confirmed["__typename"] == "ConnectAgentSuccess"


async def test_a_true_groups_receptionist_is_sent_to_the_staff_page_unless_she_is_not_its_own(town: Town) -> None:
    northside = await town.practice("Northside Group", "TRUE_GROUP")
    desk = await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")
    token = await desk.issue()
    previewed = await northside.owner.do(
        "previewToken", PREVIEWED, practiceId=northside.id, letters=token[0], code=token[1]
    )
    assert previewed["advice"] == {"overrideWith": "notMyEmployee"}
    refused = await northside.owner.connect(northside, *token, desk)
    assert (refused["problem"], refused["overrideWith"]) == ("USE_STAFF_ACCOUNT", "notMyEmployee")
    insisted = await northside.owner.connect(northside, *token, desk, notMyEmployee=True)
    assert insisted["__typename"] == "ConnectAgentSuccess"
    (event,) = await events("engagement.started")
    assert event["after"]["not_my_employee"] is True


async def test_a_true_group_connects_a_company_without_ado(town: Town, acme: Agency) -> None:
    northside = await town.practice("Northside Group", "TRUE_GROUP")
    assert await town.engage(northside, acme)


@pytest.mark.parametrize(
    ("expires_at", "accepted"),
    [
        ("2026-11-23T12:00:00Z", False),
        ("2026-11-23T12:00:01Z", True),
        ("2028-11-22T12:00:00Z", True),
        ("2028-11-22T12:00:01Z", False),
        (None, True),
    ],
)
async def test_an_engagement_ends_in_the_future_within_730_days(
    town: Town, elm_street: House, acme: Agency, expires_at: str | None, accepted: bool
) -> None:
    token = await acme.issue()
    answer = await elm_street.owner.connect(elm_street, *token, acme, expiresAt=expires_at)
    assert answer["__typename"] == ("ConnectAgentSuccess" if accepted else "InvalidInput")
    assert accepted or answer["field"] == "expiresAt"
    stored = await rows('SELECT to_char(expires_at, \'YYYY-MM-DD"T"HH24:MI:SS"Z"\') AS at FROM engagements')
    assert stored == ([{"at": expires_at or "2027-11-23T12:00:00Z"}] if accepted else [])
