"""The messages of graphql-transport-ws, and the codes by which a socket is closed.

The protocol closes a socket at the first message that it does not know. The reasons say what is wrong with the
message and repeat nothing of it, with one exception that the protocol prescribes: the id of a duplicate.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import limits
from server.body import Asked, asked_of, json_of
from server.http_errors import RequestRejected

PROTOCOL = "graphql-transport-ws"
REASON_BYTES = 123  # a close frame has room for no more


class Close(enum.IntEnum):
    GOING_AWAY = 1001
    TRY_AGAIN_LATER = 1013
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401  # `subscribe` before the acknowledgement
    FORBIDDEN = 4403
    WRONG_PROTOCOL = 4406
    INIT_TIMEOUT = 4408
    DUPLICATE_ID = 4409
    TOO_MANY = 4429  # initialisations, or sockets of one session
    INTERNAL = 4500


class Closing(Exception):
    """The socket has to be closed, now."""

    def __init__(self, code: Close, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason if len(reason.encode()) <= REASON_BYTES else ""


class Type(enum.StrEnum):
    """What a client may send."""

    INIT = "connection_init"
    PING = "ping"
    PONG = "pong"
    SUBSCRIBE = "subscribe"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Message:
    type: Type
    id: str = ""  # of SUBSCRIBE and COMPLETE
    payload: Mapping[str, Any] | None = field(default=None, repr=False)  # of INIT it may hold a credential
    asked: Asked | None = None  # of SUBSCRIBE


def read(text: str | None) -> Message:
    """`text` is None for a binary message. Raises Closing."""
    if text is None:
        _refuse("messages are text, not binary")
    try:
        content = json_of(text.encode(), "a message")
        if not isinstance(content, dict):
            _refuse("a message must be a JSON object")
        return _message(content)
    except RequestRejected as rejected:
        _refuse(str(rejected))


def _message(content: Mapping[str, Any]) -> Message:
    type_, payload = _type(content.get("type")), content.get("payload")
    if not isinstance(payload, dict | None):
        _refuse("payload must be an object")
    if type_ is Type.SUBSCRIBE:
        return Message(type_, _id(content.get("id")), payload, asked_of(payload or {}))
    return Message(type_, _id(content.get("id")) if type_ is Type.COMPLETE else "", payload)


def _type(given: object) -> Type:
    if not isinstance(given, str) or given not in frozenset(Type):
        _refuse("type must be one that a client sends: " + ", ".join(Type))
    return Type(given)


def _id(given: object) -> str:
    most = limits.of("socket_id_characters")
    if not isinstance(given, str) or not 0 < len(given) <= most:
        _refuse(f"id must be a string of 1 to {most} characters")
    return given


def _refuse(reason: str) -> NoReturn:
    raise Closing(Close.BAD_MESSAGE, reason) from None
