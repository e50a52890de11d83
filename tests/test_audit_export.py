"""A practice's record as a file: whole, for those alone who may read it, page after page."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pytest

from models import StaffMember, User
from models.identifier import uuid7
from operations.record import EVENT_COLUMNS
from resolvers import audit_rows
from resolvers.audit_chain import Whole, verify_exported
from tests.keys import made, program
from tests.stored import events
from tests.town import Client, House, Town


async def get(client: Client, practice: str, format: str = "jsonl", query: str = "", **headers: str) -> httpx2.Response:
    return await client.http.get(f"/practices/{practice}/audit.{format}{query}", headers=headers)


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, orjson.loads(answer.content)["errors"][0]["extensions"]["code"]


def lines(answer: httpx2.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    return [orjson.loads(line) for line in answer.content.splitlines()]


async def test_json_lines_hold_the_whole_record_and_verify_it_without_us(town: Town, elm_street: House) -> None:
    engagement = await town.engage(elm_street, await town.agency())
    await elm_street.owner.set_roles(engagement, "biller")
    answer = await get(elm_street.owner, elm_street.id)
    assert answer.headers["content-type"] == "application/jsonl"
    assert answer.headers["content-disposition"] == f'attachment; filename="audit-{elm_street.id}.jsonl"'
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert verify_exported(answer.content.splitlines(keepends=True)) == Whole(1, 3)
    stored = [event for event in await events() if str(event["chain_id"]) == elm_street.id]
    for line, event in zip(lines(answer), stored, strict=True):
        assert (line["id"], line["hash"], line["after"]) == (str(event["id"]), event["hash"], event["after"])
        assert line.get("snapshot") == event["snapshot"]


async def test_csv_is_for_spreadsheets_and_never_a_formula(town: Town) -> None:
    founder = await town.person("founder@elm.example")
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", 'Zoë, "the founder"\nof Elm']
    typed = {"kind": "INDEPENDENT_THERAPIST", "incorporated": False}
    made = await founder.do("createPractice", "... on PracticeSuccess { practice { id } }", name="Elm", **typed)
    key = made["practice"]["id"]
    for name in names:
        await User.filter(id=founder.user_id).update(name=name)
        invited = {"email": f"p{uuid7()}@elm.example", "name": "P", "roles": ["scheduler"]}
        await founder.do("addStaff", "", practiceId=key, **invited)
    answer = await get(founder, key, "csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.content.count(b"\r\n") >= len(names) + 2
    head, *found = csv.reader(io.StringIO(answer.content.decode(), newline=""), strict=True)
    assert head == list(EVENT_COLUMNS)
    actors = [line[head.index("actor")] for line in found][1:]
    assert actors == [*(f"'{name}" for name in names[:-1]), names[-1]]
    assert [line[head.index("sequence")] for line in found] == [str(n + 1) for n in range(len(names) + 1)]
    assert all(len(line) == len(head) for line in found)
    assert orjson.loads(found[0][head.index("after")])["kind"] == "independent_therapist"


async def test_a_part_of_it_by_time(town: Town, elm_street: House) -> None:
    for n in range(2):
        town.clock.advance(minutes=1)
        await elm_street.owner.do(
            "addStaff", "", practiceId=elm_street.id, email=f"{n}@elm.example", name="P", roles=["scheduler"]
        )

    async def sequences(query: str) -> list[int]:
        return [line["sequence"] for line in lines(await get(elm_street.owner, elm_street.id, query=query))]

    assert await sequences("") == await sequences("?other=x") == [1, 2, 3]
    assert await sequences("?since=2026-11-23T12:01:00Z") == [2, 3]
    assert await sequences("?until=2026-11-23T13:02:00%2B01:00") == [1, 2]
    assert await sequences("?since=2026-11-23T12:01:00Z&until=2026-11-23T12:01:00.000001Z") == [2]
    assert await sequences("?since=2030-01-01T00:00:00Z") == []
    bad = [
        "?since=yesterday",
        "?since=",
        "?until=2026-11-23",
        "?until=2026-11-23T12:00:00",
        "?since=2026-13-01T00:00:00Z",
    ]
    bad += ["?since=2026-11-23T12:01:00+01:00", "?since=%ff", "?since=2026-11-23T12:01:00Z&since=2026-11-23T12:01:00Z"]
    for query in bad:
        assert code(await get(elm_street.owner, elm_street.id, query=query)) == (400, "BAD_REQUEST"), query


async def test_whoever_may_read_the_record_gets_it_and_nobody_else(town: Town, elm_street: House) -> None:
    desk = await town.agency("Frontdesk", "FRONT_OFFICE_WORKER")
    await town.engage(elm_street, desk)
    key = await made(desk, "tokens.read", "engagements.read")
    people = {
        "owner": (elm_street.owner, 200),
        "manager": (await town.staff(elm_street, "mia@elm.example", "manager"), 200),
        "scheduler": (await town.staff(elm_street, "sam@elm.example", "scheduler"), 403),
        "worker of an agent": (desk.admin, 403),
        "its program": (program(town, key["secret"]), 403),
        "operator": (await town.operator(), 403),
        "stranger": (await town.person("stranger@nowhere.example"), 404),
        "nobody": (town.visitor(), 401),
    }
    said = {200: None, 403: "NOT_PERMITTED", 404: "NOT_FOUND", 401: "NOT_SIGNED_IN"}
    for who, (client, status) in people.items():
        for format in ("jsonl", "csv"):
            answer = await get(client, elm_street.id, format)
            assert answer.status_code == status, (who, answer.content)
            assert said[status] is None or code(answer)[1] == said[status]
    stranger = people["stranger"][0]
    hidden = {(await get(stranger, key)).content for key in (elm_street.id, str(uuid7()), "malformed")}
    assert len(hidden) == 1
    assert (await elm_street.owner.http.post(f"/practices/{elm_street.id}/audit.csv")).status_code == 405


async def test_the_door_is_that_of_graphql(town: Town, elm_street: House) -> None:
    owner = elm_street.owner
    assert code(await get(owner, elm_street.id, Origin="https://evil.example")) == (403, "CROSS_SITE")
    assert code(await get(owner, elm_street.id, **{"Sec-Fetch-Site": "cross-site"})) == (403, "CROSS_SITE")
    assert (await get(owner, elm_street.id, Origin="http://testserver")).status_code == 200
    assert code(await get(owner, elm_street.id, Authorization="Bearer spk_x")) == (400, "SEVERAL_CREDENTIALS")
    made_up = await get(town.visitor(), elm_street.id, Authorization="Bearer spk_x")
    assert (code(made_up), made_up.headers["www-authenticate"][:6]) == ((401, "BEARER_INVALID"), "Bearer")
    head = await owner.http.head(f"/practices/{elm_street.id}/audit.jsonl")
    assert (head.status_code, head.content) == (200, b"")


Meanwhile = Callable[[int], Awaitable[None]]


async def streamed(town: Town, client: Client, practice: str, meanwhile: Meanwhile) -> tuple[int, list[bytes], bool]:
    """The status, the pieces, and whether the answer came to its end. `meanwhile` is told which piece was sent."""
    status, pieces, ended, asked = 0, list[bytes](), False, False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await never
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status, ended
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message.get("more_body"):
            pieces.append(message["body"])
            await meanwhile(len(pieces))
        else:
            ended = True

    never = asyncio.get_running_loop().create_future()
    path = f"/practices/{practice}/audit.jsonl"
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "root_path": ""}
    scope |= {"query_string": b"", "scheme": "http", "http_version": "1.1", "asgi": {"version": "3.0"}}
    scope |= {"client": ("127.0.0.1", 40000), "server": ("testserver", 80)}
    scope["headers"] = [(b"host", b"testserver"), (b"cookie", f"sparekey={client.reference}".encode())]
    await town.app(scope, receive, send)
    return status, pieces, ended


async def test_it_is_read_page_after_page_up_to_where_it_stood(
    town: Town, elm_street: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_rows, "BATCH", 2)
    people = [{"email": f"p{n}@elm.example", "name": "P", "roles": ["scheduler"]} for n in range(6)]
    for person in people[:4]:
        await elm_street.owner.do("addStaff", "", practiceId=elm_street.id, **person)

    async def go_on(piece: int) -> None:
        if piece == 1:
            for person in people[4:]:
                await elm_street.owner.do("addStaff", "", practiceId=elm_street.id, **person)

    status, pieces, ended = await streamed(town, elm_street.owner, elm_street.id, go_on)
    assert (status, [piece.count(b"\n") for piece in pieces], ended) == (200, [2, 2, 1], True)
    assert len(lines(await get(elm_street.owner, elm_street.id))) == 7


async def test_it_breaks_off_when_the_reader_may_not_read_on(
    town: Town, elm_street: House, mia: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer without an end, which no client takes for the whole."""
    monkeypatch.setattr(audit_rows, "BATCH", 1)

    async def remove(piece: int) -> None:
        if piece == 2:
            await StaffMember.filter(user_id=mia.user_id).update(removed_at=town.clock.now)

    status, pieces, ended = await streamed(town, mia, elm_street.id, remove)
    assert (status, len(pieces), ended) == (200, 2, False)
    await town.remembered.denials.write()
    assert await events("access.denied") == []


async def test_a_session_exports_only_a_few_records_at_once(town: Town, elm_street: House) -> None:
    seen: list[int] = []

    async def another(piece: int) -> None:
        status, *_ = await streamed(town, elm_street.owner, elm_street.id, another)
        seen.append(status)

    status, _, ended = await streamed(town, elm_street.owner, elm_street.id, another)
    assert (status, ended, seen) == (200, True, [429, 200])
    assert (await get(elm_street.owner, elm_street.id)).status_code == 200, "the share is given back"


async def test_it_is_of_one_practice(town: Town, elm_street: House) -> None:
    harbour = await town.practice("Harbour Counselling")
    for house in (elm_street, harbour):
        chains = {line["chain_id"] for line in lines(await get(house.owner, house.id))}
        assert chains == {str(UUID(house.id))}
