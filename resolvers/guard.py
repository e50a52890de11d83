"""The guard in front of every root field: the permission is named once, on the field, and printed in the SDL.

`requires("agents.connect", places.practice)` finds the place in the field's arguments, asks the actor, and
hands the proof to the resolver as `access` (or `reach`, for lists). Both are invisible to clients. A resolver
that takes a proof without a guard, or a guard whose proof nobody takes, does not build a schema; a permission
that the shipped policy does not have stops the import.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from pathlib import Path
from typing import Any

import strawberry
from graphql import OperationType
from strawberry.extensions import FieldExtension
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from authz.actor import Actor
from authz.load import load
from errors import NotFound, NotPermitted, NotSignedIn
from resolvers import denied, places
from resolvers.context import Context, context_of
from schema.edges import Requires

SHIPPED = Path(__file__).parent.parent / "policies"
PROOFS = ("access", "reach")


class UnguardedField(TypeError):
    """A field and its guard do not fit each other. Raised while the schema is built."""


@functools.cache
def shipped_permissions() -> frozenset[str]:
    return frozenset(load(SHIPPED).permissions)


def requires(permission: str, place: places.Locate = places.platform) -> list[FieldExtension]:
    """For `strawberry.field(extensions=…)`. Raises UnguardedField for a permission that is not in the policy.

    A query whose object is hidden from the caller answers null; everything else raises the refusal.
    """
    if permission not in shipped_permissions():
        raise UnguardedField(f"the policy has no permission {permission}; declare it in policies/permissions/")
    return [Guard(permission, place)]


def public() -> list[FieldExtension]:
    """For the few fields that nobody has to be signed in for."""
    return [Public()]


class Public(FieldExtension):
    """Says that a root field has no guard on purpose."""

    def apply(self, field: StrawberryField) -> None:
        if _proof(field):
            raise UnguardedField(f"{field.python_name} takes a proof, but is public")


class Guard(FieldExtension):
    def __init__(self, permission: str, place: places.Locate) -> None:
        self.permission = permission
        self.place = place
        self.proof = ""
        self.field = ""

    def apply(self, field: StrawberryField) -> None:
        """Hide the proof from the arguments and print the permission into the SDL."""
        if any(isinstance(directive, Requires) for directive in field.directives):
            return  # strawberry applies extensions once for each schema that is built
        proof = _proof(field)
        if proof is None:
            raise UnguardedField(f"{field.python_name} requires {self.permission}, but takes neither access nor reach")
        self.proof, self.field = proof, to_camel_case(field.python_name)
        field.arguments = [argument for argument in field.arguments if argument.python_name not in PROOFS]
        field.directives = [*field.directives, Requires(permission=self.permission)]

    async def resolve_async(
        self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **arguments: Any
    ) -> Any:
        """A subscription's events are not awaited here; for each of them the guard is asked again."""
        context = context_of(info)
        if info.operation.operation is OperationType.MUTATION:
            await _begin(context)
        if context.actor is None:
            raise NotSignedIn
        proof = await self._prove(context, context.actor, arguments)
        answer = next_(source, info, **proof, **arguments)
        return await answer if isawaitable(answer) else answer

    async def _prove(self, context: Context, actor: Actor, arguments: dict[str, Any]) -> dict[str, Any]:
        if self.proof == "reach":
            return {"reach": actor.reach(self.permission)}
        place = await self.place(context, arguments)
        try:
            access = actor.access(self.permission, place)
        except NotPermitted:
            denied.note(context, self.permission, place, self.field)
            raise
        context.note_role_use(access)
        return {"access": access}


async def _begin(context: Context) -> None:
    """Of several mutations in one document, each sees what the ones before it changed."""
    if context.mutations:
        await context.refresh()
    context.mutations += 1


class Hidden(FieldExtension):
    """For queries of one object: what is hidden from the caller is null, as if there were no such object."""

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: Any, info: strawberry.Info, **arguments: Any
    ) -> Any:
        try:
            return await next_(source, info, **arguments)
        except NotFound:
            return None


def _proof(field: StrawberryField) -> str | None:
    names = {argument.python_name for argument in field.arguments}
    return next((proof for proof in PROOFS if proof in names), None)
