"""An agent may wish for roles; only the practice gives them."""

from __future__ import annotations

from typing import Any

from tests.members import version
from tests.stored import events
from tests.town import Agency, Client, House, Town

WISHED = """
... on EngagementSuccess { engagement { status requestedRoles { reason } } } ... on InvalidInput { field }
... on UnknownRole { role didYouMean } ... on RoleNotGrantable { role } ... on EngagementEnded { endReason }
... on NotPermitted { permission }
"""
WISH = """query ($id: ID!) {
    engagement(id: $id) { status requestedRoles { roles { key } reason at by { name } } permissions { key } }
}"""


async def wish(client: Client, engagement: dict[str, Any], *roles: str, reason: str = "to file claims") -> Any:
    return await client.do("requestRoles", WISHED, engagementId=engagement["id"], roles=list(roles), reason=reason)


async def standing(client: Client, engagement: dict[str, Any]) -> Any:
    return (await client.ask(WISH, id=engagement["id"]))["requestedRoles"]


async def test_a_wish_is_seen_by_both_sides_and_gives_nothing(
    elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    assert await standing(elm_street.owner, engagement) is None
    answer = await wish(acme.admin, engagement, "manager", "biller")
    assert answer["engagement"] == {"status": "AWAITING_ROLES", "requestedRoles": {"reason": "to file claims"}}
    for client in (elm_street.owner, acme.admin):
        assert await standing(client, engagement) == {
            "roles": [{"key": "biller"}, {"key": "manager"}],
            "reason": "to file claims",
            "at": "2026-11-23T12:00:00Z",
            "by": {"name": "Admin"},
        }
    (event,) = await events("engagement.roles_requested")
    assert (str(event["chain_id"]), event["party"], event["before"]) == (elm_street.id, "agent", None)
    assert event["after"] == {"roles": ["biller", "manager"], "reason": "to file claims"}
    assert event["snapshot"]["grants"] == []


async def test_the_same_wish_again_is_none_and_another_takes_its_place(
    elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    await wish(acme.admin, engagement, "biller", "auditor")
    await wish(acme.admin, engagement, "auditor", "biller")
    assert (await version(engagement), len(await events("engagement.roles_requested"))) == (2, 1)
    await wish(acme.admin, engagement, "auditor", reason="only reports")
    assert (await standing(elm_street.owner, engagement))["roles"] == [{"key": "auditor"}]
    _, second = await events("engagement.roles_requested")
    assert second["before"] == {"roles": ["auditor", "biller"], "reason": "to file claims"}


async def test_setting_roles_answers_it_also_with_the_roles_there_are(
    elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    await wish(acme.admin, engagement, "biller", "auditor")
    owner = elm_street.owner
    set_ = await owner.set_roles({**engagement, "version": 2}, "auditor")
    assert await standing(acme.admin, engagement) is None
    await wish(acme.admin, engagement, "manager")
    declined = await owner.set_roles({**engagement, "version": set_["engagement"]["version"] + 1}, "auditor")
    assert await standing(owner, engagement) is None
    assert [grant["role"]["key"] for grant in declined["engagement"]["roles"]] == ["auditor"]
    again = await owner.set_roles({**engagement, "version": declined["engagement"]["version"]}, "auditor")
    assert again["engagement"]["version"] == declined["engagement"]["version"], "nothing is left to answer"


async def test_confirming_roles_answers_nothing(
    elm_street: House, acme: Agency, engagement: dict[str, Any], mia: Client
) -> None:
    await mia.set_roles(engagement, "manager", acknowledgeWarnings=True)
    await wish(acme.admin, engagement, "manager", "auditor")
    typed = {"engagementId": engagement["id"], "expectedVersion": 3}
    confirmed = await elm_street.owner.do("confirmRoles", "", **typed)
    assert confirmed["__typename"] == "SetRolesSuccess"
    assert (await standing(elm_street.owner, engagement))["roles"] == [{"key": "auditor"}, {"key": "manager"}]


NOT_GRANTABLE: list[tuple[tuple[str, ...], str, str, str]] = [
    ((), "why", "INVALID_INPUT", "roles"),
    (("biller", "biller"), "why", "INVALID_INPUT", "roles"),
    (("biller",), " ", "INVALID_INPUT", "reason"),
    (("biller",), "x" * 501, "INVALID_INPUT", "reason"),
    (("bilker",), "why", "UNKNOWN_ROLE", "bilker"),
    (("scheduler",), "why", "ROLE_NOT_GRANTABLE", "scheduler"),
    (("owner",), "why", "ROLE_NOT_GRANTABLE", "owner"),
]


async def test_a_wish_that_nobody_could_grant_is_refused(acme: Agency, engagement: dict[str, Any]) -> None:
    for roles, reason, problem, named in NOT_GRANTABLE:
        refused = await wish(acme.admin, engagement, *roles, reason=reason)
        assert (refused["problem"], refused.get("field", refused.get("role"))) == (problem, named)
    assert await version(engagement) == 1


async def test_who_may_wish(town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]) -> None:
    ben = await town.member(acme, "ben@acme.example")
    for client in (ben, elm_street.owner):
        assert (await wish(client, engagement, "biller"))["permission"] == "engagements.request_roles"
    await wish(acme.admin, engagement, "biller")
    await elm_street.owner.revoke(engagement)
    assert (await wish(acme.admin, engagement, "auditor"))["problem"] == "ENGAGEMENT_ENDED"
    assert await standing(acme.admin, engagement) is None, "nobody can answer it any more"
