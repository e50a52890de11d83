"""Pages: everything once, in order, both ways, whatever the size and whatever comes and goes in between."""

from __future__ import annotations

import base64
import random
from typing import Any
from uuid import UUID

import pytest

from models import StaffMember
from resolvers.paging import cursor
from tests import crowd
from tests.book import LISTS, PAGE, Book, ids, ids_of
from tests.crowd import Crowd
from tests.town import Town

SIZE = 25


@pytest.fixture
async def people(town: Town) -> Crowd:
    return await crowd.build(town, SIZE)


async def leaf_through(book: Book, expected: list[str], size: int) -> None:
    """Both ways, with what each page says of its neighbours."""
    seen: list[str] = []
    async for page in book.forward(size):
        assert len(ids(page)) == min(size, len(expected) - len(seen))
        assert page["pageInfo"]["hasPreviousPage"] is bool(seen)
        seen += ids(page)
        assert page["pageInfo"]["hasNextPage"] is (len(seen) < len(expected))
        assert page["totalCount"] == len(expected)
    assert seen == expected
    back: list[str] = []
    async for page in book.backward(size):
        assert len(ids(page)) == min(size, len(expected) - len(back))
        assert page["pageInfo"]["hasNextPage"] is bool(back)
        back = ids(page) + back
        assert page["pageInfo"]["hasPreviousPage"] is (len(back) < len(expected))
    assert back == expected


@pytest.mark.parametrize("name", LISTS)
async def test_every_list_is_whole_both_ways(people: Crowd, name: str) -> None:
    expected = await ids_of(people, name)
    assert len(expected) >= SIZE
    for size in (1, 7, len(expected) - 1, len(expected), len(expected) + 1, 100):
        await leaf_through(Book(people, name), expected, size)


async def test_every_page_size_gives_the_whole_list(people: Crowd) -> None:
    expected = await ids_of(people, "Practice.staff")
    assert len(expected) == SIZE
    for size in range(1, SIZE + 2):
        await leaf_through(Book(people, "Practice.staff"), expected, size)


async def test_without_first_and_last_a_page_has_the_default_size_from_the_start(people: Crowd) -> None:
    page = await Book(people, "Practice.staff").page()
    assert ids(page) == (await ids_of(people, "Practice.staff"))[:20]
    assert page["pageInfo"]["hasNextPage"]


async def test_pages_between_two_cursors_are_cut_on_both_sides(people: Crowd) -> None:
    book, expected = Book(people, "Practice.staff"), await ids_of(people, "Practice.staff")
    cursors = [edge["cursor"] for edge in (await book.page(first=100))["edges"]]
    for low, high in ((0, 24), (3, 9), (7, 8), (9, 3)):
        between = expected[low + 1 : high]
        forward = await book.page(first=4, after=cursors[low], before=cursors[high])
        assert ids(forward) == between[:4]
        assert forward["pageInfo"]["hasNextPage"] is (len(between) > 4)
        backward = await book.page(last=4, after=cursors[low], before=cursors[high])
        assert ids(backward) == between[-4:]
        assert backward["pageInfo"]["hasPreviousPage"] is (len(between) > 4)


async def test_an_empty_list_is_an_empty_page(town: Town) -> None:
    stranger = await town.person("stranger@nowhere.example")
    page = await stranger.ask(f"{{ practices(first: 3) {{ {PAGE} }} }}")
    info = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert page == {"totalCount": 0, "pageInfo": info, "edges": [], "nodes": []}


@pytest.mark.parametrize("size", [1, 4, 9])
async def test_what_comes_and_goes_between_two_pages_moves_nothing(people: Crowd, size: int) -> None:
    """What was there all the time is seen exactly once; the row a cursor stood on may be gone."""
    book, chance = Book(people, "Practice.staff"), random.Random(size)
    before, gone, new = await ids_of(people, "Practice.staff"), set[str](), set[str]()
    seen: list[str] = []
    async for page in book.forward(size):
        seen += ids(page)
        victim = seen[-1] if chance.random() < 0.5 else chance.choice(before)
        if victim != before[0]:  # the owner, who is asking
            gone.add(victim)
            await StaffMember.filter(id=victim).update(removed_at=people.town.clock.now)
        if len(new) < 9:
            key = UUID(int=chance.randrange(UUID(before[0]).int + 1, UUID(before[-1]).int))
            await crowd.hire(people, key)
            new.add(str(key))
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen)
    assert set(before) - gone <= set(seen) <= set(before) | new


@pytest.mark.parametrize("name", LISTS)
async def test_a_page_size_outside_1_to_100_is_refused(town: Town, name: str) -> None:
    people = await crowd.build(town, 2)
    book = Book(people, name)
    for argument in ("first", "last"):
        for size in (0, -1, 101, 2_147_483_647, -2_147_483_648):
            assert await book.refusal(**{argument: size}) == ("INVALID_INPUT", argument)
        assert len(ids(await book.page(**{argument: 100}))) >= 2
    assert await book.refusal(first=1, last=1) == ("INVALID_INPUT", "last")


@pytest.mark.parametrize("name", LISTS)
async def test_a_cursor_that_was_not_made_for_the_list_is_refused(town: Town, name: str) -> None:
    people = await crowd.build(town, 2)
    others = [Book(people, other) for other in LISTS if other != name]
    foreign = [(await other.page(first=1))["pageInfo"]["startCursor"] for other in others]
    own = (await Book(people, name).page(first=1))["pageInfo"]["startCursor"]
    bad = [*foreign, *nonsense(name, own)]
    assert len(bad) > 200
    for typed in bad:
        argument = random.Random(typed).choice(["after", "before"])
        assert await Book(people, name).refusal(**{argument: typed}) == ("INVALID_INPUT", argument), typed


def nonsense(name: str, own: str) -> list[str]:
    """200 random strings, and what comes near a cursor: padding, case, other numbers, other values."""
    chance = random.Random(name)
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+/ \x00\u202e\u0663é😀"
    drawn = ["".join(chance.choices(alphabet, k=chance.randint(0, 90))) for _ in range(200)]
    value = base64.urlsafe_b64decode(own + "==").decode()
    near = [own + "=", own + "A", own[:-1], own.swapcase(), f" {own}", own * 40, value, "null", "0", "-1", ""]
    listed = value.partition(":")[0]
    worse = [
        "-1",
        "+1",
        "1_0",
        "01",
        "٣",
        "9" * 19,
        "9" * 150,
        "1.0",
        "None",
        str(UUID(int=2**128 - 1)).upper(),
        "{}",
        "urn:uuid:",
    ]
    return drawn + near + [base64.urlsafe_b64encode(f"{listed}:{each}".encode()).decode().rstrip("=") for each in worse]


def test_a_cursor_tells_nothing_to_the_eye_and_fits_a_link() -> None:
    made = cursor("practices", UUID(int=7))
    assert "practices" not in made
    assert made.replace("-", "").replace("_", "").isalnum()


async def test_a_count_counts_what_the_filters_leave(people: Crowd) -> None:
    for status, expected in (("AWAITING_AGREEMENT", SIZE), ("ENDED", SIZE), ("ACTIVE", 0)):
        book = Book(people, "Practice.engagements", f", status: [{status}]")
        page = await book.page(first=3)
        assert (page["totalCount"], len(ids(page))) == (expected, min(3, expected))
    both = await Book(people, "Practice.engagements", ", status: [ENDED, AWAITING_AGREEMENT]").page(first=1)
    none = await Book(people, "Practice.engagements", ", status: []").page(first=1)
    assert (both["totalCount"], none["totalCount"]) == (2 * SIZE, 0)


async def test_agents_are_found_by_a_part_of_their_name_in_pages_too(people: Crowd) -> None:
    book = Book(people, "agents", ', search: "AGENT 1"')
    names = [str(key) for key in people.agents]
    found = [page async for page in book.forward(4)]
    assert [len(ids(page)) for page in found] == [4, 4, 2]
    assert all(page["totalCount"] == 10 for page in found)
    assert {key for page in found for key in ids(page)} <= set(names)
    for wild in ("%", "_", "\\", "'"):
        assert (await people.owner.ask("query ($s: String) { agents(search: $s) { totalCount } }", s=wild)) == {
            "totalCount": 0
        }


async def test_events_are_filtered_by_engagement_and_time(town: Town) -> None:
    elm, acme = await town.practice(), await town.agency()
    town.clock.advance(minutes=10)
    engaged = await town.engage(elm, acme)
    town.clock.advance(minutes=10)
    await elm.owner.do("revokeAgent", "", engagementId=engaged["id"])
    document = """query ($id: ID!, $e: ID, $since: DateTime, $until: DateTime) {
        practice(id: $id) { auditEvents(engagementId: $e, since: $since, until: $until) { totalCount nodes { type } } }
    }"""

    async def types(**asked: Any) -> list[str]:
        page = (await elm.owner.ask(document, id=elm.id, **asked))["auditEvents"]
        assert page["totalCount"] == len(page["nodes"])
        return [node["type"] for node in page["nodes"]]

    every = ["practice.created", "engagement.started", "engagement.ended"]
    assert await types() == every
    assert await types(e=engaged["id"]) == every[1:]
    assert await types(since="2026-11-23T12:10:00Z") == every[1:]
    assert await types(until="2026-11-23T12:20:00+00:00") == every[:2]
    assert await types(since="2026-11-23T12:10:00Z", until="2026-11-23T12:10:00.000001Z") == every[1:2]
    assert await types(since="2026-11-23T12:20:00Z", until="2026-11-23T12:10:00Z") == []
