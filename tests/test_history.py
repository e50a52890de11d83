"""Who could do what on an earlier day: from the record alone, under the policy of that day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from models import Agreement, Assignment, Engagement, PolicyActivation, RoleGrant
from tests.stored import as_owner
from tests.town import Agency, House, Town

AS_OF = """
query ($id: ID!, $at: DateTime!) {
  accessAsOf(practiceId: $id, at: $at) {
    status roles permissions policyDigest engagement { id status } people { permissions member { id } }
  }
}
"""
BILLER = ["claims.read", "claims.submit", "clients.read", "eligibility.check", "payments.read", "payments.record"]


async def as_of(house: House, at: datetime) -> Any:
    return await house.owner.ask(AS_OF, id=house.id, at=at.isoformat())


async def later(town: Town, house: House, **by: float) -> House:
    """The same practice some time later: its owner has signed in again."""
    town.clock.advance(**by)
    return House(house.id, await town.person(house.owner.email))


@pytest.fixture
async def desk(town: Town) -> Agency:
    return await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")


async def test_each_day_is_told_as_it_was(town: Town, elm_street: House, desk: Agency) -> None:
    began = town.clock.now
    elm_street = await later(town, elm_street, days=1)
    engagement = await town.engage(elm_street, Agency(desk.id, await town.person(desk.admin.email)))
    elm_street = await later(town, elm_street, days=1)
    done = await elm_street.owner.set_roles(engagement, "biller", acknowledgeWarnings=True)
    elm_street = await later(town, elm_street, days=1)
    await elm_street.owner.set_roles(done["engagement"], "scheduler", acknowledgeWarnings=True)
    elm_street = await later(town, elm_street, days=1)
    await elm_street.owner.revoke(engagement)
    elm_street = await later(town, elm_street, days=1)
    days = [await as_of(elm_street, began + timedelta(days=day, hours=1)) for day in range(5)]
    assert [[(each["status"], each["roles"]) for each in day] for day in days] == [
        [],
        [("AWAITING_ROLES", [])],
        [("ACTIVE", ["biller"])],
        [("ACTIVE", ["scheduler"])],
        [],
    ]
    assert set(BILLER) <= set(days[2][0]["permissions"])
    assert "claims.submit" not in days[3][0]["permissions"]
    assert days[2][0]["engagement"] == {"id": engagement["id"], "status": "ENDED"}


async def test_to_the_instant(town: Town, elm_street: House, desk: Agency) -> None:
    engagement = await town.engage(elm_street, desk)
    elm_street = await later(town, elm_street, hours=1)
    ends = town.clock.now + timedelta(hours=2)
    granted = town.clock.now
    wanted = {"role": "scheduler", "expiresAt": ends.isoformat()}
    await elm_street.owner.set_roles(engagement, wanted, acknowledgeWarnings=True)
    elm_street = await later(town, elm_street, days=1)
    tick = timedelta(microseconds=1)
    for at, roles in ((granted - tick, []), (granted, ["scheduler"]), (ends - tick, ["scheduler"]), (ends, [])):
        assert [each["roles"] for each in await as_of(elm_street, at)] == [roles]


async def test_what_the_tables_say_today_plays_no_part(town: Town, elm_street: House, desk: Agency) -> None:
    engagement = await town.engage(elm_street, desk)
    await elm_street.owner.set_roles(engagement, "scheduler", acknowledgeWarnings=True)
    at = town.clock.now
    elm_street = await later(town, elm_street, days=1)
    before = await as_of(elm_street, at)
    for model in (RoleGrant, Assignment, Agreement):
        await as_owner(f"DELETE FROM {model._meta.db_table}")
    await Engagement.all().update(expires_at=at + timedelta(seconds=1), suspended_at=at)
    after = await as_of(elm_street, at)
    assert [{**each, "engagement": None} for each in after] == [{**each, "engagement": None} for each in before]
    assert before[0]["roles"] == ["scheduler"]


async def test_who_was_assigned_then_is_named_with_what_they_could_do(
    town: Town, elm_street: House, acme: Agency
) -> None:
    engagement = await town.engage(elm_street, acme)
    ben = await town.member(acme, "ben@acme.example")
    (member,) = (await ben.ask("{ viewer { memberOf { nodes { id } } } }"))["memberOf"]["nodes"]
    now = town.clock.now
    by = acme.admin.user_id
    await Assignment.create(engagement_id=engagement["id"], member_id=member["id"], assigned_at=now, assigned_by_id=by)
    signed: dict[str, Any] = {"agent_signed_at": now, "practice_signed_at": now, "effective_on": now.date()}
    await Agreement.create(engagement_id=engagement["id"], basis="baa", **signed)
    await elm_street.owner.set_roles(engagement, "biller")
    (found,) = await as_of(elm_street, now)
    assert found["status"] == "ACTIVE"
    assert found["people"] == [{"permissions": found["permissions"], "member": member}]
    assert set(BILLER) <= set(found["permissions"])


async def test_a_day_to_come_is_refused_and_outsiders_see_nothing(town: Town, elm_street: House, acme: Agency) -> None:
    tomorrow = (town.clock.now + timedelta(days=1)).isoformat()
    refused = await elm_street.owner.refusal(AS_OF, id=elm_street.id, at=tomorrow)
    assert refused["extensions"]["code"] == "INVALID_INPUT"
    await town.engage(elm_street, acme)
    outside = await acme.admin.refusal(AS_OF, id=elm_street.id, at=town.clock.now.isoformat())
    assert outside["extensions"]["code"] == "NOT_PERMITTED"


async def test_a_policy_that_is_not_stored_is_said_to_be_missing(town: Town, elm_street: House) -> None:
    activation: dict[str, Any] = {"digest": "0" * 12, "source_digest": "0" * 64, "name": "gone", "version": "1"}
    await PolicyActivation.create(number=1, activated_at=town.clock.now, **activation)
    refused = await elm_street.owner.refusal(AS_OF, id=elm_street.id, at=town.clock.now.isoformat())
    assert (refused["extensions"]["code"], "not stored" in refused["message"]) == ("INVALID_INPUT", True)
