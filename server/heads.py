"""A request's headers, sorted by name once: the door asks for a dozen of them."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

KEPT = "sparekey.headers"


class Heads(Headers):
    """starlette's, for names in lower case."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._values: dict[str, list[str]] = {}
        for name, value in self._list:
            self._values.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))

    def getlist(self, key: str) -> list[str]:
        return self._values.get(key, [])

    def __getitem__(self, key: str) -> str:
        return self._values[key][0]

    def get(self, key: str, default: Any = None) -> Any:
        found = self._values.get(key)
        return found[0] if found else default


def of(scope: Scope) -> Heads:
    found: Heads | None = scope.get(KEPT)
    if found is None:
        found = scope[KEPT] = Heads(scope)
    return found


class HeadedRequest(Request):
    """starlette's request, with its headers sorted."""

    @property
    def headers(self) -> Heads:
        return of(self.scope)
