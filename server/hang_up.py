"""That a client has gone, told to whoever waits on its behalf, by the connection itself.

ASGI tells it to who asks for another message. A task that asks, for each request in a queue, was a thirtieth of what an
overloaded server did. Behind another server than ours nobody is told; they wait in vain for a quarter of a second.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Scope

HANG_UP = "sparekey.hang_up"  # in the scope

Tell = Callable[[], None]


class HangUp:
    """Of one connection. What is told is told once, or at once where it has happened already."""

    __slots__ = ("_happened", "_tell")

    def __init__(self) -> None:
        self._tell: dict[Tell, None] = {}
        self._happened = False

    def then(self, tell: Tell) -> None:
        if self._happened:
            tell()
        else:
            self._tell[tell] = None

    def forget(self, tell: Tell) -> None:
        self._tell.pop(tell, None)

    def happens(self) -> None:
        self._happened = True
        found, self._tell = self._tell, {}
        for tell in found:
            tell()


def of(scope: Scope) -> HangUp:
    found: HangUp | None = scope.get(HANG_UP)
    return found or HangUp()
