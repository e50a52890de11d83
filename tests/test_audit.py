from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC
from typing import Any

import asyncpg
import orjson
import pytest

from resolvers.schema import schema
from tests.changes import ALL, WITH_A_KEY, connect_agent, create_practice, engaged, issue_token
from tests.stored import as_owner, chains_hold, events, rows
from tests.town import Town

CHAIN = """
query ($id: ID!) {
  practice(id: $id) {
    auditEvents(first: 100) {
      totalCount
      nodes { type actor party engagementId policyDigest summary before after previousHash hash }
    }
  }
}
"""

TO = ("", "SignIn", "Reauthentication")  # a challenge is no event: strangers could fill the record


async def as_a_whole() -> dict[str, list[dict[str, Any]]]:
    """The record, and everything else that an effect leaves behind."""
    tables = ("users", "practices", "staff_members", "agents", "agent_members", "engagements", "role_grants")
    return {table: await rows(f"SELECT * FROM {table} ORDER BY id") for table in (*tables, "audit_events")}


def test_every_mutation_is_in_the_table_of_changes() -> None:
    mutation = schema.graphql_schema.mutation_type
    assert mutation is not None
    without_input = {name for name, field in mutation.fields.items() if not field.args}
    assert without_input == {"signOut", "endOtherSessions", "renewRecoveryCodes", *(f"beginPasskey{to}" for to in TO)}
    assert set(ALL) | without_input == set(mutation.fields)


@pytest.mark.parametrize("mutation", ALL)
async def test_a_refused_mutation_writes_nothing_and_a_successful_one_exactly_one_event(
    town: Town, mutation: str
) -> None:
    change = await ALL[mutation](town)
    before = await as_a_whole()
    refused = await change.client.do(mutation, change.selection, **{**change.typed, **change.spoiled})
    assert not refused["__typename"].endswith("Success")
    assert await as_a_whole() == before
    accepted = await change.client.do(mutation, change.selection, **change.typed)
    assert accepted["__typename"].endswith("Success")
    known = {event["id"] for event in before["audit_events"]}
    written = [event for event in await events() if event["id"] not in known]
    assert [event["type"] for event in written] == ([change.event] if change.event else [])
    for event in written:
        assert event["at"] == town.clock.now
        assert event["policy_digest"] == town.policy.digest
        assert event["actor_user_id"] is not None
    assert await chains_hold() > 0


async def test_signing_out_is_one_event_and_signing_out_again_none(town: Town) -> None:
    ann = await town.person("ann@elm.example")
    await ann.ask("mutation { signOut }")
    assert (await ann.send("mutation { signOut }")).status_code == 401
    assert [event["type"] for event in await events()] == ["user.signed_out"]


AGAIN = ("setRoles", "revokeAgent", "cancelToken", "verifyAgent", "setStaffRoles", "leavePractice", "requestRoles")
OF_PEOPLE = ("assignMember", "unassignMember", "departMember")
STOPPING = ("suspendEngagement", "resumeEngagement", "suspendAgent", "resumeAgent")


@pytest.mark.parametrize("mutation", [*AGAIN, *OF_PEOPLE, *STOPPING])
async def test_doing_again_what_is_done_already_is_no_event(town: Town, mutation: str) -> None:
    change = await WITH_A_KEY[mutation](town)
    await change.client.do(mutation, "", **change.typed)
    before = await as_a_whole()
    seen = change.typed.get("expectedVersion")
    again = {} if seen is None else {"expectedVersion": seen + 1}
    answer = await change.client.do(mutation, "", **{**change.typed, **again})
    assert answer["__typename"].endswith("Success")
    assert await as_a_whole() == before


async def test_whoever_accepts_an_invitation_is_in_the_record_of_the_place_as_who_acted(town: Town) -> None:
    elm, acme = await town.practice(), await town.agency()
    bea = await town.staff(elm, "bea@elm.example", "scheduler")
    ben = await town.member(acme, "ben@acme.example")
    (invited,), (added,) = await events("staff.invited"), await events("staff.added")
    assert (str(invited["actor_user_id"]), str(added["actor_user_id"])) == (elm.owner.user_id, bea.user_id)
    assert (str(added["chain_id"]), added["party"], added["actor"]) == (elm.id, "practice", "Bea")
    assert added["after"]["invitation"] == invited["after"]["invitation"]
    assert (added["after"]["roles"], added["after"]["invited_by"]) == (["scheduler"], elm.owner.user_id)
    (joined,) = await events("member.joined")
    assert (str(joined["chain_id"]), joined["party"], str(joined["actor_user_id"])) == (acme.id, "agent", ben.user_id)
    assert str(joined["actor_member_id"]) == joined["after"]["member"]
    assert "@" not in orjson.dumps([invited["after"], added["after"], joined["after"]]).decode()
    assert await chains_hold() == 2


async def test_each_side_acts_as_itself(town: Town) -> None:
    elm, acme, engagement = await engaged(town)
    await (await town.operator()).revoke(engagement)
    wanted = ("practice.created", "agent.registered", "agent.verified", "token.issued", "engagement.started")
    found = {event["type"]: event for event in await events() if event["type"] in (*wanted, "engagement.ended")}
    sides = {type: (event["party"], str(event["chain_id"])) for type, event in found.items()}
    assert sides == {
        "practice.created": ("practice", elm.id),
        "agent.registered": ("agent", acme.id),
        "agent.verified": ("platform", acme.id),
        "token.issued": ("agent", acme.id),
        "engagement.started": ("practice", elm.id),
        "engagement.ended": ("platform", elm.id),
    }
    (member,) = await rows("SELECT id FROM agent_members")
    assert found["token.issued"]["actor_member_id"] == member["id"]
    assert found["engagement.started"]["actor_member_id"] is None
    assert found["engagement.started"]["after"]["roles"] == []


# --- the chain


async def test_the_hash_is_that_of_the_canonical_json_of_the_event_and_the_one_before(town: Town) -> None:
    """Worked out here from the documented form alone: sha256(0x00 ‖ sorted keys, no white space, UTF-8)."""
    ann = await town.person("ann@elm.example")
    typed = {"name": "Zoë Practice 🌳", "kind": "INDEPENDENT_THERAPIST", "incorporated": False}
    await ann.do("createPractice", "", **typed)
    (event,) = await events()
    content = {}
    for key, value in event.items():
        if key == "at":
            content[key] = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        elif key != "hash" and not (key == "snapshot" and value is None):
            plain = value is None or isinstance(value, str | int | dict)
            content[key] = value if plain else str(value)
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert event["hash"] == hashlib.sha256(b"\0" + canonical).hexdigest()
    assert event["previous_hash"] == "0" * 64
    assert "Zoë Practice 🌳" in event["summary"]


async def test_practices_agents_and_people_have_chains_of_their_own(town: Town) -> None:
    await engaged(town)
    await town.visitor().do("signUp", "", name="Ann", email="ann@elm.example", password="correct horse")
    assert await chains_hold() == 3


async def test_the_practice_reads_its_chain_as_it_is_stored(town: Town) -> None:
    elm, _, engagement = await engaged(town)
    await elm.owner.set_roles(engagement, "biller")
    await elm.owner.revoke(engagement)
    seen = (await elm.owner.ask(CHAIN, id=elm.id))["auditEvents"]
    types = ["practice.created", "engagement.started", "engagement.roles_set", "engagement.ended"]
    assert ([event["type"] for event in seen["nodes"]], seen["totalCount"]) == (types, 4)
    previous = "0" * 64
    for shown, stored in zip(seen["nodes"], await events(), strict=False):
        assert shown["previousHash"] == previous
        previous = shown["hash"]
        if stored["practice_id"] is not None:
            assert (shown["before"], shown["after"]) == (stored["before"], stored["after"])


async def test_events_at_once_are_in_one_order_without_a_gap(town: Town) -> None:
    elm = await town.practice()
    people = [{"email": f"p{n}@elm.example", "name": "P", "roles": ["scheduler"]} for n in range(12)]
    await asyncio.gather(*(elm.owner.do("addStaff", "", practiceId=elm.id, **person) for person in people))
    assert await chains_hold() == 1
    assert [event["sequence"] for event in await events()] == list(range(1, 14))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET summary = 'nothing happened'",
        "UPDATE audit_events SET hash = hash",
        "DELETE FROM audit_events",
    ],
)
async def test_the_database_refuses_to_change_what_was_recorded(town: Town, statement: str) -> None:
    await town.practice()
    before = await events()
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
        await as_owner(statement)
    assert await events() == before


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit_events SET summary = 'nothing happened' WHERE sequence = 2",
        "UPDATE audit_events SET after = '{}' WHERE sequence = 2",
        "UPDATE audit_events SET actor = 'Somebody' WHERE sequence = 1",
        "DELETE FROM audit_events WHERE sequence = 2",
        "DELETE FROM audit_events WHERE sequence = (SELECT max(sequence) FROM audit_events)",
    ],
)
async def test_what_was_changed_past_the_databases_refusal_shows(town: Town, tampering: str) -> None:
    elm = await town.practice()
    for n in range(3):
        await town.staff(elm, f"p{n}@elm.example", "scheduler")
    assert await chains_hold() == 1
    await as_owner(f"DO $$ BEGIN SET LOCAL session_replication_role = replica; {tampering}; END $$")
    with pytest.raises(AssertionError):
        await chains_hold()


async def test_the_record_holds_neither_a_code_nor_a_password(town: Town) -> None:
    change = await connect_agent(town)
    await change.client.do("connectAgent", "", **change.typed)
    issue = await issue_token(town)
    issued = await issue.client.do("issueToken", issue.selection, **issue.typed)
    await (await create_practice(town)).client.do("signUp", "", name="A", email="a@a.example", password="my password")
    record = json.dumps(await events(), default=str)
    for secret in (change.typed["code"], issued["code"], "my password"):
        assert secret not in record
        assert secret.replace("-", "") not in record
