"""HIPAA training: when it falls due to the day, who has to come, and the record that moves forward only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authz.load import load
from authz.policy import Policy, Training
from authz.training import due_on, is_due_soon, is_overdue, months_later
from models import StaffMember
from models.asyncpg_client import AsyncpgClient
from models.identifier import uuid7
from resolvers.filters import training_due
from tests.stored import events, rows
from tests.town import POLICIES, START, Client, House, Town

POLICY = load(POLICIES)
DAYS = st.dates(date(2003, 4, 14), date(2030, 12, 31))
MONTHS = st.integers(1, 120)
RECORDED = """
... on StaffSuccess { staff { training { lastCompletedOn dueOn overdue } } } ... on InvalidInput { field }
... on NotPermitted { permission }
"""
LISTED = """
query ($id: ID!, $training: [TrainingFilter!]) { practice(id: $id) { staff(training: $training) {
    totalCount nodes { user { email } training { overdue } }
} } }
"""


# --- the day


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2028-02-29", 12, "2029-02-28"),
        ("2028-02-29", 48, "2032-02-29"),
        ("2026-12-31", 2, "2027-02-28"),
        ("2026-12-15", 1, "2027-01-15"),
        ("2026-11-30", 120, "2036-11-30"),
    ],
)
def test_months_later_is_the_same_day_or_the_last_one_of_a_shorter_month(day: str, months: int, later: str) -> None:
    assert months_later(date.fromisoformat(day), months) == date.fromisoformat(later)


@given(day=DAYS, months=MONTHS)
def test_months_later_is_in_the_month_that_many_later_and_never_past_the_day(day: date, months: int) -> None:
    later = months_later(day, months)
    assert later.year * 12 + later.month == day.year * 12 + day.month + months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


@given(day=DAYS, months=MONTHS)
def test_training_later_is_never_due_earlier(day: date, months: int) -> None:
    assert months_later(day, months) <= months_later(day + timedelta(days=1), months)
    assert months_later(day, months) < months_later(day, months + 1)


async def test_the_database_adds_months_as_we_do(database: AsyncpgClient) -> None:
    """Every day of four years, a leap year and the others, and every number of months that a policy may have."""
    days = [date(2025, 1, 1) + timedelta(days=n) for n in range(4 * 365 + 1)]
    sql = "SELECT d, m, (d + make_interval(months => m))::date AS later FROM unnest($1::date[]) d, unnest($2::int[]) m"
    found = await database.execute_query_dict(sql, [days, [1, 2, 3, 6, 11, 12, 13, 24, 48, 119, 120]])
    assert len(found) == 1461 * 11
    assert [row for row in found if months_later(row["d"], row["m"]) != row["later"]] == []


# --- the filter


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    today=st.dates(date(2026, 1, 1), date(2028, 12, 31)),
    clock=st.times(),
    months=st.sampled_from([1, 2, 12, 24]),
    joined=st.lists(st.integers(-400, 40), min_size=1, max_size=8),
    completed=st.lists(st.none() | st.integers(-800, 0), min_size=8, max_size=8),
)
async def test_the_filter_and_the_rule_agree(
    database: AsyncpgClient, today: date, clock: Any, months: int, joined: list[int], completed: list[int | None]
) -> None:
    policy = replace(POLICY, training=Training(months))
    now = datetime.combine(today, clock, UTC)
    people = [
        (
            now + timedelta(days=there),
            None if ago is None else months_later(today + timedelta(days=ago % 40), ago // 40),
        )
        for there, ago in zip(joined, completed, strict=False)
    ]
    await agree(database, people, policy, now)


@pytest.mark.parametrize(
    "now", [START, datetime(2026, 11, 23, 0, 0, tzinfo=UTC), datetime(2028, 2, 29, 23, 59, 59, 999_999, UTC)]
)
async def test_they_agree_at_every_edge(database: AsyncpgClient, now: datetime) -> None:
    edges = [-366, -365, -31, -30, -1, 0, 1, 29, 30, 31, 60]
    joined = [(now + timedelta(days=day, microseconds=off), None) for day in edges for off in (-1, 0, 1)]
    trained = [(now, months_later(now.date() + timedelta(days=day), -12)) for day in edges]
    await agree(database, [*joined, *trained], POLICY, now)


async def agree(
    database: AsyncpgClient, people: Sequence[tuple[datetime, date | None]], policy: Policy, now: datetime
) -> None:
    today = now.date()
    due = [due_on(joined.date(), completed, policy) for joined, completed in people]
    overdue = {n for n, day in enumerate(due) if is_overdue(day, today)}
    soon = {n for n, day in enumerate(due) if is_due_soon(day, today, policy)}
    assert not overdue & soon
    for wanted, expected in (
        ({"overdue": True, "soon": False}, overdue),
        ({"overdue": False, "soon": True}, soon),
        ({"overdue": True, "soon": True}, overdue | soon),
        ({"overdue": False, "soon": False}, set()),
    ):
        condition = training_due(**wanted, policy=policy, now=now)
        first = len(condition.values)
        places = tuple(f"${number}" for number in range(1, first + 1))
        sql = (
            f"SELECT t.n - 1 AS n FROM unnest(${first + 1}::timestamptz[], ${first + 2}::date[])"
            f" WITH ORDINALITY t (added_at, training_completed_on, n) WHERE {condition.sql % places}"
        )
        columns = [[joined for joined, _ in people], [completed for _, completed in people]]
        found = {row["n"] for row in await database.execute_query_dict(sql, [*condition.values, *columns])}
        assert found == expected, (wanted, now, [(people[n], due[n]) for n in found ^ expected])


async def listed(client: Client, house: House, training: list[str] | str | None) -> list[str]:
    staff = (await client.ask(LISTED, id=house.id, training=training))["staff"]
    emails = [node["user"]["email"] for node in staff["nodes"]]
    assert staff["totalCount"] == len(emails)
    return emails


@pytest.fixture
async def three(town: Town, elm_street: House) -> list[str]:
    """The owner, due today; and two whose training is due in 30 days and was due yesterday."""
    for email, completed in (("bea@elm.example", date(2025, 12, 23)), ("cal@elm.example", date(2025, 11, 22))):
        client = await town.staff(elm_street, email, "scheduler")
        await StaffMember.filter(user_id=client.user_id).update(training_completed_on=completed)
    return [elm_street.owner.email, "bea@elm.example", "cal@elm.example"]


async def test_the_staff_page_lists_who_is_due_and_who_is_overdue(
    town: Town, elm_street: House, three: list[str]
) -> None:
    owner = elm_street.owner
    for training, expected in (
        (None, three),
        ([], []),
        ("DUE_SOON", three[:2]),
        (["OVERDUE"], three[2:]),
        (["OVERDUE", "DUE_SOON"], three),
    ):
        assert await listed(owner, elm_street, training) == expected, training
    town.clock.advance(hours=12)  # midnight
    owner = await town.person(owner.email)
    assert await listed(owner, elm_street, ["OVERDUE"]) == [three[0], three[2]]
    assert await listed(owner, elm_street, ["DUE_SOON"]) == [three[1]]


async def test_an_empty_list_is_remembered_until_midnight_only(town: Town, elm_street: House) -> None:
    town.clock.advance(hours=11, minutes=59, seconds=58)
    owner = await town.person(elm_street.owner.email)
    for _ in range(2):
        assert await listed(owner, elm_street, ["OVERDUE"]) == []
        town.clock.advance(seconds=1)
    assert await listed(owner, elm_street, ["OVERDUE"]) == [owner.email]


async def test_the_pages_of_a_filtered_list_are_cut_from_it(town: Town, elm_street: House, three: list[str]) -> None:
    document = """query ($id: ID!, $after: String) { practice(id: $id) {
        staff(training: [OVERDUE, DUE_SOON], first: 2, after: $after) {
            nodes { user { email } } pageInfo { hasNextPage endCursor } totalCount
    } } }"""
    one = (await elm_street.owner.ask(document, id=elm_street.id, after=None))["staff"]
    two = (await elm_street.owner.ask(document, id=elm_street.id, after=one["pageInfo"]["endCursor"]))["staff"]
    assert [node["user"]["email"] for page in (one, two) for node in page["nodes"]] == three
    assert (one["pageInfo"]["hasNextPage"], two["pageInfo"]["hasNextPage"], one["totalCount"]) == (True, False, 3)


# --- recording it


async def train(client: Client, email: str, day: str, **typed: Any) -> Any:
    (row,) = await rows("SELECT s.id FROM staff_members s JOIN users u ON u.id = s.user_id WHERE u.email = $1", email)
    return await client.do("recordTraining", RECORDED, staffId=str(row["id"]), completedOn=day, **typed)


async def test_recorded_training_is_due_again_after_the_policys_months(town: Town, elm_street: House) -> None:
    sam = await town.staff(elm_street, "sam@elm.example", "staff_administrator")
    await town.staff(elm_street, "bea@elm.example", "scheduler")
    done = await train(sam, "bea@elm.example", "2024-02-29")
    assert done["staff"]["training"] == {"lastCompletedOn": "2024-02-29", "dueOn": "2025-02-28", "overdue": True}
    done = await train(sam, "bea@elm.example", "2026-11-23")
    assert done["staff"]["training"] == {"lastCompletedOn": "2026-11-23", "dueOn": "2027-11-23", "overdue": False}
    (first, second) = await events("staff.training_recorded")
    assert first["before"]["completed_on"] is None
    assert first["after"]["completed_on"] == second["before"]["completed_on"] == "2024-02-29"
    assert second["after"]["completed_on"] == "2026-11-23"
    assert {str(event["actor_user_id"]) for event in (first, second)} == {sam.user_id}


async def test_the_day_never_moves_back_and_the_same_day_again_changes_nothing(town: Town, elm_street: House) -> None:
    owner = elm_street.owner
    await train(owner, owner.email, "2026-11-20")
    refused = await train(owner, owner.email, "2026-11-19")
    assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "completedOn")
    assert (await train(owner, owner.email, "2026-11-20"))["staff"]["training"]["lastCompletedOn"] == "2026-11-20"
    assert len(await events("staff.training_recorded")) == 1


@pytest.mark.parametrize("day", ["2026-11-24", "2003-04-13", "9999-12-31", "0001-01-01"])
async def test_a_day_that_cannot_be_is_refused(town: Town, elm_street: House, day: str) -> None:
    refused = await train(elm_street.owner, elm_street.owner.email, day)
    assert (refused["problem"], refused["field"]) == ("INVALID_INPUT", "completedOn")
    assert await events("staff.training_recorded") == []


async def test_those_who_keep_the_training_dates_are_the_owner_and_the_administrator(
    town: Town, elm_street: House, mia: Client
) -> None:
    refused = await train(mia, "mia@elm.example", "2026-11-20")
    assert (refused["problem"], refused["permission"]) == ("NOT_PERMITTED", "staff.training.record")
    harbour = await town.practice("Harbour Counselling")
    assert (await train(harbour.owner, "mia@elm.example", "2026-11-20"))["problem"] == "NOT_FOUND"
    unknown = await harbour.owner.do("recordTraining", "", staffId=str(uuid7()), completedOn="2026-11-20")
    assert unknown["problem"] == "NOT_FOUND"
