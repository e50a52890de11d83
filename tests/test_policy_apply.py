"""`sparekey policy plan` and `apply` as commands against a real database: exit codes, stale plans, limits, approval."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import orjson
import pytest

from operations.record import PLATFORM_CHAIN, event_hash
from tests.conftest import query
from tests.policy_variants import NO_RECORDED_PAYMENTS, OUTSIDE_REFUNDS, edit, variant
from tests.policy_workers import signed_in, sparekey
from tests.town import POLICIES


@dataclass
class Place:
    """A database of one's own with the variant of the shipped set in force."""

    url: str
    base: Path
    folder: Path

    async def run(self, *arguments: str | Path) -> tuple[int, str]:
        return await sparekey(self.url, *arguments)

    def edited(self, name: str, edits: dict[str, tuple[str, str]]) -> Path:
        return variant(self.folder / name, edits)

    async def in_force(self) -> str:
        found = await query(self.url, "SELECT digest FROM policy_activations ORDER BY number DESC LIMIT 1")
        return str(found[0]["digest"])

    async def activations(self) -> int:
        found = await query(self.url, "SELECT count(*) FROM policy_activations")
        return int(found[0][0])


@pytest.fixture
async def place(own_url: str, tmp_path: Path) -> Place:
    found = Place(own_url, variant(tmp_path / "base"), tmp_path)
    code, said = await found.run("apply", found.base)
    assert code == 0, said
    return found


async def with_people(place: Place, limit: str) -> Path:
    """A practice's owner, who has something to lose, under this limit. Gives a set that takes it away."""
    await signed_in(place.url)
    session = await asyncpg.connect(place.url)
    practice = "INSERT INTO practices (id, name, kind, incorporated, created_at, created_by_id)"
    await session.execute(f"{practice} SELECT id, 'Elm Street', 'independent_therapist', false, now(), id FROM users")
    staff = "INSERT INTO staff_members (id, practice_id, user_id, roles, added_at, added_by_id)"
    await session.execute(f"{staff} SELECT id, id, id, '{{owner}}', now(), id FROM users")
    await session.close()
    limits = {"policy.yaml": ("limits:      {lose: 25, gain_destructive: 0, gain_admin: 0, nobody_left: 0}", limit)}
    limited = place.edited("limited", limits)
    code, said = await place.run("apply", limited, "--approve", await digest_of(place, "limited"))
    assert code == 0, said
    return place.edited("taking", {**limits, **NO_RECORDED_PAYMENTS})


async def digest_of(place: Place, name: str) -> str:
    _, said = await place.run("plan", "--out", "-", place.folder / name)
    return str(orjson.loads(said)["set"]["digest"])


async def test_the_same_set_is_0_and_is_not_activated_again(place: Place) -> None:
    assert (await place.run("plan", place.base))[0] == 0
    assert (await place.run("apply", place.base))[0] == 0
    assert await place.activations() == 1


async def test_other_titles_are_0_and_are_activated_as_texts(place: Place) -> None:
    edit(place.base / "roles" / "biller.yaml", "title: Biller", "title: The biller")
    assert (await place.run("plan", place.base))[0] == 0
    assert (await place.run("apply", place.base))[0] == 0
    assert await place.activations() == 2


async def test_changes_within_the_limits_are_2_and_come_into_force(place: Place) -> None:
    other = place.edited("other", OUTSIDE_REFUNDS)
    before = await place.in_force()
    code, said = await place.run("plan", other)
    assert (code, await place.in_force()) == (2, before), said
    assert (await place.run("apply", other))[0] == 0
    assert await place.in_force() == await digest_of(place, "other") != before


async def test_changes_beyond_a_limit_are_3_until_exactly_this_digest_is_approved(place: Place) -> None:
    taking = await with_people(place, "limits: {lose: 0}")
    before, digest = await place.in_force(), await digest_of(place, "taking")
    for arguments, expected in (((), 3), (("--approve", before), 1), (("--approve", digest[:6]), 1)):
        code, said = await place.run("apply", *arguments, taking)
        assert (code, await place.in_force()) == (expected, before), said
    code, said = await place.run("plan", taking)
    assert (code, "lose is 1, the limit is 0" in said) == (3, True), said
    assert (await place.run("apply", taking, "--approve", digest))[0] == 0
    assert await place.in_force() == digest


async def test_a_practice_left_without_anybody_is_held_by_its_limit(place: Place) -> None:
    taking = await with_people(place, "limits: {nobody_left: 0}")
    code, said = await place.run("plan", taking)
    assert (code, "payments.record: 1, for example Elm Street" in said) == (3, True), said


async def test_a_plan_is_refused_once_another_set_is_in_force(place: Place) -> None:
    plan, other = place.folder / "plan.json", place.edited("other", OUTSIDE_REFUNDS)
    assert (await place.run("plan", "--out", plan, other))[0] == 2
    between = place.edited("between", NO_RECORDED_PAYMENTS)
    assert (await place.run("apply", between))[0] == 0
    before = await place.in_force()
    code, said = await place.run("apply", plan, other)
    assert (code, "stale" in said, await place.in_force()) == (1, True, before), said


async def test_a_plan_is_refused_for_another_set_than_the_planned_one(place: Place) -> None:
    plan, other = place.folder / "plan.json", place.edited("other", OUTSIDE_REFUNDS)
    await place.run("plan", "--out", plan, other)
    edit(other / "roles" / "biller.yaml", "payments.*", "payments.read")
    before = await place.in_force()
    code, said = await place.run("apply", plan, other)
    assert (code, await place.in_force()) == (1, before), said


async def test_a_plan_that_still_holds_is_applied(place: Place) -> None:
    plan, other = place.folder / "plan.json", place.edited("other", OUTSIDE_REFUNDS)
    await place.run("plan", "--out", plan, other)
    held = orjson.loads(plan.read_bytes())
    assert held["base"]["digest"] == await place.in_force()
    code, said = await place.run("apply", plan, other)
    assert (code, await place.in_force()) == (0, held["set"]["digest"]), said


async def test_of_two_who_apply_their_plans_at_once_one_wins(place: Place) -> None:
    sets = [place.edited("one", OUTSIDE_REFUNDS), place.edited("other", NO_RECORDED_PAYMENTS)]
    plans = [place.folder / "one.json", place.folder / "other.json"]
    for plan, folder in zip(plans, sets, strict=True):
        await place.run("plan", "--out", plan, folder)
    outcomes = await asyncio.gather(*(place.run("apply", *pair) for pair in zip(plans, sets, strict=True)))
    assert sorted(code for code, _ in outcomes) == [0, 1], outcomes
    assert await place.activations() == 2


NOT_PLANS = (b"", b"{}", b"[]", b"\xff", b'{"format": "sparekey/plan-v1", "base": 5, "set": {"digest": 1}}')
NO_DATABASE = "postgresql://nobody@127.0.0.1:1/nothing"  # what is wrong without it is said without it


@pytest.mark.parametrize("content", NOT_PLANS)
async def test_a_file_that_is_no_plan_is_1(tmp_path: Path, content: bytes) -> None:
    plan = tmp_path / "plan.json"
    plan.write_bytes(content)
    code, said = await sparekey(NO_DATABASE, "apply", plan, POLICIES)
    assert (code, str(plan) in said, "Traceback" in said) == (1, True, False), said


async def test_a_set_with_errors_is_1(tmp_path: Path) -> None:
    folder = variant(tmp_path / "set")
    (folder / "policy.yaml").write_text("format: [")
    for command in ("plan", "apply"):
        code, said = await sparekey(NO_DATABASE, command, folder)
        assert (code, "P110" in said, "Traceback" in said) == (1, True, False), said


async def test_a_database_that_does_not_answer_is_1() -> None:
    code, said = await sparekey(NO_DATABASE, "plan", POLICIES)
    assert (code, "the database does not answer" in said, "Traceback" in said) == (1, True, False), said


async def test_an_activation_is_an_event_on_the_chain_of_the_platform(place: Place) -> None:
    await place.run("apply", place.edited("other", OUTSIDE_REFUNDS))
    events = [dict(row) for row in await query(place.url, "SELECT * FROM audit_events ORDER BY sequence")]
    for event in events:
        event["before"], event["after"] = (orjson.loads(event[side] or "null") for side in ("before", "after"))
    assert [(e["chain_id"], e["type"], e["party"], e["sequence"]) for e in events] == [
        (PLATFORM_CHAIN, "policy.activated", "platform", sequence) for sequence in (1, 2)
    ]
    assert events[1]["before"]["digest"] == events[1]["policy_digest"] == events[0]["after"]["digest"]
    assert events[1]["after"]["digest"] == await place.in_force()
    assert [event_hash(event) for event in events] == [event["hash"] for event in events]
    assert events[1]["previous_hash"] == events[0]["hash"]
