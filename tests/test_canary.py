"""The canary sings: every way out that it watches, tried with a secret that it learnt by itself."""

from __future__ import annotations

import base64
import hashlib
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from tests.canary import CANARY, HOOKS, Canary
from tests.conftest import Eraser
from tests.test_people import PASSWORD, sign_in
from tests.test_people import sign_up as signed_up
from tests.town import Agency, Town

CHECKOUT = Path(__file__).resolve().parent.parent
CODE, RANDOM = "493827165038", "Vb2m9QkXr0sT7uYw1zAe3cDf5gHj8kLn4pRq6tUv"
Leaks = Callable[[], Awaitable[list[str]]]


@pytest.fixture
def leaks(eraser: Eraser, canary: Canary) -> Leaks:
    """What it would fail this test for. It forgets it, so that it does not."""

    async def found() -> list[str]:
        await canary.read_database(eraser.session)
        return canary.leaks()

    return found


def hashed(name: str, text: str) -> bytes:
    return hashlib.new(name, text.encode()).digest()


async def put(eraser: Eraser, table: str, column: str, value: Any) -> None:
    """Into every row, past the triggers that would not allow it."""
    async with eraser.session.transaction():
        await eraser.session.execute("SET LOCAL session_replication_role = replica")
        await eraser.session.execute(f"UPDATE {table} SET {column} = $1", value)


WRITTEN: list[tuple[str, Callable[[str], str]]] = [
    ("in clear", str),
    ("in clear", lambda text: f"(code={text})"),
    ("in hexadecimal", lambda text: text.encode().hex()),
    ("in base64", lambda text: base64.b64encode(text.encode()).decode()),
    ("in base64", lambda text: base64.b64encode(b"x" + text.encode() + b"yz").decode()),
    ("in base64", lambda text: base64.urlsafe_b64encode(b'{"a":"' + text.encode() + b'"}').decode()),
    ("as its md5", lambda text: hashed("md5", text).hex()),
    ("as its sha1", lambda text: hashed("sha1", text).hex()),
    ("as its sha256", lambda text: hashed("sha256", text).hex()),
    ("as its sha256", lambda text: base64.b64encode(hashed("sha256", text)).decode()),
]


@pytest.mark.parametrize(("how", "write"), WRITTEN)
async def test_a_code_that_was_shown_is_found_in_any_column_however_it_is_written(
    acme: Agency, eraser: Eraser, leaks: Leaks, how: str, write: Callable[[str], str]
) -> None:
    _, code = await acme.issue()
    assert await leaks() == []
    CANARY.learn("code of an answer", code)
    await put(eraser, "connect_tokens", "label", write(code.replace("-", "")))
    assert await leaks() == [f"code of an answer, {how}, in the table connect_tokens"]


async def test_what_a_browser_types_and_is_given_is_learnt_by_itself(town: Town, canary: Canary) -> None:
    ann = town.visitor()
    await signed_up(ann)
    await sign_in(town.visitor(), password="wrong horse battery")
    acme = await town.agency()
    _, code = await acme.issue()
    house = await town.practice()
    wrong = "9081726354" + "11"
    await house.owner.preview(house, "ABCD", wrong)
    known = {text: secret.what for text, secret in canary.secrets.items()}
    assert known[PASSWORD] == known["wrong horse battery"] == "password of a request"
    assert known[str(ann.reference)] == known[str(acme.admin.reference)] == "a cookie"
    assert known[code.replace("-", "")] == "code of an answer"
    assert known[wrong] == "code of a request"


@pytest.mark.parametrize("raw", [str.encode, lambda text: hashed("sha256", text), lambda text: hashed("md5", text)])
async def test_bytes_are_read_too(
    acme: Agency, eraser: Eraser, leaks: Leaks, canary: Canary, raw: Callable[[str], bytes]
) -> None:
    _, code = await acme.issue()
    await put(eraser, "connect_tokens", "salt", raw(code.replace("-", "")))
    (leak,) = await leaks()
    assert leak.endswith("in the table connect_tokens")


async def test_an_audit_event_is_read_and_so_is_what_it_says_in_json(town: Town, eraser: Eraser, leaks: Leaks) -> None:
    await signed_up(town.visitor())
    await put(eraser, "audit_events", "summary", f"signed up with {PASSWORD}")
    assert await leaks() == ["password of a request, in clear, in the table audit_events"]
    CANARY.learn("a password", PASSWORD, guessable=True)
    await put(eraser, "audit_events", "summary", "signed up")
    await put(eraser, "audit_events", "after", orjson.dumps({"password": PASSWORD}).decode())
    assert await leaks() == ["a password, in clear, in the table audit_events"]


async def test_the_hash_by_which_a_session_is_found_is_no_leak_and_its_reference_is(
    town: Town, eraser: Eraser, leaks: Leaks
) -> None:
    ann = await town.person("ann@elm.example")
    await ann.ask("{ viewer { user { id } } }")
    reference = str(ann.reference)
    await put(eraser, "users", "name", hashed("sha256", reference).hex())
    assert await leaks() == []
    CANARY.learn("a cookie", reference)
    await put(eraser, "users", "name", reference)
    assert await leaks() == ["a cookie, in clear, in the table users"]


def fault(text: str) -> None:
    try:
        raise ValueError(f"invalid literal: {text}")
    except ValueError:
        logging.getLogger("sparekey.faults").exception("something went wrong")


@pytest.mark.parametrize(
    "log",
    [
        lambda text: logging.getLogger("sparekey.anything").error("a wrong code: %s", text),
        lambda text: logging.getLogger("sparekey.anything").debug("a wrong code: %s", text),
        lambda text: logging.getLogger("tortoise.db_client").debug("INSERT … VALUES %s", [text]),
        lambda text: logging.getLogger("sparekey.anything").error("a wrong code", extra={"code_typed": text}),
        lambda text: logging.getLogger().warning(text),
        fault,
    ],
)
def test_every_logger_is_heard_at_every_level_with_what_an_exception_says(
    canary: Canary, log: Callable[[str], None]
) -> None:
    canary.learn("a code", CODE)
    log(CODE)
    (leak,) = canary.leaks()
    assert leak.startswith("a code, in clear, in the log ")


def answering(status: int, **told: Any) -> httpx2.AsyncClient:
    """A client of a server that says this to everything."""

    async def app(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, **told)

    return httpx2.AsyncClient(transport=httpx2.MockTransport(app), base_url="http://sparekey.test", event_hooks=HOOKS)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (200, {"json": {"errors": [{"message": f"'{CODE}' is no code"}]}}),
        (200, {"json": {"errors": [{"message": "no", "extensions": {"value": CODE}}], "data": None}}),
        (200, {"json": {"data": {"previewToken": {"message": f"{CODE} is wrong"}}}}),
        (400, {"text": f"cannot read {CODE}"}),
        (500, {"json": {"detail": CODE}}),
        (200, {"headers": {"X-Debug": CODE}, "json": {}}),
    ],
)
async def test_an_error_that_repeats_what_was_typed_is_found(canary: Canary, status: int, told: Any) -> None:
    async with answering(status, **told) as http:
        await http.post("/graphql", json={"query": "…", "variables": {"input": {"code": CODE}}})
    (leak,) = canary.leaks()
    assert leak.startswith("code of a request, in clear, in ")


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        (
            {"json": {"query": f'mutation {{ signIn(input: {{password: "{RANDOM}"}}) {{ x }} }}'}},
            "password of a request",
        ),
        ({"json": {"variables": {"input": {"currentPassword": RANDOM}}}}, "currentPassword of a request"),
        ({"json": {"variables": {"input": {"secondFactor": RANDOM}}}}, "secondFactor of a request"),
        ({"json": {"variables": {"a": [{"newPassword": RANDOM}]}}}, "newPassword of a request"),
        ({"data": {"grant_type": "client_credentials", "client_secret": RANDOM}}, "client_secret of a request"),
        ({"headers": {"Authorization": f"Bearer {RANDOM}"}}, "Authorization"),
        ({"auth": ("client", RANDOM)}, "Authorization"),
        ({"headers": {"Cookie": f"a=1; sparekey={RANDOM}"}}, "a cookie"),
    ],
)
async def test_each_place_of_a_request_that_holds_a_secret_is_known(
    canary: Canary, asked: dict[str, Any], what: str
) -> None:
    async with answering(200, json={"data": {"echo": RANDOM}}) as http:
        await http.post("/graphql", **asked)
    canary.hear("the log", RANDOM)
    assert canary.leaks() == [f"{what}, in clear, in the log"]


async def test_a_password_is_guessable_however_long_it_is(canary: Canary) -> None:
    long = "correct horse battery staple"
    async with answering(200) as http:
        await http.post("/graphql", json={"variables": {"input": {"password": long, "email": "ann@elm.example"}}})
    canary.hear("the log", hashed("sha256", long).hex())
    assert canary.leaks() == ["password of a request, as its sha256, in the log"]


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"json": {"data": {"createApiKey": {"secret": RANDOM}}}}, "secret of an answer"),
        ({"json": {"data": {"addTotp": {"recoveryCodes": ["abcde-fghij", RANDOM]}}}}, "recoveryCodes of an answer"),
        ({"json": {"access_token": RANDOM, "token_type": "Bearer"}}, "access_token of an answer"),
        ({"headers": {"Set-Cookie": f"sparekey={RANDOM}; Path=/"}}, "a cookie"),
    ],
)
async def test_each_place_of_an_answer_that_shows_a_secret_once_may_and_nothing_else_may(
    canary: Canary, told: Any, what: str
) -> None:
    async with answering(200, **told) as http:
        await http.post("/graphql", json={})
    assert canary.secrets
    canary.hear("the log", RANDOM)
    assert canary.leaks() == [f"{what}, in clear, in the log"]


def test_half_of_an_api_key_and_a_code_without_its_dashes_are_found(canary: Canary) -> None:
    canary.learn("a key", f"spk_0123456789abcdef_{RANDOM}")
    canary.hear("the log", f"secret={RANDOM}")
    assert canary.leaks() == ["the secret half of a key, in clear, in the log"]
    canary.learn("a code", "4938-2716-5038")
    canary.hear("the log", CODE)
    assert canary.leaks() == ["a code, in clear, in the log"]


def test_what_only_looks_like_a_secret_is_none(canary: Canary) -> None:
    """A microsecond that is six digits, a code within a longer number, a problem's code, a text that is everywhere."""
    for text in ("123456", "RATE_LIMITED", "000000000000", "abc", ""):
        canary.learn("a code", text)
    canary.hear("the log", "at 12:00:00.123456, number 91234567, RATE_LIMITED 000000000000 abc")
    assert canary.leaks() == []
    canary.learn("a code", "123456")
    canary.hear("the log", "the code is 123456.")
    assert canary.leaks() == ["a code, in clear, in the log"]


SINGING = """
import logging
def test_it_sings(canary):
    canary.learn("a code", "493827165038")
    logging.getLogger("sparekey.x").info("typed 493827165038")
def test_it_is_silent_again():
    pass
"""


def test_the_fixture_fails_a_test_that_leaves_a_secret_and_only_that_one(tmp_path: Path) -> None:
    file = tmp_path / "test_singing.py"
    file.write_text(SINGING)
    options = ["-c", "pyproject.toml", "-n", "0", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(file)], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert "2 passed, 1 error" in done.stdout
    assert "a secret got out: a code, in clear, in the log sparekey.x" in done.stdout
