"""Making, rotating and revoking keys: who may, what a key may carry, and what is written down."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from authz.scopes import carriable
from models import ApiKey, AuditEvent, IdempotencyKey
from models.connection import client
from operations import key_text
from tests.keys import KEYS, MADE, create, made, member_of, program, revoke, rotate, status
from tests.socket_door import shorten
from tests.town import Agency, House, Town


async def test_a_key_is_shown_once_and_stored_as_a_hash(town: Town, acme: Agency) -> None:
    key = await made(acme, "tokens.read", "members.read")
    assert key_text.is_key(key["secret"])
    assert key["secret"].startswith(key["prefix"] + "_")
    assert (key["label"], key["scopes"], key["revokedAt"]) == ("Platform", ["members.read", "tokens.read"], None)
    stored = await ApiKey.get(id=key["id"])
    assert stored.expires_at == town.clock.now + timedelta(days=90)
    (listed,) = (await acme.admin.ask(KEYS, id=acme.id))["apiKeys"]
    assert listed | {"lastUsedAt": None} == listed
    assert (listed["id"], listed["member"]["user"]["name"]) == (key["id"], "Admin")
    node = "query ($id: ID!) { node(id: $id) { id ... on ApiKey { prefix } } }"
    assert (await acme.admin.ask(node, id=key["id"])) == {"id": key["id"], "prefix": key["prefix"]}


async def test_no_secret_gets_into_the_database_or_a_log(
    town: Town, acme: Agency, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = await made(acme, "agents.read", idempotencyKey="once")
    await program(town, key["secret"]).ask("query ($id: ID!) { agent(id: $id) { id } }", id=acme.id)
    secret = key["secret"].removeprefix(key["prefix"] + "_")
    for table in ("api_keys", "audit_events", "idempotency_keys", "agents"):
        rows = await client().execute_query_dict(f"SELECT row_to_json(t)::text AS row FROM {table} t")
        assert rows, table
        assert not [row for row in rows if secret in row["row"]], table
    assert secret not in caplog.text


async def test_the_same_request_again_shows_the_same_key_and_makes_no_other(town: Town, acme: Agency) -> None:
    first = await made(acme, "tokens.read", idempotencyKey="a")
    again = await made(acme, "tokens.read", idempotencyKey="a")
    assert (again["id"], again["secret"]) == (first["id"], first["secret"])
    assert (await create(acme, "tokens.issue", idempotencyKey="a"))["problem"] == "IDEMPOTENCY_CONFLICT"
    assert await ApiKey.all().count() == 1
    assert await IdempotencyKey.all().count() == 1
    town.clock.advance(seconds=601)
    assert (await create(acme, "tokens.read", idempotencyKey="a"))["problem"] == "STEP_UP_REQUIRED"


async def test_a_key_is_made_and_rotated_only_soon_after_the_password(town: Town, acme: Agency) -> None:
    key = await made(acme, "tokens.read")
    town.clock.advance(seconds=601)
    assert (await create(acme, "tokens.read"))["problem"] == "STEP_UP_REQUIRED"
    assert (await rotate(acme, key))["problem"] == "STEP_UP_REQUIRED"
    assert (await revoke(acme, key))["apiKey"]["revokedAt"] is not None, "whoever found it in the open is not held up"


async def test_no_key_makes_keys_whatever_it_carries(town: Town, acme: Agency) -> None:
    """Scope escalation: neither a wider key, nor the text of one that its person made under an idempotency key."""
    key = await made(acme, "api_keys.manage", "members.read", idempotencyKey="a")
    bot = Agency(acme.id, program(town, key["secret"]))
    bot.admin.user_id = acme.admin.user_id
    assert (await create(bot, "members.depart"))["problem"] == "STEP_UP_REQUIRED"
    again = await create(bot, "api_keys.manage", "members.read", idempotencyKey="a")
    assert (again["problem"], again.get("secret")) == ("STEP_UP_REQUIRED", None)
    assert (await rotate(bot, key))["problem"] == "STEP_UP_REQUIRED"
    plain = await made(acme, "members.read")
    bot.admin = program(town, plain["secret"])
    bot.admin.user_id = acme.admin.user_id
    assert (await create(bot, "members.read"))["problem"] == "NOT_PERMITTED"
    assert (await revoke(bot, key))["problem"] == "NOT_PERMITTED"


@pytest.mark.parametrize(
    ("typed", "field", "hint"),
    [
        ({"scopes": []}, "scopes", "at least one"),
        ({"scopes": ["tokens.read", "tokens.isue"]}, "scopes.1", "did you mean tokens.issue?"),
        ({"scopes": ["account.read"]}, "scopes.0", "cannot carry"),
        ({"scopes": ["account.sessions.end"]}, "scopes.0", "cannot carry"),
        ({"scopes": ["practices.create"]}, "scopes.0", "cannot carry"),
        ({"scopes": ["agents.connect"]}, "scopes.0", "cannot carry"),
        ({"scopes": ["agents.verify"]}, "scopes.0", "cannot carry"),
        ({"scopes": ["psychotherapy_notes.read"]}, "scopes.0", "cannot carry"),
        ({"scopes": ["*"]}, "scopes.0", "cannot carry"),
        ({"scopes": ["tokens.*"]}, "scopes.0", "cannot carry"),
        ({"scopes": ["x" * 5_000]}, "scopes.0", "cannot carry"),
        ({"scopes": ["tokens.read", "tokens.read"]}, "scopes", "once"),
        ({"label": " "}, "label", "at least one"),
        ({"label": "a" * 101}, "label", "100"),
        ({"label": "a\u202eb"}, "label", "direction marks"),
        ({"expiresAt": "2026-11-23T12:00:00Z"}, "expiresAt", "in the future"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt", "in the future"),
        ({"expiresAt": "2027-11-23T12:00:01Z"}, "expiresAt", "at most 365 days"),
    ],
)
async def test_what_is_wrong_with_a_new_key_is_said_by_name(
    acme: Agency, typed: dict[str, Any], field: str, hint: str
) -> None:
    given = {"label": "Platform", "scopes": ["tokens.read"], **typed}
    answer = await acme.admin.do(
        "createApiKey", "... on InvalidInput { field }", agentId=acme.id, memberId=await member_of(acme), **given
    )
    assert (answer["problem"], answer["field"]) == ("INVALID_INPUT", field)
    assert hint in answer["message"]
    assert await ApiKey.all().count() == 0


async def test_a_year_is_the_most_and_can_be_had(town: Town, acme: Agency) -> None:
    key = await made(acme, "tokens.read", expiresAt="2027-11-23T12:00:00Z")
    town.clock.advance(days=364, hours=23)
    assert await status(town, key["secret"]) == 200
    town.clock.advance(hours=1)
    assert await status(town, key["secret"]) == 401


async def test_what_a_key_can_carry_is_what_such_an_agents_people_can_have(town: Town) -> None:
    """Nothing of a person's account, nothing that outsiders never have, and everything of the agent's own."""
    for kind in town.policy.agents:
        carried = carriable(town.policy, kind)
        assert not [key for key in carried if key.startswith(("account.", "practices.", "policy."))]
        assert carried.isdisjoint({"agents.connect", "agents.verify", "records.export", "staff.add"})
        assert {"tokens.issue", "members.read", "claims.read", "api_keys.manage"} <= carried
    assert "claims.read" not in carriable(town.policy, "a kind that is gone")
    wide = replace(town.policy.roles["agent_member"], permissions=frozenset({"account.read", "agents.read"}))
    policy = replace(town.policy, roles={"agent_member": wide})
    assert carriable(policy, "billing_company") == {"agents.read"}


async def test_a_key_acts_for_a_member_of_that_agent_who_is_at_work(town: Town, acme: Agency) -> None:
    rival = await town.agency("Rival Billing")
    unknown = "00000000-0000-7000-8000-00000000ffff"
    for foreign in (await member_of(rival), unknown, "malformed", acme.id):
        assert (await create(acme, "tokens.read", memberId=foreign))["problem"] == "NOT_FOUND"
    joe = await town.member(acme, "joe@acme.example")
    for change in ("suspended_at", "departed_at"):
        await client().execute_query_dict(
            f"UPDATE agent_members SET {change} = $1 WHERE user_id = $2", [town.clock.now, joe.user_id]
        )
        assert (await create(acme, "tokens.read", member=joe))["field"] == "memberId"


async def test_only_the_agents_administrators_manage_and_see_its_keys(
    town: Town, acme: Agency, elm_street: House, engagement: dict[str, Any]
) -> None:
    key = await made(acme, "tokens.read")
    joe = await town.member(acme, "joe@acme.example")
    rival = await town.agency("Rival Billing")
    mine = {"agentId": acme.id, "memberId": await member_of(acme), "label": "L", "scopes": ["tokens.read"]}
    node = "query ($id: ID!) { node(id: $id) { id } }"
    for who, made_by, known in (
        (joe, "NOT_PERMITTED", "NOT_PERMITTED"),
        (elm_street.owner, "NOT_PERMITTED", "NOT_FOUND"),
        (rival.admin, "NOT_FOUND", "NOT_FOUND"),
    ):
        assert (await who.do("createApiKey", MADE, **mine))["problem"] == made_by
        assert (await who.do("rotateApiKey", MADE, apiKeyId=key["id"]))["problem"] == known
        assert (await who.do("revokeApiKey", MADE, apiKeyId=key["id"]))["problem"] == known
    assert (await joe.refusal(KEYS, id=acme.id))["extensions"]["code"] == "NOT_PERMITTED"
    assert (await elm_street.owner.refusal(KEYS, id=acme.id))["extensions"]["code"] == "NOT_PERMITTED"
    assert await rival.admin.ask(KEYS, id=acme.id) is None
    assert await elm_street.owner.ask(node, id=key["id"]) is None
    assert await rival.admin.ask(node, id=key["id"]) is None


async def test_rotating_gives_a_second_live_key_and_no_third(town: Town, acme: Agency) -> None:
    old = await made(acme, "tokens.read", "agents.read")
    answer = await rotate(acme, old, idempotencyKey="r")
    new = answer["apiKey"] | {"secret": answer["secret"]}
    assert (new["clientId"], new["scopes"], new["label"]) == (old["clientId"], old["scopes"], old["label"])
    assert new["secret"] != old["secret"]
    assert (await rotate(acme, old, idempotencyKey="r"))["secret"] == new["secret"]
    assert [await status(town, each["secret"]) for each in (old, new)] == [200, 200]
    assert (await rotate(acme, new))["problem"] == "LIMIT_REACHED"
    await revoke(acme, old)
    assert [await status(town, each["secret"]) for each in (old, new)] == [401, 200]
    assert (await rotate(acme, old))["field"] == "apiKeyId"
    assert (await rotate(acme, new))["__typename"] == "ApiKeySuccess"
    assert len((await acme.admin.ask(KEYS, id=acme.id))["apiKeys"]) == 2
    assert len((await acme.admin.ask(KEYS, id=acme.id, live=False))["apiKeys"]) == 3


async def test_an_agent_has_only_so_many_clients(acme: Agency, monkeypatch: pytest.MonkeyPatch, town: Town) -> None:
    shorten(monkeypatch, api_clients_per_agent=2)
    first = await made(acme, "tokens.read")
    second = await rotate(acme, first)
    await made(acme, "tokens.read", expiresAt=(town.clock.now + timedelta(minutes=5)).isoformat())
    assert (await create(acme, "tokens.read"))["limit"] == 2
    await revoke(acme, first)
    assert (await create(acme, "tokens.read"))["limit"] == 2, "its other key is live"
    await revoke(acme, second["apiKey"])
    await made(acme, "tokens.read")
    assert (await create(acme, "tokens.read"))["limit"] == 2
    town.clock.advance(minutes=5)
    await made(acme, "tokens.read")


async def test_revoking_twice_is_revoking_once(town: Town, acme: Agency) -> None:
    key = await made(acme, "tokens.read")
    first = await revoke(acme, key)
    town.clock.advance(seconds=5)
    assert (await revoke(acme, key))["apiKey"] == first["apiKey"]
    assert await AuditEvent.filter(type="api_key.revoked").count() == 1


async def test_the_record_says_which_key_acted_for_whom(town: Town, acme: Agency) -> None:
    joe = await town.member(acme, "joe@acme.example")
    key = await made(acme, "tokens.issue", member=joe)
    issued = await program(town, key["secret"]).do("issueToken", "", agentId=acme.id)
    assert issued["__typename"] == "IssueTokenSuccess"
    event = await AuditEvent.get(type="token.issued")
    assert str(event.actor_api_key_id) == key["id"]
    assert str(event.actor_user_id) == joe.user_id
    assert str(event.actor_member_id) == await member_of(acme, joe)
    created = await AuditEvent.get(type="api_key.created")
    assert created.actor_api_key_id is None
    assert created.after is not None
    assert created.after["scopes"] == ["tokens.issue"]
    assert created.after["member"] == await member_of(acme, joe)
