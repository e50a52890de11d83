"""The sweeper tells what time brought about: each thing once, whoever sweeps, and only while it is so."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import asyncpg
import pytest

import limits
from authz.agreement import AgreementFacts
from authz.life import Facts, Grant, Status, life
from authz.load import load
from authz.notices import outlook, time_rules
from authz.policy import Policy
from limits import Limit
from models import Agreement
from operations.policy import activate, store
from operations.sweep import sweep
from server.policy_compiler import sound_set
from server.sweeping import sweep_now_and_then
from tests.policy_workers import environment
from tests.processes import CHECKOUT, SPAREKEY
from tests.stored import chains_hold, events, rows
from tests.stored_facts import drawn
from tests.timed import at, decide, renew, reviews
from tests.town import POLICIES, House, Town

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
END = datetime(2027, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load(POLICIES)


def _facts(**more: Any) -> Facts:
    return Facts(START, END, "billing_company", **more)


def _kinds(facts: Facts, policy: Policy, now: datetime) -> list[str]:
    """What is told at an instant, with the days of those that have any."""
    return [f"{notice.kind} {notice.says.get('days', '')}".strip() for notice in outlook(facts, policy, now).due]


# --- what is to be told, and when


def test_of_thirty_seven_and_one_day_only_the_nearest_that_applies_is_told(policy: Policy) -> None:
    told = {days: _kinds(_facts(), policy, END - timedelta(days=days)) for days in (31, 30, 7.001, 7, 2, 1, 0.001)}
    soon = "engagement.expires_soon"
    assert told == {
        31: [],
        30: [f"{soon} 30"],
        7.001: [f"{soon} 30"],
        7: [f"{soon} 7"],
        2: [f"{soon} 7"],
        1: [f"{soon} 1"],
        0.001: [f"{soon} 1"],
    }
    assert _kinds(_facts(), policy, END) == ["engagement.expired"]
    assert _kinds(_facts(), policy, END + timedelta(days=30)) == ["engagement.ended"]


def test_who_extends_itself_is_told_so_beforehand_and_at_each_turn(policy: Policy) -> None:
    facts, turn = _facts(auto_extend=True), END + timedelta(days=365)
    (ahead,) = outlook(facts, policy, END - timedelta(days=7)).due
    assert (ahead.kind, ahead.says["auto_extend"]) == ("engagement.expires_soon", True)
    assert "extended by itself" in ahead.summary
    assert _kinds(facts, policy, END) == ["engagement.extended"]
    assert [notice.due_at for notice in outlook(facts, policy, turn).due] == [turn]


def test_a_term_shorter_than_the_notice_is_told_of_only_what_lies_within_it(policy: Policy) -> None:
    facts = _facts()._replace(expires_at=START + timedelta(days=5))
    assert outlook(facts, policy, START) == ((), START + timedelta(days=4))


def test_an_agreement_is_told_of_before_its_last_day_and_after_it(policy: Policy) -> None:
    day = date(2027, 3, 1)
    made = AgreementFacts("baa", START, START, START, date(2026, 11, 24), day)
    facts = _facts(agreement=made)
    for instant, told in (
        (datetime(2027, 1, 29, 23, 59, 59, tzinfo=UTC), []),
        (datetime(2027, 1, 30, tzinfo=UTC), ["agreement.expires_soon 30"]),
        (datetime(2027, 3, 1, 23, 59, 59, tzinfo=UTC), ["agreement.expires_soon 1"]),
        (datetime(2027, 3, 2, tzinfo=UTC), ["agreement.expired"]),
    ):
        assert _kinds(facts, policy, instant) == told, instant
    for unmade in ({"practice_signed_at": None}, {"terminated_at": START}, {"waived_at": START}):
        assert _kinds(_facts(agreement=made._replace(**unmade)), policy, datetime(2027, 3, 2, tzinfo=UTC)) == []


def test_a_review_is_told_of_a_month_ahead_and_when_its_silence_suspends(policy: Policy) -> None:
    facts = _facts(grants=(Grant("manager", START, START),), reviewed_at=START)
    for instant, told in (
        (datetime(2027, 1, 21, 23, 59, 59, tzinfo=UTC), []),
        (datetime(2027, 1, 22, tzinfo=UTC), ["review.due"]),
        (datetime(2027, 3, 23, 23, 59, 59, tzinfo=UTC), ["review.due"]),
        (datetime(2027, 3, 24, tzinfo=UTC), ["review.overdue"]),
    ):
        assert _kinds(facts, policy, instant) == told, instant
        overdue = life(facts, policy, instant).status is Status.SUSPENDED
        assert overdue is (told == ["review.overdue"])


def test_roles_that_lapse_at_the_same_instant_are_told_of_together(policy: Policy) -> None:
    end = START + timedelta(days=1)
    grants = (Grant("biller", START, START, end), Grant("scheduler", START, START, end))
    (lapsed,) = outlook(_facts(grants=grants), policy, end).due
    assert (lapsed.kind, lapsed.says["roles"]) == ("role.lapsed", ["biller", "scheduler"])


@pytest.mark.parametrize("seed", range(40))
def test_until_the_next_look_there_is_nothing_new_to_tell(policy: Policy, seed: int) -> None:
    """Whatever is stored, the sweeper that comes only when it said it would misses nothing."""
    random = Random(seed)
    facts, now = drawn(random.choice, START), START
    for _ in range(40):
        due, look_at = outlook(facts, policy, now)
        known, until = {(notice.kind, notice.due_at) for notice in due}, look_at or now + timedelta(days=800)
        for instant in (until - timedelta(microseconds=1), now + (until - now) / random.randint(2, 9)):
            assert {(notice.kind, notice.due_at) for notice in outlook(facts, policy, instant).due} <= known
        now = until


def test_another_period_in_the_policy_makes_other_rules(policy: Policy, tmp_path: Any) -> None:
    assert time_rules(policy) == time_rules(load(POLICIES))
    assert len(time_rules(policy)) == 16


# --- telling it once


@pytest.fixture
async def told_of(town: Town, elm_street: House) -> dict[str, Any]:
    """An engagement with something of every kind ahead."""
    acme = await town.agency()
    engagement = await town.engage(elm_street, acme, expiresAt="2027-02-01T00:00:00Z")
    ending = {"role": "biller", "expiresAt": "2026-12-01T00:00:00Z"}
    done = await elm_street.owner.set_roles(engagement, ending, "manager", acknowledgeWarnings=True)
    days: dict[str, Any] = {"effective_on": date(2026, 11, 23), "expires_on": date(2027, 1, 10)}
    signed: dict[str, Any] = {"agent_signed_at": START, "practice_signed_at": START}
    await Agreement.create(engagement_id=engagement["id"], basis="baa", **signed, **days)
    found: dict[str, Any] = done["engagement"]
    return found


async def _told() -> list[str]:
    return [event["type"] for event in await events() if event["actor"] == "Sparekey"]


async def test_a_winter_is_told_in_its_order_each_thing_once(
    town: Town, told_of: dict[str, Any], elm_street: House
) -> None:
    now, last = START, datetime(2027, 4, 1, tzinfo=UTC)
    while now < last:
        assert sum((await sweep(town.policy, now)).values()) <= 2
        now += timedelta(hours=12)
    assert await _told() == [
        "role.lapsed",
        "agreement.expires_soon",
        "engagement.expires_soon",
        "agreement.expires_soon",
        "agreement.expires_soon",
        "agreement.expired",
        "review.due",
        "engagement.expires_soon",
        "engagement.expires_soon",
        "engagement.expired",
        "engagement.ended",
    ]
    (stored,) = await rows("SELECT ended_at, end_reason, version FROM engagements")
    assert stored == {"ended_at": datetime(2027, 3, 3, tzinfo=UTC), "end_reason": "expired", "version": 3}
    for event in await events("engagement.expires_soon"):
        assert (event["party"], event["actor_user_id"], str(event["chain_id"])) == ("platform", None, elm_street.id)
        assert event["snapshot"]["expires_at"] == "2027-02-01T00:00:00+00:00"
    fed = await rows("SELECT type FROM agent_changes ORDER BY number")
    assert [row["type"] for row in fed][-11:] == await _told()
    assert await chains_hold() > 0


async def test_what_nobody_told_is_told_later_if_it_is_still_so(town: Town, told_of: dict[str, Any]) -> None:
    assert await sweep(town.policy, datetime(2027, 1, 28, tzinfo=UTC)) == {
        "role.lapsed": 1,
        "agreement.expired": 1,
        "review.due": 1,
        "engagement.expires_soon": 1,
    }
    (soon,) = await events("engagement.expires_soon")
    assert (soon["after"]["days"], soon["after"]["since"]) == (7, "2027-01-25T00:00:00+00:00")


async def test_a_renewal_is_told_of_anew(town: Town, told_of: dict[str, Any], elm_street: House) -> None:
    owner = await at(town, "2027-01-31T12:00:00Z", elm_street.owner)
    assert (await sweep(town.policy, town.clock.now))["engagement.expires_soon"] == 1
    await renew(owner, told_of, "2027-02-05T12:00:00Z")
    assert await sweep(town.policy, town.clock.now) == {"engagement.expires_soon": 1}
    first, second = await events("engagement.expires_soon")
    assert (first["after"]["days"], second["after"]["days"]) == (1, 7)
    assert await sweep(town.policy, town.clock.now) == {}


async def test_a_decided_review_is_told_of_no_more(town: Town, told_of: dict[str, Any], elm_street: House) -> None:
    owner = await at(town, "2027-01-22T00:00:00Z", elm_street.owner)
    (review,) = await reviews(owner, elm_street)
    await decide(owner, review, "KEEP")
    assert (await sweep(town.policy, town.clock.now))["review.due"] == 0


async def test_four_sweepers_at_once_write_the_end_of_a_grace_once(
    town: Town, told_of: dict[str, Any], elm_street: House
) -> None:
    await at(town, "2027-03-03T00:00:00Z", elm_street.owner)
    sweeps = [sweep(town.policy, town.clock.now) for _ in range(4)]
    await asyncio.gather(*sweeps)
    assert len(await events("engagement.ended")) == 1
    (ended,) = await events("engagement.ended")
    assert (ended["actor"], ended["after"]) == ("Sparekey", {"end_reason": "expired"})


async def test_what_somebody_is_changing_is_told_when_they_are_done(
    town: Town, told_of: dict[str, Any], database_url: str
) -> None:
    session, now = await asyncpg.connect(database_url), datetime(2027, 2, 1, tzinfo=UTC)
    await session.execute("BEGIN; UPDATE engagements SET expires_at = '2028-02-01T00:00:00Z'")
    assert await sweep(town.policy, now) == {}
    await session.execute("COMMIT")
    await session.close()
    assert (await sweep(town.policy, now))["engagement.expired"] == 0
    assert (await events("engagement.expired"), len(await _told())) == ([], 3)


async def test_a_server_sweeps_now_and_then_and_goes_on_after_a_failure(
    town: Town, told_of: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "LIMITS", {**limits.LIMITS, "sweep_seconds": Limit("sweep_seconds", 0, "", "")})
    turns = iter([IndexError, *[None] * 1000])

    def in_force() -> Policy:
        if fault := next(turns):
            raise fault
        return town.policy

    running = asyncio.create_task(sweep_now_and_then(in_force, lambda: datetime(2026, 12, 1, tzinfo=UTC)))
    for _ in range(200):
        await asyncio.sleep(0.01)
        if await _told():
            break
    running.cancel()
    assert await _told() == ["role.lapsed"]
    assert caplog.messages == ["nothing could be told: IndexError"]


CROWD = """
INSERT INTO engagements (id, practice_id, agent_id, purpose, started_at, started_by_id, expires_at)
SELECT ('019b0000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, e.practice_id, a.id, e.purpose, e.started_at,
    e.started_by_id, '2026-12-01T00:00:00Z'::timestamptz
FROM engagements e, generate_series(1, 300) n
JOIN LATERAL (
    SELECT ('019c0000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid AS id
) a ON TRUE
"""
AGENTS = """
INSERT INTO agents (id, kind, legal_name, city, address, phone, email, registered_at, registered_by_id)
SELECT ('019c0000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, a.kind, a.legal_name, a.city, a.address, a.phone,
    a.email, a.registered_at, a.registered_by_id
FROM agents a, generate_series(1, 300) n
"""


async def test_eight_sweepers_at_once_tell_each_of_three_hundred_once(town: Town, engagement: dict[str, Any]) -> None:
    await rows(AGENTS)
    await rows(CROWD)
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    told = await asyncio.gather(*(sweep(town.policy, now) for _ in range(8)))
    assert sum(map(Counter.total, told)) == 300
    found = Counter(event["engagement_id"] for event in await events("engagement.expires_soon"))
    assert (len(found), set(found.values())) == (300, {1})
    assert await chains_hold() > 0
    assert await sweep(town.policy, now) == {}


async def test_servers_that_sweep_by_the_command_tell_everything_once_between_them(
    town: Town, engagement: dict[str, Any], database_url: str
) -> None:
    await rows(AGENTS)
    await rows(CROWD)
    await rows("UPDATE engagements SET expires_at = now() + '12 hours' WHERE expires_at = '2026-12-01T00:00:00Z'")
    await rows("UPDATE engagements SET started_at = least(started_at, now() - '1 day'::interval)")
    await store(town.policy, sound_set(POLICIES).files, town.clock.now)
    await activate(town.policy, "a test", town.clock.now)
    swept = await asyncio.gather(*(_command(database_url) for _ in range(2)))
    assert [code for code, _ in swept] == [0, 0], swept
    said = [dict(line.rsplit(maxsplit=1) for line in text.splitlines()) for _, text in swept]
    assert sum(int(each.get("engagement.expires_soon", 0)) for each in said) == 300
    found = Counter(event["engagement_id"] for event in await events("engagement.expires_soon"))
    assert (len(found), set(found.values())) == (300, {1})
    assert await sweep(town.policy, datetime.now(UTC)) == {}
    assert await chains_hold() > 0


async def _command(url: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(*SPAREKEY, "sweep"),
        cwd=CHECKOUT,
        env=environment(url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode().strip()
