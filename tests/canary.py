"""No secret in any output: what a test types or is shown once is looked for in everything the product keeps or says.

Secrets are learnt where they pass, from the browsers of `town.py`: inputs and answers by the names of their fields,
cookies, Authorization. So no test says anything, and a new kind of secret is found by its field's name. After each
test they are looked for in the logs of every level, in errors, in audit events and in every column of the database: in
clear, in base64 and hexadecimal, and, where they are short enough to be guessed, as their md5, sha1 and sha256.

The sha256 of a random text of 128 bits or more is how references and keys are stored, and gives nobody anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import asyncpg
import httpx2

# By field, in lower case and without underlines: what is asked for, what is shown once, what OAuth sends and gives.
PASSWORDS = frozenset({"password", "currentpassword", "newpassword"})
TYPED = PASSWORDS | {"code", "secondfactor", "recoverycode", "clientsecret", "refreshtoken", "clientassertion"}
SHOWN = frozenset({"code", "secret", "recoverycodes", "accesstoken", "refreshtoken", "clientsecret"})
RANDOM_CHARACTERS = 22  # 128 bits in base64; what is shorter can be guessed from a fast hash
LEAST_CHARACTERS = 6  # a code of an authenticator app; less is found everywhere
LEAST_DIFFERENT = 4  # `000000000000` stands in identifiers, too
BOUNDED_CHARACTERS = 12  # what is shorter has to stand alone
HASHES = ("md5", "sha1", "sha256")
# These belong to the tests' own clients, which say what they send.
NOT_OURS = ("httpx2", "httpcore2", "websockets.client", "hypothesis")

_LITERAL = re.compile(r'\b(\w+)\s*:\s*"((?:[^"\\]|\\.)*)"')
_CONSTANT = re.compile(r"[A-Z]+(_[A-Z]+)*")  # a problem's code, and no secret
_COLUMNS = """
SELECT table_name AS table, column_name AS column FROM information_schema.columns
WHERE table_schema = 'public' AND data_type IN ('text', 'character varying', 'json', 'jsonb', 'bytea', 'ARRAY', 'inet')
ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Secret:
    """`what` names it in a failure, which never shows it."""

    what: str
    text: str = field(repr=False)
    guessable: bool

    def forms(self) -> Iterator[tuple[str, str]]:
        """How it may be written, each with its name."""
        content = self.text.encode()
        yield "in clear", self.text
        yield "in hexadecimal", content.hex()
        for shift in range(3):
            yield from (("in base64", text) for text in _base64(content, shift))
        if self.guessable:
            for name in HASHES:
                digest = hashlib.new(name, content, usedforsecurity=False)
                yield f"as its {name}", digest.hexdigest()
                yield from ((f"as its {name}", text) for text in _base64(digest.digest(), 0))

    def is_in(self, form: str, text: str) -> bool:
        if form not in text:
            return False
        return len(form) >= BOUNDED_CHARACTERS or re.search(rf"(?<![\w.]){re.escape(form)}(?!\w)", text) is not None


def _base64(content: bytes, shift: int) -> set[str]:
    """Both alphabets, without what depends on the neighbours, of which `shift` bytes stand in the same group."""
    text = base64.b64encode(b"\0" * shift + content).decode().rstrip("=")
    inner = text[(0, 2, 3)[shift] : len(text) - (1 if (shift + len(content)) % 3 else 0)]
    return {inner, inner.replace("+", "-").replace("/", "_")} if len(inner) >= LEAST_CHARACTERS else set()


class Canary:
    """What is known and what was heard since the last test."""

    def __init__(self) -> None:
        self.secrets: dict[str, Secret] = {}
        self.heard: list[tuple[str, str]] = []
        self._dump: dict[asyncpg.Connection, Any] = {}

    def learn(self, what: str, text: str, *, guessable: bool = False) -> None:
        """`guessable`: a fast hash of it would give it away, however long it is."""
        if text.startswith("spk_"):
            self._keep(f"the secret half of {what}", text[len(text) // 2 :], guessable)
        plain = re.sub(r"[\s-]", "", text)
        for each in {text, plain if plain.isalnum() else text}:
            self._keep(what, each, guessable or len(each) < RANDOM_CHARACTERS)

    def _keep(self, what: str, text: str, guessable: bool) -> None:
        if len(text) >= LEAST_CHARACTERS and len(set(text)) >= LEAST_DIFFERENT and not _CONSTANT.fullmatch(text):
            self.secrets.setdefault(text, Secret(what, text, guessable))

    def hear(self, where: str, text: str) -> None:
        if text:
            self.heard.append((where, text))

    async def sent(self, request: httpx2.Request) -> None:
        """A hook of a client's: what a request carries."""
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        if shown:
            self.learn("Authorization", shown)
            if kind.lower() == "basic":
                self.learn("Authorization", base64.b64decode(shown).decode(errors="replace").partition(":")[2])
        for pair in request.headers.get("cookie", "").split("; "):
            self.learn("a cookie", pair.partition("=")[2])
        self._learn_body(request)

    def _learn_body(self, request: httpx2.Request) -> None:
        try:
            content = request.content
        except httpx2.RequestNotRead:
            return
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            self._learn_fields(dict(parse_qsl(content.decode(errors="replace"))), TYPED, "request")
        elif asked := _json(content):
            self._learn_fields(asked, TYPED, "request")
            query = asked.get("query") if isinstance(asked, dict) else None
            for name, value in _LITERAL.findall(query if isinstance(query, str) else ""):
                self._learn_fields({name: value}, TYPED, "request")

    async def answered(self, response: httpx2.Response) -> None:
        """A hook of a client's: what an answer carries. Errors may show no secret; fields may, once."""
        for line in response.headers.get_list("set-cookie"):
            self.learn("a cookie", line.partition(";")[0].partition("=")[2])
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            return
        content = await response.aread()
        self.hear("the headers of an answer", _but_cookies(response.headers))
        if response.status_code >= 400:
            self.hear(f"an answer with status {response.status_code}", content.decode(errors="replace"))
        elif any(word in content for word in (b"ode", b"ecret", b"oken", b"ey", b"rror", b"essage")) and (
            told := _json(content)
        ):
            self._learn_fields(told, SHOWN, "answer")
            for text in _messages(told):
                self.hear("an error or a problem's message", text)

    def _learn_fields(self, value: Any, names: frozenset[str], where: str) -> None:
        for name, found in _strings(value):
            plain = name.lower().replace("_", "")
            if plain in names:
                self.learn(
                    f"{name} of a{'n' if where == 'answer' else ''} {where}", found, guessable=plain in PASSWORDS
                )

    def logged(self, record: logging.LogRecord) -> None:
        said = [record.getMessage(), *(str(value) for name, value in vars(record).items() if name not in _ORDINARY)]
        if record.exc_info and record.exc_info[0]:
            said += traceback.format_exception(*record.exc_info)
        self.hear(f"the log {record.name}", "\n".join(said))

    async def read_database(self, session: asyncpg.Connection) -> None:
        """Everything that is stored at the end of a test, a table at a time."""
        if not self.secrets:
            return
        if session not in self._dump:
            self._dump[session] = await session.prepare(await _dump_of(session))
        for name, text in await self._dump[session].fetch():
            self.hear(f"the table {name}", text)

    def leaks(self) -> list[str]:
        """Each secret that was heard: what it is, how it was written, where. Forgets everything."""
        secrets, heard = list(self.secrets.values()), list(dict.fromkeys(self.heard))
        self.secrets, self.heard = {}, []
        whole = "\n".join(text for _, text in heard)
        found = []
        for secret in secrets:
            for how, form in secret.forms():
                if form in whole:
                    found += [f"{secret.what}, {how}, in {place}" for place, text in heard if secret.is_in(form, text)]
        return list(dict.fromkeys(found))


CANARY = Canary()
HOOKS: dict[str, list[Callable[..., Any]]] = {"request": [CANARY.sent], "response": [CANARY.answered]}
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _strings(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text and number with the name of the field that holds it, or that holds the list it is in."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, name)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield name, str(value)


def _messages(told: Any) -> Iterator[str]:
    if isinstance(told, dict) and "errors" in told:
        yield json.dumps(told["errors"], ensure_ascii=False)
    yield from (text for name, text in _strings(told) if name == "message")


def _but_cookies(headers: httpx2.Headers) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers.multi_items() if name.lower() != "set-cookie")


async def _dump_of(session: asyncpg.Connection) -> str:
    """One statement for all tables, made once: planning costs more than running it."""
    columns: dict[str, list[str]] = {}
    for row in await session.fetch(_COLUMNS):
        columns.setdefault(row["table"], []).append(f'"{row["column"]}"::text')  # bytes are shown in hexadecimal
    return " UNION ALL ".join(
        f"SELECT '{table}', string_agg(concat_ws(E'\\n', {', '.join(shown)}), E'\\n') FROM public.\"{table}\""
        for table, shown in columns.items()
    )


class Ear:
    """Hears every record of every logger, also at levels that are switched off, and changes nothing for others."""

    def __enter__(self) -> None:
        self._enabled, self._handle = logging.Logger.isEnabledFor, logging.Logger.handle
        enabled, handle = self._enabled, self._handle

        def is_enabled_for(logger: logging.Logger, level: int) -> bool:
            return enabled(logger, level) or not logger.name.startswith(NOT_OURS)

        def heard(logger: logging.Logger, record: logging.LogRecord) -> None:
            if not logger.name.startswith(NOT_OURS):
                CANARY.logged(record)
            if enabled(logger, record.levelno):
                handle(logger, record)

        logging.Logger.isEnabledFor, logging.Logger.handle = is_enabled_for, heard  # type: ignore[method-assign,assignment]  # put back below

    def __exit__(self, *_: object) -> None:
        logging.Logger.isEnabledFor, logging.Logger.handle = self._enabled, self._handle  # type: ignore[method-assign]  # as they were
