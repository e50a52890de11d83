"""The one place where a refusal becomes an answer, so that resolvers and operations have no try/except.

Every class of `errors.py` has a problem type of the same name. Strawberry tries a handler only on fields whose
union has its type; elsewhere the refusal goes on as an error, and the server gives it its code.
"""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import strawberry

import errors
from schema import problem
from schema.kinds import EndReason, ProblemCode

_ALWAYS = {"refusal", "code", "message"}


def _problem_type(refusal: type[errors.Refusal]) -> type[problem.Problem]:
    return cast("type[problem.Problem]", getattr(problem, refusal.__name__))


def _plain(name: str, value: Any) -> Any:
    """Operations know no enums of the API: an end reason is spelt as it is stored."""
    return EndReason(value) if name == "end_reason" else value


def problem_of(refusal: errors.Refusal) -> problem.Problem:
    """The refusal as an object of the API: for a union member, and for advice that is given without refusing."""
    made_of = _problem_type(type(refusal))
    extra = [field.name for field in dataclasses.fields(made_of) if field.init and field.name not in _ALWAYS]
    return made_of(
        refusal=refusal,
        code=ProblemCode(refusal.code),
        message=str(refusal),
        **{name: _plain(name, refusal.fields[name]) for name in extra},
    )


class RefusalHandler:
    """A `strawberry.ExceptionHandler` whose two types are known only when the tree of refusals is walked."""

    def __init__(self, refusal: type[errors.Refusal]) -> None:
        self.exception_type = refusal
        self.error_type = _problem_type(refusal)

    def handle(self, exception: Exception, *, field: Any, info: strawberry.Info) -> problem.Problem | None:
        return problem_of(exception) if isinstance(exception, errors.Refusal) else None


# For Schema(exception_handlers=HANDLERS). Nobody signed in is HTTP 401 and never a union member.
HANDLERS = tuple(
    RefusalHandler(refusal) for refusal in errors.Refusal.__subclasses__() if refusal is not errors.NotSignedIn
)
