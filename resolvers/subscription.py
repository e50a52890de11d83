"""Subscriptions: events from a source, each answered by an execution of its own.

A permission that held when a subscription began may be gone at the next event, so every event is answered in a
fresh context, and the guard of the subscription's field is asked again in it. The library runs a field's extensions
only when the source is made. So the source is made again, too: the field's function is an async generator, and
calling one runs everything in front of it and nothing of itself. (`begin` insists on that.)

The source tells that something happened and what; it must not decide by its own context who may see it. What it yields
is an `Event`, which becomes what the client is shown in the fresh context, as everything is then.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from inspect import isawaitable
from typing import Any

from graphql import ExecutionResult, GraphQLError, create_source_event_stream
from graphql.execution import Executor

from errors import Refusal


class Event(ABC):
    """Something that happened, by its ids."""

    @abstractmethod
    async def shown(self, context: Any) -> object:
        """The object of the API, as it is for this context."""


class NotBegun(Exception):
    """The field or its guard refused. `errors` have the same form as those of a field."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__("the subscription has no source")
        self.errors = list(errors)


async def begin(executor: Executor[Any]) -> AsyncGenerator[Any, None]:
    """The events, of which nothing has run yet. Raises NotBegun."""
    made = create_source_event_stream(executor)
    source = await made if isawaitable(made) else made
    if isinstance(source, ExecutionResult):
        raise _why(source.errors or [])
    if not isinstance(source, AsyncGenerator):
        raise TypeError("the function of a subscription must be an async generator")
    return source


def _why(found: Sequence[GraphQLError]) -> Exception:
    """What nobody expected goes on as it is: a database that is away refuses nobody."""
    originals = (each.original_error for each in found)
    faults = (each for each in originals if each is not None and not isinstance(each, Refusal | GraphQLError))
    return next(faults, NotBegun(found))


async def check(executor: Executor[Any]) -> None:
    """Whether the subscription could begin now, for the executor's context. Raises NotBegun."""
    await (await begin(executor)).aclose()


async def answer(executor: Executor[Any], event: object) -> ExecutionResult:
    """What the subscription says about one event. Raises NotBegun where it could not begin now."""
    await check(executor)
    shown = await event.shown(executor.context_value) if isinstance(event, Event) else event
    result = executor.build_per_event_executor(shown).execute_operation()
    if isawaitable(result):
        result = await result
    if not isinstance(result, ExecutionResult):
        raise TypeError("incremental delivery is not supported")
    return result
