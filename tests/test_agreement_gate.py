"""Nothing is permitted while a required agreement is not in force: to the day, and whatever the sides do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authz.agreement import AgreementFacts
from authz.decide import Reason, decide, permissions
from authz.life import Facts, Grant
from authz.load import load
from resolvers.actors import organisation_seat
from tests.agreed import Parties
from tests.engaged import permissions_of
from tests.stored import rows
from tests.town import POLICIES, START, Agency, Client, House, Town

POLICY = load(POLICIES)
TODAY = START.date()
COMPANIES = ("billing_company", "practice_management_company", "gardener")
BILLER = Grant("biller", START, START)
days = st.one_of(st.none(), st.integers(-3, 3).map(lambda n: TODAY + timedelta(days=n)))
moments = st.sampled_from([None, START])


def agreed(found: AgreementFacts, today: date) -> bool:
    """The rule once more, in the words of the law: both sides acted, and today is one of its days."""
    if found.terminated_at or found.waived_at:
        return False
    if found.covered_until and found.covered_until >= today:
        return True
    acted = found.practice_signed_at and (found.agent_signed_at or found.basis == "workforce_training")
    begun = found.effective_on and found.effective_on <= today
    return bool(acted and begun and (found.expires_on is None or found.expires_on >= today))


@settings(max_examples=400, deadline=None)
@given(
    kind=st.sampled_from(COMPANIES),
    agreement=st.builds(
        AgreementFacts,
        requested_at=st.none(),
        basis=st.sampled_from(["baa", "workforce_training"]),
        agent_signed_at=moments,
        practice_signed_at=moments,
        effective_on=days,
        expires_on=days,
        covered_until=days,
        waived_at=st.sampled_from([None, None, None, START]),
        terminated_at=st.sampled_from([None, None, None, START]),
    ),
    at=st.sampled_from([timedelta(0), timedelta(hours=12) - timedelta(microseconds=1), timedelta(hours=12)]),
)
def test_without_both_acts_and_one_of_its_days_nothing_is_permitted(
    kind: str, agreement: AgreementFacts, at: timedelta
) -> None:
    now = START + at
    facts = Facts(START - timedelta(9), START + timedelta(99), kind, (BILLER,), agreement)
    seat = organisation_seat(facts, POLICY, now)
    held = permissions(POLICY, [seat])
    assert bool(held) is (agreed(agreement, now.date()) and kind in POLICY.agents)
    if not held and kind in POLICY.agents:
        assert decide(POLICY, [seat], "claims.submit").reason is Reason.AGREEMENT_MISSING


@pytest.fixture
async def parties(town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]) -> Parties:
    await elm_street.owner.set_roles(engagement, "biller")
    return Parties(elm_street, acme, engagement)


async def assign(parties: Parties) -> None:
    """Its admin, past the API."""
    await rows(
        "INSERT INTO assignments (id, engagement_id, member_id, assigned_at, assigned_by_id)"
        " SELECT gen_random_uuid(), $1, id, now(), user_id FROM agent_members WHERE user_id = $2",
        parties.id,
        parties.admin.user_id,
    )


async def test_it_opens_at_its_first_midnight_and_closes_after_its_last(town: Town, parties: Parties) -> None:
    """For the person and for the engagement, seen by whoever has an answer in memory already."""
    await assign(parties)
    await parties.sign()
    await parties.record(effectiveOn="2026-11-25", expiresOn="2026-12-24")
    owner, admin = [await _always(town, each) for each in (parties.owner, parties.admin)]
    for at, open_ in (
        (datetime(2026, 11, 24, 23, 59, 59, 999_999, UTC), False),
        (datetime(2026, 11, 25, tzinfo=UTC), True),
        (datetime(2026, 12, 24, 23, 59, 59, 999_999, UTC), True),
        (datetime(2026, 12, 25, tzinfo=UTC), False),
    ):
        town.clock.now = at
        owner, admin = [await _always(town, each) for each in (owner, admin)]
        for _ in range(2):
            assert ("claims.submit" in await permissions_of(admin, parties.house)) is open_, at
            found = await parties.look(owner)
            assert (found["status"] == "ACTIVE", bool(found["permissions"])) == (open_, open_), at


async def _always(town: Town, client: Client) -> Client:
    """Signed in again: a session does not last from one month into the next."""
    return await town.person(client.email)


# --- whatever the sides do


class Act(NamedTuple):
    """What a side says at some time, in days from the first; None where it says nothing."""

    side: str
    sha: str | None
    first: int | None
    last: int | None
    later: int


acts = st.builds(
    Act,
    side=st.sampled_from(["sign", "sign", "record", "record", "terminate", "request"]),
    sha=st.sampled_from(["a" * 64, "b" * 64, None]),
    first=st.sampled_from([0, 1, 3, None]),
    last=st.sampled_from([2, 4, 6, None]),
    later=st.sampled_from([0, 0, 1, 3]),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(done=st.lists(acts, min_size=3, max_size=7))
async def test_whatever_the_sides_do_it_opens_only_for_what_both_have_said(
    town: Town, parties: Parties, done: list[Act]
) -> None:
    town.clock.now = START
    await rows("UPDATE agreements SET superseded_at = now()")
    signed: list[Act] = []
    recorded: list[Act] = []
    for act in done:
        town.clock.advance(days=act.later)
        parties.owner, parties.admin = [await _always(town, each) for each in (parties.owner, parties.admin)]
        answer = await _said(parties, act)
        if answer["__typename"] == "EngagementSuccess":
            {"sign": signed, "record": recorded}.get(act.side, []).append(act)
            if act.side == "terminate":
                signed, recorded = [], []
        if (await parties.look())["permissions"]:
            today = (town.clock.now - START).days
            assert any(_both(one, other, today) for one in signed for other in recorded)


async def _said(parties: Parties, act: Act) -> Any:
    dates = {"effectiveOn": act.first, "expiresOn": act.last}
    typed: dict[str, Any] = {name: str(TODAY + timedelta(days=day)) for name, day in dates.items() if day is not None}
    if act.side == "sign":
        return await parties.sign(documentSha256=act.sha or "a" * 64, **typed)
    if act.side == "record":
        return await parties.record(documentSha256=act.sha, **{"effectiveOn": str(TODAY), **typed})
    return await (parties.terminate() if act.side == "terminate" else parties.request())


def _both(one: Act, other: Act, today: int) -> bool:
    """A signature and a record that mean the same document and days, of which today is one."""
    same = other.sha in (None, one.sha or "a" * 64)
    first = other.first or 0
    lasts = {each.last for each in (one, other) if each.last is not None}
    days_agree = one.first in (None, first) and len(lasts) <= 1
    return same and days_agree and first <= today and all(today <= last for last in lasts)
