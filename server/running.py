"""One operation over a connection that stays: a WebSocket, or a stream of server-sent events.

A query or a mutation has one result, a subscription one for each event. Whatever goes wrong is raised, and
`errors_of` says it as a client may see it. A result is asked for one at a time, so a client that reads slowly slows
the source and fills no queue.

Who asks is settled once, and asked again for every result: a fresh context is opened, and it has to be the same
person's. A subscription may also be asked between two events whether it would still be allowed (`check`): the watch
of a connection does so every `watch_milliseconds`, which ends what a revocation took away while nothing happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from graphql import GraphQLError, OperationType

import limits
from errors import NotSignedIn, Refusal
from models import deadline
from resolvers import subscription
from resolvers.credential import Credential
from resolvers.execution import RequestContext, RequestFacts
from server.answering import Answering, Prepared, body
from server.body import Asked
from server.http_errors import Code, DocumentRejected, ErrorBody, RequestRejected, error, field_errors

OpenContext = Callable[[RequestFacts], Awaitable[RequestContext]]
Result = dict[str, Any]
Stop = Callable[[Exception], None]
T = TypeVar("T")

# They change the cookie, and only the headers of an answer can: on a connection that stays those were sent long ago.
SESSION_MUTATIONS = frozenset(
    {
        "signUp",
        "signIn",
        "signInWithPasskey",
        "signOut",
        "reauthenticate",
        "reauthenticateWithPasskey",
        "changePassword",
    }
)
USE_POST = "this changes the session's cookie, which only an answer to POST can set; send it by POST"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds the connection. `user_id` is None while nobody is signed in."""

    open_context: OpenContext
    clock: Callable[[], datetime]
    credential: Credential | None
    address: str
    request_id: str
    user_id: object | None = None

    @property
    def holder(self) -> bytes:
        """Whose share of the connections it takes."""
        return self.address.encode() if self.credential is None else self.credential.name

    async def context(self, *, attended: bool) -> RequestContext:
        """A fresh one. Raises NotSignedIn when the session is over, or somebody else's."""
        context = await self.anybody(attended=attended)
        if context.user_id != self.user_id:
            raise NotSignedIn
        return context

    async def anybody(self, *, attended: bool = True) -> RequestContext:
        """A fresh one, whoever it is for."""
        said = self.credential, self.address, self.clock(), self.request_id, attended
        facts = RequestFacts(*said, clock=self.clock)
        return await timely(self.open_context(facts))


class Running:
    """An operation from its start to its last result."""

    def __init__(self, answering: Answering, caller: Caller, asked: Asked) -> None:
        self._answering = answering
        self._caller = caller
        self._asked = asked
        self._subscribed: Prepared | None = None

    @property
    def is_subscription(self) -> bool:
        """Known once the first result was asked for."""
        return self._subscribed is not None

    async def results(self, context: RequestContext) -> AsyncGenerator[Result, None]:
        """Raises what `errors_of` understands; what was refused before execution is a DocumentRejected."""
        prepared = self._answering.prepare(self._asked, signed_in=context.actor is not None)
        refuse_a_change_of_session(prepared, Code.USE_POST, USE_POST)
        if prepared.kind is OperationType.SUBSCRIPTION:
            self._subscribed = prepared
            async with aclosing(self._events(prepared, context)) as events:
                async for result in events:
                    yield result
        else:
            yield await timely(self._answering.run(prepared, context, self._caller.request_id))

    async def check(self, context: RequestContext) -> None:
        """Raises where a running subscription would not be allowed to begin in this context."""
        if self._subscribed is not None:
            await timely(subscription.check(self._answering.executor(self._subscribed, context)))

    async def _events(self, prepared: Prepared, context: RequestContext) -> AsyncGenerator[Result, None]:
        source = await timely(subscription.begin(self._answering.executor(prepared, context)))
        async with aclosing(source):
            async for event in source:
                await asyncio.sleep(0)  # a source that never waits leaves the others their turn
                fresh = await self._caller.context(attended=False)
                result = await timely(subscription.answer(self._answering.executor(prepared, fresh), event))
                yield body(result, prepared.cost, self._caller.request_id)


async def timely(work: Awaitable[T]) -> T:
    """One step of a connection that itself may stay for hours. The database is told the step's deadline."""
    try:
        with deadline.within(limits.of("step_seconds")):
            async with asyncio.timeout(limits.of("step_seconds")) as bound:
                return await work
    except TimeoutError:
        if not bound.expired():
            raise
        raise RequestRejected(503, Code.BUSY, "this took too long; try again", Retry_After="1") from None


async def watch(caller: Caller, subscriptions: Callable[[], Mapping[Running, Stop]]) -> None:
    """Ask for every subscription whether it is still allowed, and stop it where it is not. Never returns.

    Raises NotSignedIn when the session is over. While nobody can be asked (the database is away, the service is
    busy) nothing is stopped: no event is answered either, and one that comes says what is wrong.
    """
    while True:
        await asyncio.sleep(limits.of("watch_milliseconds") / 1000)
        if watched := subscriptions():
            try:
                context = await caller.context(attended=False)
            except NotSignedIn:
                raise
            except Exception:  # noqa: S112  # says why above
                continue
            for running, stop in watched.items():
                await _stop_if_refused(running, context, stop)


async def _stop_if_refused(running: Running, context: RequestContext, stop: Stop) -> None:
    try:
        await running.check(context)
    except (Refusal, subscription.NotBegun) as refused:
        stop(refused)
    except Exception:  # noqa: S110  # as in `watch`
        pass


async def until_one_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Run them side by side until the first ends, and raise what it raised. The others are cancelled."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def errors_of(exception: Exception, request_id: str) -> list[ErrorBody]:
    """What a client is told. What nobody expected is logged, and told by its id alone."""
    if isinstance(exception, DocumentRejected | RequestRejected):
        return exception.errors
    if isinstance(exception, subscription.NotBegun):
        return field_errors(exception.errors, request_id)
    return field_errors([GraphQLError("", original_error=exception)], request_id)


def code_of(errors: Iterable[ErrorBody]) -> str | None:
    return next((str(each["extensions"]["code"]) for each in errors), None)


def refuse_a_change_of_session(prepared: Prepared, code: Code, message: str) -> None:
    roots = prepared.operation.sum.roots
    if prepared.kind is OperationType.MUTATION and not SESSION_MUTATIONS.isdisjoint(roots):
        raise DocumentRejected([error(code, message)])
