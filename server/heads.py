"""A request's headers by name, once: the door asks for a dozen of them, most of which nobody sent."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

KEPT = "sparekey.headers"


class Heads(Headers):
    """starlette's, for names in lower case."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._last = dict(self._list)  # one of each name; nearly always that is all
        self._repeat = len(self._last) < len(self._list)

    def getlist(self, key: str) -> list[str]:
        if self._repeat:
            return super().getlist(key)
        found = self._last.get(key.encode("latin-1"))
        return [] if found is None else [found.decode("latin-1")]

    def __getitem__(self, key: str) -> str:
        """The first of them. Raises KeyError."""
        if self._repeat:
            return super().__getitem__(key)
        return self._last[key.encode("latin-1")].decode("latin-1")

    def get(self, key: str, default: Any = None) -> Any:
        if self._repeat:
            return super().get(key, default)
        found = self._last.get(key.encode("latin-1"))
        return default if found is None else found.decode("latin-1")


def of(scope: Scope) -> Heads:
    found: Heads | None = scope.get(KEPT)
    if found is None:
        found = scope[KEPT] = Heads(scope)
    return found


class HeadedRequest(Request):
    """starlette's request; what is asked for again and again is found once."""

    @cached_property
    def headers(self) -> Heads:
        return of(self.scope)

    @cached_property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def address(self) -> str:
        """Of the client, or of whom a proxy that is believed names."""
        client = self.scope.get("client")
        return str(client[0]) if client else ""
