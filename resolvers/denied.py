"""Which refusals are attempts that a practice's record tells of: of who sees the place, and asked by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authz.actor import Place

if TYPE_CHECKING:
    from resolvers.context import Context


def note(context: Context, permission: str, place: Place, field: str) -> None:
    """After NotPermitted: whoever is hidden the place was refused with NotFound.

    Only what concerns one practice, and what staff can be permitted at all: that somebody may not issue an agent's
    tokens is no practice's business. What the server asks for by itself, to end a subscription, nobody attempted. A
    request is one attempt, however many fields it names, and although a refusal is worked out twice
    (`resolvers/straight.py`).
    """
    if len(place.practices) != 1 or context.actor is None or context.remembered is None:
        return
    attempt = (place.practice, permission)
    known = attempt in context.denied or not context.request.attended
    if not known and context.policy.roles_holding(permission, "staff"):
        context.denied.add(attempt)
        context.remembered.denials.note(context.actor, place.practice, permission, field)
