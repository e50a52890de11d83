"""Errors: a closed list of codes, nothing unexpected told, nothing typed repeated or logged."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

import errors
from models.connection import PoolExhausted
from server import redaction
from server.http_errors import CODES, extension_fields
from tests.http_door import SECRET, Context, codes, door


def extensions(response: Any) -> list[dict[str, Any]]:
    return [each["extensions"] for each in response.json()["errors"]]


async def test_a_refusal_in_a_field_without_a_union_keeps_its_code_and_fields() -> None:
    async with door() as caller:
        response = await caller.ask("{ practice { ownerOnly stale } }")
    assert extensions(response) == [
        {"code": "NOT_PERMITTED", "permission": "agents.connect", "heldBy": ["owner", "manager"]},
        {"code": "ENGAGEMENT_ENDED", "endedAt": "2026-11-23T12:00:00+00:00", "endReason": "REVOKED_BY_PRACTICE"},
    ]
    assert response.json()["errors"][0]["path"] == ["practice", "ownerOnly"]


def test_what_json_cannot_say_is_left_out_of_the_extensions() -> None:
    assert extension_fields({"some_object": object(), "did_you_mean": ("a", "b"), "code": "OTHER"}) == {
        "didYouMean": ["a", "b"]
    }


async def test_an_unexpected_exception_says_internal_error_and_an_id_that_is_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with door() as caller:
        response = await caller.ask("{ practice { broken } }", headers={"X-Request-ID": "request-7"})
    [error] = response.json()["errors"]
    assert error["message"] == "internal error"
    assert error["extensions"] == {"code": "INTERNAL", "id": error["extensions"]["id"]}
    [record] = caplog.records
    logged = vars(record)
    assert error["extensions"]["id"] in record.getMessage()
    assert logged["fault_id"] == error["extensions"]["id"]
    assert logged["request_id"] == "request-7"
    assert (logged["code"], logged["path"]) == ("INTERNAL", "practice.broken")
    assert logged["exceptions"] == ["ValueError"]
    assert re.search(r"http_door\.py:\d+ broken", logged["places"][-1])


@pytest.mark.parametrize("field", ["broken", "brokenToo", "noNumber"])
async def test_an_unexpected_exception_tells_nobody_what_it_was_about(
    field: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with door() as caller:
        response = await caller.ask(f"{{ practice {{ {field} }} }}")
    assert codes(response) == ["INTERNAL"]
    assert SECRET not in response.text
    assert SECRET not in str([vars(record) for record in caplog.records])
    assert len(caplog.records) == 1


async def test_one_exception_met_by_several_fields_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async with door() as caller:
        response = await caller.ask("{ a: practice { shared } b: practice { shared } }")
    first, second = extensions(response)
    assert first["id"] == second["id"]
    assert len(caplog.records) == 1


async def test_many_failing_fields_give_five_errors_and_five_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    async with door() as caller:
        response = await caller.ask("{ practice { " + " ".join(f"a{n}: broken" for n in range(12)) + " } }")
    assert len(codes(response)) == 5
    assert len(caplog.records) == 5


LITERALS = [
    f"{{ slow(code: {SECRET}) }}",
    f'{{ slow(code: "{SECRET}", number: "{SECRET}") }}',
    f"{{ slow(code: [{SECRET}]) }}",
    f'{{ slow(code: {{code: "{SECRET}"}}) }}',
    f"{{ slow(code: {SECRET}.5) }}",
    f"{{ slow(code: x{SECRET}) }}",
    f'{{ slow(code: "x", kind: "{SECRET}") }}',
    f'{{ slow(code: "x", kind: x{SECRET}) }}',
    f"{{ slow(code: {SECRET} {SECRET}) }}",
    f'{{ slow(code: "{SECRET}) }}',
    f'{{ slow(code "{SECRET}") }}',
    f'{{ slow(code: """{SECRET}""" "{SECRET}") }}',
    f"{{ {SECRET} }}",
    f'"{SECRET}"',
    f"{{ slow(code: '{SECRET}') }}",
    f'{{ slow(code: "\\x{SECRET}") }}',
    f'{{ slow(code: "\\u{{{SECRET}}}") }}',
    f"{{ slow(code: .{SECRET}) }}",
    f"{{ slow(code: 0{SECRET}) }}",
    f"{{ slow(code: {SECRET}x) }}",
    f'{{ slow(code: "{SECRET}\n") }}',
    f"{{ slow(code: ${SECRET}) }}",
    f"{{ slow(code: @{SECRET}) }}",
    f'query ($c: Int = "{SECRET}") {{ slow(code: "x", number: $c) }}',
    f'mutation {{ signIn(input: {{email: "a", password: {SECRET}}}) }}',
    f'mutation {{ signIn(input: {{email: "a", pass: "{SECRET}"}}) }}',
    f'mutation {{ signIn(input: {{password: "{SECRET}"}}) }}',
    f'mutation {{ signIn(input: "{SECRET}") }}',
    f"mutation {{ connectAgent(code: {SECRET}) }}",
    f'{{ a: slow(code: "{SECRET}") a: slow(code: "other") }}',
    f'{{ slow(code: "x") @skip(if: "{SECRET}") }}',
    f'{{ slow(code: "x") @skip(if: {SECRET}) }}',
]


@pytest.mark.parametrize("query", LITERALS)
async def test_a_code_typed_as_a_literal_in_the_wrong_place_comes_back_nowhere(
    query: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with door() as caller:
        response = await caller.ask(query)
    assert response.status_code == 400
    assert set(codes(response)) <= {"GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"}
    assert SECRET[:4] not in response.text
    assert SECRET[:4] not in caplog.text


VARIABLES = [
    ("query ($c: String!) { slow(code: $c) }", int(SECRET)),
    ("query ($c: String!) { slow(code: $c) }", [SECRET]),
    ("query ($c: String!) { slow(code: $c) }", {"code": SECRET}),
    ('query ($c: Int!) { slow(code: "x", number: $c) }', SECRET),
    ('query ($c: Int!) { slow(code: "x", number: $c) }', int(SECRET)),
    ('query ($c: Kind!) { slow(code: "x", kind: $c) }', SECRET),
    ("mutation ($c: SignInInput!) { signIn(input: $c) }", SECRET),
    ("mutation ($c: SignInInput!) { signIn(input: $c) }", {"email": "a", "password": int(SECRET)}),
    ("mutation ($c: SignInInput!) { signIn(input: $c) }", {"password": SECRET}),
    ("mutation ($c: SignInInput!) { signIn(input: $c) }", {"email": "a", "password": "b", "pass": SECRET}),
]


@pytest.mark.parametrize(("query", "value"), VARIABLES)
async def test_a_code_in_a_variable_of_the_wrong_type_comes_back_nowhere(
    query: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with door() as caller:
        response = await caller.ask(query, {"c": value})
    assert response.status_code == 400
    assert set(codes(response)) == {"INVALID_VARIABLES"}
    assert SECRET not in response.text
    assert SECRET not in str([vars(record) for record in caplog.records])


async def test_a_message_about_a_value_still_says_what_is_wrong() -> None:
    async with door() as caller:
        missing = await caller.ask('mutation { signIn(input: {email: "a"}) }')
        unknown = await caller.ask('mutation { signIn(input: {email: "a", password: "b", mail: "c"}) }')
        variable = await caller.ask("mutation ($i: SignInInput!) { signIn(input: $i) }", {"i": {"email": 5}})
        enum = await caller.ask('{ slow(code: "x", kind: OTHR) }')
    assert "to include required field 'password'" in missing.text
    assert "not to include unknown field 'mail'" in unknown.text
    assert "Variable '$i' has invalid value at .email: String cannot represent a non string value" in variable.text
    assert "Did you mean the enum value 'OTHER'?" in enum.text


def test_a_message_of_an_unknown_form_becomes_the_general_sentence() -> None:
    assert redaction.about_a_value(f"Scalar 'Letters' cannot stand {SECRET}") == redaction.GENERAL
    assert redaction.about_a_value(f"Variable '$c' has invalid value at .a[0].b: odd {SECRET}") == (
        f"Variable '$c' has invalid value at .a[0].b: {redaction.GENERAL}"
    )


async def test_a_refusal_while_the_context_is_opened_is_answered_with_its_status() -> None:
    async def limited(facts: object) -> Context:
        raise errors.RateLimited(30)

    async with door(open_context=limited) as caller:
        response = await caller.ask("{ __typename }")
    assert response.status_code == 429
    assert response.headers["retry-after"] == "30"
    assert codes(response) == ["RATE_LIMITED"]


async def test_a_fault_while_the_context_is_opened_is_500_with_an_id_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(facts: object) -> Context:
        raise ConnectionError(f"password={SECRET}")

    async with door(open_context=broken) as caller:
        response = await caller.ask("{ __typename }")
    assert response.status_code == 500
    assert codes(response) == ["INTERNAL"]
    assert SECRET not in response.text + caplog.text
    assert len(caplog.records) == 1


async def test_a_request_that_finds_no_free_connection_is_told_to_come_back() -> None:
    async def busy(facts: object) -> Context:
        raise PoolExhausted

    async with door(open_context=busy) as caller:
        response = await caller.ask("{ __typename }")
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert codes(response) == ["BUSY"]


def test_the_list_of_codes_is_closed_and_holds_every_refusal() -> None:
    assert {"NOT_SIGNED_IN", "USE_STAFF_ACCOUNT", "CROSS_SITE", "INTERNAL"} <= CODES
    assert sorted(CODES) == [
        "AGENT_CONFIRMATION_MISMATCH",
        "AGENT_NOT_ACTIVE",
        "ALREADY_ENGAGED",
        "BAD_REQUEST",
        "BEARER_INVALID",
        "BODY_TOO_LARGE",
        "BODY_TOO_SLOW",
        "BUSY",
        "CHECK_DIGIT_MISMATCH",
        "CROSS_SITE",
        "DOCUMENT_TOO_EXPENSIVE",
        "ENGAGEMENT_ENDED",
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "HEADERS_TOO_LARGE",
        "IDEMPOTENCY_CONFLICT",
        "INTERNAL",
        "INVALID_INPUT",
        "INVALID_VARIABLES",
        "INVITATION_REJECTED",
        "LIMIT_REACHED",
        "METHOD_NOT_ALLOWED",
        "NOT_ACCEPTABLE",
        "NOT_FOUND",
        "NOT_PERMITTED",
        "NOT_SIGNED_IN",
        "OPERATION_NOT_FOUND",
        "PERSISTED_DOCUMENT_NOT_FOUND",
        "PERSISTED_DOCUMENT_REQUIRED",
        "RATE_LIMITED",
        "ROLE_NOT_GRANTABLE",
        "SEPARATION_OF_DUTY",
        "SESSION_ONLY",
        "SEVERAL_CREDENTIALS",
        "SIGN_IN_FAILED",
        "STALE_VERSION",
        "STEP_UP_REQUIRED",
        "TIMED_OUT",
        "TOKEN_REJECTED",
        "TOO_MANY_OPERATIONS",
        "UNKNOWN_ROLE",
        "UNSUPPORTED_MEDIA_TYPE",
        "USE_POST",
        "USE_STAFF_ACCOUNT",
        "WARNINGS_NOT_ACKNOWLEDGED",
    ]
