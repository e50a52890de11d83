"""Every refusal becomes the problem type of its name, with all that a client needs to act."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig

import errors
from schema import problem
from schema.handlers import HANDLERS, problem_of
from schema.kinds import EndReason, ProblemCode
from schema.results import ConnectAgentResult
from schema.scalars import SCALARS

ENDED_AT = datetime(2026, 3, 1, tzinfo=UTC)
SAMPLES = [
    errors.NotFound(),
    errors.NotPermitted("claims.submit", ("biller",)),
    errors.StepUpRequired(600),
    errors.SignInFailed(second_factor_required=True),
    errors.InvalidInput("roles.0.expiresAt", "write a time that is still to come"),
    errors.LimitReached(5, "five tokens are live; cancel one"),
    errors.RateLimited(30),
    errors.IdempotencyConflict(),
    errors.TokenRejected(),
    errors.InvitationRejected(),
    errors.CheckDigitMismatch(),
    errors.AgentNotActive(),
    errors.AgentConfirmationMismatch(),
    errors.UseStaffAccountInstead("add them on the staff page", True, "notMyEmployee"),
    errors.AlreadyEngaged("0190"),
    errors.EngagementEnded(ENDED_AT, "revoked_by_practice"),
    errors.StaleVersion("0190"),
    errors.UnknownRole("billr", ("biller",)),
    errors.RoleNotGrantable("owner", "only the owner gives this away"),
    errors.SeparationOfDuty(("claims.submit", "writeoffs.approve"), "these stay apart"),
    errors.WarningsNotAcknowledged(("no agreement is recorded",)),
]
REFUSALS = set(errors.Refusal.__subclasses__()) - {errors.NotSignedIn}


def _problem_types() -> Iterator[type[problem.Problem]]:
    for value in vars(problem).values():
        if isinstance(value, type) and issubclass(value, problem.Problem) and value is not problem.Problem:
            yield value


def test_codes_of_the_api_are_the_codes_of_the_refusals() -> None:
    assert {code.value for code in ProblemCode} == {refusal.code for refusal in REFUSALS}
    assert [code for code in ProblemCode if code.name != code.value] == []


def test_every_refusal_has_a_problem_type_and_the_other_way_round() -> None:
    assert {type_.__name__ for type_ in _problem_types()} == {refusal.__name__ for refusal in REFUSALS}


def test_every_refusal_has_one_handler() -> None:
    assert sorted(handler.exception_type.__name__ for handler in HANDLERS) == sorted(r.__name__ for r in REFUSALS)
    assert [h for h in HANDLERS if h.error_type.__name__ != h.exception_type.__name__] == []


def test_the_samples_cover_every_refusal() -> None:
    assert {type(sample) for sample in SAMPLES} == REFUSALS


@pytest.mark.parametrize("refusal", SAMPLES, ids=lambda refusal: type(refusal).__name__)
def test_a_refusal_keeps_all_it_has_to_say(refusal: errors.Refusal) -> None:
    answer = problem_of(refusal)
    assert type(answer).__name__ == type(refusal).__name__
    assert (answer.code.value, answer.message) == (refusal.code, str(refusal))
    assert answer.refusal is refusal
    # What is not plain is an edge, which reads it from the refusal.
    edges_read = {"held_by", "engagement_id"}
    plain = {field.name for field in dataclasses.fields(answer) if field.init} - {"refusal", "code", "message"}
    assert set(refusal.fields) - edges_read == plain


def test_an_end_reason_is_the_api_s_own() -> None:
    answer = problem_of(errors.EngagementEnded(ENDED_AT, "left_by_agent"))
    assert isinstance(answer, problem.EngagementEnded)
    assert answer.end_reason is EndReason.LEFT_BY_AGENT


def _refuse(info: strawberry.Info) -> Any:
    raise info.context


@strawberry.type
class Query:
    connect: ConnectAgentResult = strawberry.field(resolver=_refuse)
    plain: bool = strawberry.field(resolver=_refuse)


SCHEMA = strawberry.Schema(Query, exception_handlers=HANDLERS, config=StrawberryConfig(scalar_map=SCALARS))


def _execute(document: str, refusal: Exception) -> Any:
    logging.disable()
    try:
        return SCHEMA.execute_sync(document, context_value=refusal)
    finally:
        logging.disable(logging.NOTSET)


def test_a_refusal_that_the_union_names_is_its_member() -> None:
    document = "{ connect { __typename ... on Problem { code message } ... on RateLimited { retryAfterSeconds } } }"
    answer = _execute(document, errors.RateLimited(30))
    assert answer.errors is None
    assert answer.data["connect"] == {
        "__typename": "RateLimited",
        "code": "RATE_LIMITED",
        "message": errors.RateLimited.message,
        "retryAfterSeconds": 30,
    }


@pytest.mark.parametrize("refusal", [errors.StaleVersion("0190"), errors.NotSignedIn()])
def test_a_refusal_that_the_union_does_not_name_stays_an_error(refusal: errors.Refusal) -> None:
    answer = _execute("{ connect { __typename } }", refusal)
    assert answer.errors[0].original_error is refusal


def test_a_refusal_on_a_field_without_a_union_stays_an_error() -> None:
    refusal = errors.NotFound()
    assert _execute("{ plain }", refusal).errors[0].original_error is refusal


def test_a_fault_is_never_dressed_up_as_a_refusal() -> None:
    fault = RuntimeError("no")
    assert _execute("{ connect { __typename } }", fault).errors[0].original_error is fault
