"""Every scalar that a mutation can be given, found in the schema so that none is forgotten, and asking with it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLInputObjectType, GraphQLList, GraphQLNonNull, get_named_type

from models import AttemptBudget
from tests.asks import ROOTS, all_asks, mutation_document, outcome
from tests.keeping import Kept
from tests.town import Client

WHO = {
    "signUp": "nobody",
    "signIn": "nobody",
    "signInWithPasskey": "nobody",
    **dict.fromkeys(("beginTotp", "confirmTotp", "removeFactor", "finishPasskey"), "stranger"),
    "reauthenticateWithPasskey": "stranger",
    "changePassword": "stranger",
    "endSession": "stranger",
    "createPractice": "stranger",
    "registerAgent": "stranger",
    **dict.fromkeys(("verifyAgent", "suspendAgent", "resumeAgent"), "operator"),
    **dict.fromkeys(("assignMember", "unassignMember", "departMember", "requestRoles", "leavePractice"), "agent admin"),
    "signAgreement": "agent admin",
    "inviteMember": "agent admin",
    "acceptInvitation": "stranger",
    "previewInvitation": "stranger",
    "issueToken": "agent admin",
    "cancelToken": "agent admin",
    "createApiKey": "agent admin",
    "rotateApiKey": "agent admin",
    "revokeApiKey": "agent admin",
}  # the owner for all others


@dataclass(frozen=True)
class Place:
    """One scalar below a mutation's input: `setRoles.roles.0.role`."""

    mutation: str
    path: tuple[str | int, ...]
    scalar: str

    @property
    def name(self) -> str:
        return ".".join(map(str, (self.mutation, *self.path)))


def places() -> Iterator[Place]:
    for name, field in ROOTS.items():
        if "input" in field.args:
            made = get_named_type(field.args["input"].type)
            assert isinstance(made, GraphQLInputObjectType)
            yield from _below(name, (), made)


def _below(mutation: str, path: tuple[str | int, ...], made: GraphQLInputObjectType) -> Iterator[Place]:
    for name, field in made.fields.items():
        inner = get_named_type(field.type)
        nullable = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
        here = (*path, name, 0) if isinstance(nullable, GraphQLList) else (*path, name)
        if isinstance(inner, GraphQLInputObjectType):
            yield from _below(mutation, here, inner)
        else:
            yield Place(mutation, here, inner.name)


def put(typed: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """A copy of the input with `value` at the path; a list or an object on the way is made of right values."""
    made = copy.deepcopy(typed)
    *way, last = path
    if len(way) == 2:  # roles.0.role
        made[str(way[0])] = [{"role": "biller"} | {str(last): value}]
    elif way:  # tasks.0
        made[str(way[0])] = [value]
    else:
        made[str(last)] = value
    return made


class Asker:
    """Asks mutations with one thing wrong, and looks at every row of every table before and after."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.inputs = {
            ask.field: dict(ask.variables["input"])
            for ask in all_asks(kept.world)
            if ask.place in ("own", "-") and "input" in ask.variables
        }

    def browser(self, mutation: str) -> Client:
        return self.kept.world.browser(WHO.get(mutation, "owner"))

    async def said(self, place: Place, value: Any) -> str:
        """The outcome of the mutation with `value` in this place."""
        return await self.outcome(place.mutation, **put(self.inputs[place.mutation], place.path, value))

    async def refused(self, place: Place, values: Iterable[Any], expected: str) -> int:
        """Every value gets this answer, and all of them together change no row. How many there were."""
        asked = 0
        before = await self.digest()
        for value in values:
            typed = put(self.inputs[place.mutation], place.path, value)
            assert await self._answer(place.mutation, typed) == expected, (place.name, str(value)[:20])
            asked += 1
        assert await self.digest() == before, place.name
        return asked

    async def outcome(self, mutation: str, **typed: Any) -> str:
        """Fails where a refusal changed a row."""
        before = await self.digest()
        answer = await self._answer(mutation, typed)
        assert answer == "ok" or await self.digest() == before, (mutation, answer)
        return answer

    async def _answer(self, mutation: str, typed: dict[str, Any]) -> str:
        """Wrong attempts are counted, and forgotten before the next one."""
        document = mutation_document(mutation, {"InvalidInput": "field"})
        answer = outcome(await self.browser(mutation).send(document, input=typed))
        if answer != "error INVALID_VARIABLES":  # which no resolver has seen
            await AttemptBudget.all().delete()
        return answer

    async def digest(self) -> list[tuple[str, int, str]]:
        return [found for found in await self.kept.restore.digest() if found[0] != "attempt_budgets"]
