"""The operations of one socket: each a task, at most `socket_operations` of them, found by the client's ids.

`complete` from the client frees the id and silences the operation at once. A subscription is cancelled, which
closes its source; a query or a mutation is not: cancelling and starting anew would cost the database more than
letting it finish. Either way its task counts until it has ended, so `subscribe` and `complete` in turn start no more
work than the limit allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import limits
from server.answering import Answering
from server.body import Asked
from server.http_errors import Code, ErrorBody, error
from server.metrics import OK, Metrics
from server.running import Caller, Running, Stop, code_of, errors_of
from server.socket_messages import Close, Closing
from server.socket_wire import Gone, Wire


class Entry:
    """One operation under its id. `wanted` until the client says complete."""

    def __init__(self, id_: str, running: Running) -> None:
        self.id = id_
        self.running = running
        self.wanted = True
        self.refusal: Exception | None = None
        self.task: asyncio.Task[None] | None = None

    def complete(self) -> None:
        """Nothing more is said."""
        self.wanted = False
        self._cancel()

    def stop(self, refusal: Exception) -> None:
        """The client is told why."""
        if self.refusal is None:
            self.refusal = refusal
            self._cancel()

    def _cancel(self) -> None:
        if self.task is not None and self.running.is_subscription:
            self.task.cancel()


class Operations:
    def __init__(self, answering: Answering, caller: Caller, wire: Wire, metrics: Metrics) -> None:
        self._answering = answering
        self._caller = caller
        self._wire = wire
        self._metrics = metrics
        self._named: dict[str, Entry] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, id_: str, asked: Asked) -> None:
        """Raises Closing for an id that is in use."""
        if id_ in self._named:
            raise Closing(Close.DUPLICATE_ID, f"Subscriber for {id_} already exists")
        most = limits.of("socket_operations")
        if len(self._tasks) >= most:
            self._metrics.count_request(Code.TOO_MANY_OPERATIONS)
            message = f"at most {most} operations run on one socket; complete one first"
            await self._wire.tell(_error(id_, [error(Code.TOO_MANY_OPERATIONS, message)]))
            return
        self._start(Entry(id_, Running(self._answering, self._caller, asked)))

    def complete(self, id_: str) -> None:
        """An id that is not known any more has crossed our own `complete`."""
        entry = self._named.pop(id_, None)
        if entry is not None:
            entry.complete()

    def subscriptions(self) -> dict[Running, Stop]:
        return {entry.running: entry.stop for entry in self._named.values() if entry.running.is_subscription}

    async def stop(self) -> None:
        """Cancel all of them, and wait until their sources are closed."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=limits.of("step_seconds"))

    def _start(self, entry: Entry) -> None:
        self._named[entry.id] = entry
        entry.task = asyncio.create_task(self._run(entry))
        self._tasks.add(entry.task)
        entry.task.add_done_callback(self._tasks.discard)

    async def _run(self, entry: Entry) -> None:
        try:
            await self._tell(entry, await self._conduct(entry))
        except Gone:  # the socket ends, too
            pass
        finally:
            if self._named.get(entry.id) is entry:
                del self._named[entry.id]

    async def _conduct(self, entry: Entry) -> Mapping[str, Any]:
        """Tell every result. Returns the message that ends the operation."""
        try:
            code = await self._tell_results(entry)
        except Gone:
            raise
        except Exception as exception:
            return self._refused(entry, exception)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if entry.refusal is None or not entry.wanted or task is None or task.uncancel():
                raise
            return self._refused(entry, entry.refusal)
        self._metrics.count_request(code)
        return {"id": entry.id, "type": "complete"}

    async def _tell_results(self, entry: Entry) -> str:
        code = None
        context = await self._caller.context(attended=True)
        async with aclosing(entry.running.results(context)) as results:
            async for result in results:
                code = code or code_of(result.get("errors", ()))
                await self._tell(entry, {"id": entry.id, "type": "next", "payload": result})
        return code or OK

    def _refused(self, entry: Entry, exception: Exception) -> Mapping[str, Any]:
        errors = errors_of(exception, self._caller.request_id)
        self._metrics.count_request(code_of(errors) or OK)
        return _error(entry.id, errors)

    async def _tell(self, entry: Entry, message: Mapping[str, Any]) -> None:
        await self._wire.tell(message, wanted=lambda: entry.wanted)


def _error(id_: str, errors: list[ErrorBody]) -> Mapping[str, Any]:
    return {"id": id_, "type": "error", "payload": errors}
