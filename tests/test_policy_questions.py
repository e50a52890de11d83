"""`why`, `who` and `explainAccess`: the live engagement, the same decision as the API's, and one query."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from authz.explain import explain
from authz.plain_words import as_given
from models import AgentMember, Agreement, Assignment, User
from models.asyncpg_client import AsyncpgClient
from resolvers import standing
from server.command import main
from tests.agreed import Parties
from tests.statements import noted
from tests.town import START, Agency, Client, House, Town

WHY = """
query ($engagement: ID!, $permission: ID!, $member: ID) {
    explainAccess(engagementId: $engagement, permission: $permission, memberId: $member) {
        allowed reason policyDigest steps { check passed detail } wouldBeAllowedBy { key permissions { key } }
    }
}
"""
MEMBERS = "query ($id: ID!) { agent(id: $id) { members(first: 50) { nodes { id user { email } } } } }"


class Work:
    """ACME bills for Elm Street; a member of ACME works there, another does not."""

    def __init__(self, town: Town, house: House, acme: Agency, engagement: dict[str, Any]) -> None:
        self.town, self.house, self.acme, self.engagement = town, house, acme, engagement
        self.ids: dict[str, str] = {}

    async def why(self, client: Client, permission: str, member: str | None = None) -> dict[str, Any]:
        known = self.ids.get(member or "", member)
        found = await client.ask(WHY, engagement=self.engagement["id"], permission=permission, member=known)
        return dict(found)

    async def agree(self) -> None:
        signed: dict[str, Any] = {"agent_signed_at": START, "practice_signed_at": START, "effective_on": START.date()}
        await Agreement.create(engagement_id=self.engagement["id"], basis="baa", requested_at=START, **signed)

    async def assign(self, email: str, *cap: str) -> None:
        owner = await User.get(email=self.house.owner.email)
        await Assignment.create(
            engagement_id=self.engagement["id"],
            member_id=self.ids[email],
            cap=list(cap) or None,
            assigned_at=START,
            assigned_by_id=owner.id,
        )

    async def person(self, email: str, permission: str) -> str:
        """What `sparekey policy why` is made of, as lines."""
        (house,) = await standing.people("elm street therapy", email, self.town.policy, self.town.clock.now)
        (person,) = house.people
        found = explain(self.town.policy, tuple(person.seats), permission, background=person.seats, where=as_given)
        return f"{found.decision.reason.name}: {found.steps[-1].detail}{person.ended and ' / ' + person.ended}"


@pytest.fixture
async def work(town: Town) -> Work:
    house, acme = await town.practice(), await town.agency()
    made = Work(town, house, acme, await town.engage(house, acme))
    await town.member(acme, "mary@acme.example")
    await town.member(acme, "ned@acme.example")
    found = await acme.admin.ask(MEMBERS, id=acme.id)
    made.ids = {node["user"]["email"]: node["id"] for node in found["members"]["nodes"]}
    return made


async def test_each_thing_that_is_missing_is_named_until_nothing_is(work: Work) -> None:
    """The way of an engagement from its first day: roles, the agreement, the assignment."""
    owner = work.house.owner
    found = await work.why(owner, "claims.submit")
    assert (found["allowed"], found["reason"]) == (False, "ROLE_LACKS_PERMISSION")
    assert found["policyDigest"] == work.town.policy.digest
    assert [role["key"] for role in found["wouldBeAllowedBy"]] == ["biller", "manager"]
    assert found["steps"][-1]["detail"].startswith("no role is turned on; the smallest role that does is biller")

    await owner.set_roles(work.engagement, "biller")
    found = await work.why(owner, "claims.submit")
    assert (found["reason"], found["wouldBeAllowedBy"]) == ("AGREEMENT_MISSING", [])
    assert "the agent signs it, the practice records it" in found["steps"][-1]["detail"]

    await work.agree()
    found = await work.why(owner, "claims.submit")
    assert (found["allowed"], found["reason"]) == (True, "ALLOWED")
    assert "granted on 2026-11-23 → biller (roles/biller.yaml:" in found["steps"][3]["detail"]

    found = await work.why(owner, "claims.submit", "mary@acme.example")
    assert found["reason"] == "MEMBER_NOT_ASSIGNED"
    await work.assign("mary@acme.example")
    assert (await work.why(owner, "claims.submit", "mary@acme.example"))["allowed"]
    assert (await work.why(owner, "claims.submit", "ned@acme.example"))["reason"] == "MEMBER_NOT_ASSIGNED"


async def test_a_sensitive_role_that_waits_for_the_owner_is_told(work: Work) -> None:
    clerk = await work.town.staff(work.house, "boss@elm.example", "manager")
    await clerk.set_roles(work.engagement, "manager", acknowledgeWarnings=True)
    found = await work.why(work.house.owner, "practice.settings.update")
    assert (
        "no role is turned on, and the role Manager waits for the owner's confirmation" in found["steps"][-1]["detail"]
    )


async def test_where_an_agreement_stands_is_told_by_the_api_and_by_why_in_the_same_words(work: Work) -> None:
    await work.house.owner.set_roles(work.engagement, "biller")
    await work.assign("mary@acme.example")
    parties = Parties(work.house, work.acme, work.engagement)

    async def told(words: str) -> None:
        found = await work.why(parties.owner, "claims.submit")
        (blocker,) = [each for each in (await parties.look())["blockers"] if each["code"].startswith("AGREEMENT")]
        said = await work.person("mary@acme.example", "claims.submit")
        assert said == f"AGREEMENT_MISSING: {blocker['message']}"
        assert found["steps"][-1]["detail"] == blocker["message"]
        assert words in said

    await parties.record(effectiveOn="2026-11-24")
    await told("the practice has recorded the agreement; the agent signs it")
    await parties.sign()
    await told("begins on 2026-11-24; until then nothing is permitted")
    await parties.terminate()
    await told("the agreement was ended")
    await parties.sign()
    await told("the agent has signed the agreement; record it for the practice")


async def test_what_is_over_is_not_active(work: Work) -> None:
    await work.house.owner.set_roles(work.engagement, "biller")
    work.town.clock.advance(days=366)
    owner = await work.town.person(work.house.owner.email)
    found = await work.why(owner, "claims.submit")
    assert (found["reason"], found["steps"][-1]["detail"]) == ("NOT_ACTIVE", "the engagement has expired; renew it")


async def test_both_sides_may_ask_and_nobody_else(work: Work) -> None:
    for client in (work.house.owner, work.acme.admin, await work.town.operator()):
        assert (await work.why(client, "claims.read"))["reason"] == "ROLE_LACKS_PERMISSION"
    stranger = await work.town.practice("Oak Lane Counseling")
    clerk = await work.town.staff(work.house, "desk@elm.example", "scheduler")
    for client, code in ((stranger.owner, "NOT_FOUND"), (clerk, "NOT_PERMITTED")):
        refused = await client.refusal(WHY, engagement=work.engagement["id"], permission="claims.read")
        assert refused["extensions"]["code"] == code


@pytest.mark.parametrize("member", ["nonsense", "0193a0f0-0000-7000-8000-000000000000", "of another agent"])
async def test_a_member_of_nobody_or_of_another_agent_is_not_found(work: Work, member: str) -> None:
    if member == "of another agent":
        other = await work.town.agency("Clear Books", "PRACTICE_MANAGEMENT_COMPANY")
        member = (await other.admin.ask(MEMBERS, id=other.id))["members"]["nodes"][0]["id"]
    refused = await work.house.owner.refusal(
        WHY, engagement=work.engagement["id"], permission="claims.read", member=member
    )
    assert refused["extensions"]["code"] == "NOT_FOUND"


async def test_an_unknown_permission_is_explained_and_not_an_error(work: Work) -> None:
    found = await work.why(work.house.owner, "claims.sumbit")
    assert (found["reason"], found["steps"][-1]["passed"]) == ("UNKNOWN_PERMISSION", False)
    assert found["steps"][-1]["detail"].endswith("did you mean claims.submit?")


async def test_the_explanation_of_a_member_is_the_decision_that_the_api_takes(work: Work) -> None:
    """Permission by permission: what is said to be allowed is what the member's own screen shows."""
    await work.house.owner.set_roles(work.engagement, "biller", "auditor")
    await work.agree()
    await work.assign("mary@acme.example", "auditor")
    mary = await work.town.person("mary@acme.example")
    held = set(
        (await mary.ask("query ($id: ID!) { viewer { permissions(practiceId: $id) } }", id=work.house.id))[
            "permissions"
        ]
    )
    for permission in ("claims.read", "claims.submit", "reports.financial.read", "agents.connect", "payments.record"):
        assert (await work.why(mary, permission, "mary@acme.example"))["allowed"] == (permission in held), permission


async def test_why_asks_by_e_mail_or_id_and_by_the_practice_s_name_or_id(work: Work) -> None:
    await work.house.owner.set_roles(work.engagement, "biller")
    await work.agree()
    await work.assign("mary@acme.example")
    said = await work.person("mary@acme.example", "claims.submit")
    assert said == "ALLOWED: biller gives it without any"
    policy, now = work.town.policy, work.town.clock.now
    mary = await User.get(email="mary@acme.example")
    by_id = await standing.people(work.house.id, str(mary.id), policy, now)
    assert by_id == await standing.people("Elm Street Therapy", "MARY@acme.example", policy, now)
    granted = next(iter(by_id[0].people[0].seats.values())).granted
    assert granted == {"biller": "granted by Owner on 2026-11-23"}
    assert await work.person("owner@elm.example", "claims.submit") == "ALLOWED: owner gives it without any"
    assert (await work.person("ned@acme.example", "claims.submit")).startswith("MEMBER_NOT_ASSIGNED: the member is not")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("departed_at", START, "the member has left the agent"),
        ("joined_at", None, "the member has not accepted the invitation"),
        ("suspended_at", START, "the agent has suspended the member"),
    ],
)
async def test_a_member_who_does_not_work_now_is_not_active(work: Work, column: str, value: Any, words: str) -> None:
    await work.house.owner.set_roles(work.engagement, "biller")
    await work.agree()
    await work.assign("mary@acme.example")
    await AgentMember.filter(id=work.ids["mary@acme.example"]).update(**{column: value})
    found = await work.why(work.house.owner, "claims.read", "mary@acme.example")
    assert (found["reason"], found["steps"][-1]["detail"]) == ("NOT_ACTIVE", words)
    gone = "NO_ENGAGEMENT: no staff membership and no engagement"
    said = await work.person("mary@acme.example", "claims.read")
    assert said == (f"NOT_ACTIVE: {words}" if column == "suspended_at" else gone)


async def test_why_and_who_are_one_query_each(work: Work, database: AsyncpgClient) -> None:
    for who in ("mary@acme.example", None):
        async with noted(database) as seen:
            (house,) = await standing.people(work.house.id, who, work.town.policy, work.town.clock.now)
        assert len(seen) == 1
    assert {person.email for person in house.people} == {
        *("owner@elm.example", "admin@acme.example", "mary@acme.example", "ned@acme.example"),
        "operator@sparekey.example",
    }


async def test_why_tells_strangers_ended_engagements_and_disabled_accounts_apart(work: Work) -> None:
    await work.house.owner.set_roles(work.engagement, "biller")
    await work.agree()
    await work.assign("mary@acme.example")
    await work.town.person("stranger@nowhere.example")
    none = "NO_ENGAGEMENT: no staff membership and no engagement"
    assert await work.person("stranger@nowhere.example", "claims.read") == none
    await User.filter(email="mary@acme.example").update(disabled_at=START)
    assert await work.person("mary@acme.example", "claims.read") == "NOT_ACTIVE: the account is disabled"
    await User.filter(email="mary@acme.example").update(disabled_at=None)
    await work.house.owner.revoke(work.engagement)
    ended = f"{none} / the engagement of ACME Billing ended on 2026-11-23"
    assert await work.person("mary@acme.example", "claims.read") == ended
    policy, now = work.town.policy, work.town.clock.now + timedelta(days=1)
    assert await standing.people("No Such Practice", None, policy, now) == ()
    (house,) = await standing.people(work.house.id, "nobody@nowhere.example", policy, now)
    assert house.people == ()


async def test_the_command_answers_from_the_database_of_the_settings(
    work: Work, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await work.house.owner.set_roles(work.engagement, "biller")
    monkeypatch.chdir(Path(__file__).parents[1])
    asked = await _in_another_process(database_url, "why", "owner@elm.example", "claims.submit", "Elm Street Therapy")
    assert "Owner <owner@elm.example> may claims.submit at Elm Street Therapy: ALLOWED" in asked
    assert "✔ a role gives it: " in asked
    assert "biller (policies/roles/biller.yaml:" in asked
    everybody = await _in_another_process(database_url, "who", "payments.refund", work.house.id)
    assert everybody.splitlines() == [
        "payments.refund at Elm Street Therapy: 1 person",
        "  Owner <owner@elm.example>: staff, through owner",
    ]
    nobody = await _in_another_process(database_url, "who", "claims.submit", "Nowhere")
    assert nobody == "Error: no practice has the id or name Nowhere\n"


async def _in_another_process(url: str, *words: str) -> str:
    """The command opens a pool of its own, which this process has already done."""
    process = await asyncio.create_subprocess_exec(
        *("python", "-c", "from server.command import main; main()", "policy", *words),
        env={"SPAREKEY_DATABASE_URL": url, "PATH": _path(), "SPAREKEY_MODE": "development"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return said.decode()


def _path() -> str:
    return str(Path(sys.executable).parent)


def test_a_misspelt_permission_is_refused_before_the_database_is_asked() -> None:
    said = CliRunner().invoke(main, ["policy", "who", "claims.sumbit", "Elm Street Therapy"])
    assert (said.exit_code, said.output) == (
        1,
        "Error: the policy has no permission claims.sumbit; did you mean claims.submit?\n",
    )
