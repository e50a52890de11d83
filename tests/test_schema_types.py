"""The types hold together without the root types: a throw-away schema offers every one of them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any, get_args, get_origin

import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    is_introspection_type,
    is_specified_directive,
    is_specified_scalar_type,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import create_type

from authz import agreement as agreements
from authz import life
from schema import agent, change, inputs, invitation, kinds, policy, practice, problem, results
from schema.handlers import HANDLERS
from schema.node import Node
from schema.person import Viewer
from schema.scalars import SCALARS

DECLARED = {**vars(results), **vars(inputs), **vars(invitation)}
RESULTS = {name: value for name, value in DECLARED.items() if get_origin(value) is Annotated}
INPUTS = {name: value for name, value in DECLARED.items() if name.endswith("Input") and name not in vars(problem)}
KINDS = [
    kind for kind in vars(kinds).values() if isinstance(kind, type) and issubclass(kind, Enum) and kind is not Enum
]
ROOTS = {"Query", "Mutation"}


def _field(name: str, returns: Any, **takes: Any) -> Any:
    def answer(**_: Any) -> Any: ...

    parameters = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, annotation=t) for n, t in takes.items()]
    vars(answer)["__signature__"] = inspect.Signature(parameters, return_annotation=returns)
    answer.__annotations__ = {**takes, "return": returns}
    answer.__name__ = name
    return strawberry.field(resolver=answer, name=name)


def _every_type() -> strawberry.Schema:
    offered = {
        "viewer": Viewer,
        "node": Node,
        "practices": practice.PracticeConnection,
        "agents": agent.AgentConnection,
        "policy": policy.Policy,
        "changes": change.ChangePage,
    }
    query = create_type("Query", [_field(name, type_) for name, type_ in offered.items()])
    answers = [_field(f"gives{name}", union) for name, union in RESULTS.items()]
    takes = [_field(f"takes{name}", bool, input=type_) for name, type_ in INPUTS.items()]
    return strawberry.Schema(
        query,
        create_type("Mutation", [*answers, *takes]),
        exception_handlers=HANDLERS,
        config=StrawberryConfig(scalar_map=SCALARS),
    )


SCHEMA = _every_type()
SDL = SCHEMA.as_str()
GRAPHQL = SCHEMA._schema
OURS = {
    name: type_
    for name, type_ in GRAPHQL.type_map.items()
    if name not in ROOTS and not is_introspection_type(type_) and not is_specified_scalar_type(type_)
}


def _described() -> Iterator[tuple[str, str | None]]:
    """Everything that GraphiQL shows with a description: (place, description)."""
    for directive in GRAPHQL.directives:
        if not is_specified_directive(directive) and directive.name not in {"defer", "stream", "oneOf"}:
            yield f"@{directive.name}", directive.description
    for name, type_ in OURS.items():
        yield name, type_.description
        if isinstance(type_, GraphQLEnumType):
            yield from ((f"{name}.{value}", known.description) for value, known in type_.values.items())
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, field in type_.fields.items():
                yield f"{name}.{field_name}", field.description
                yield from ((f"{name}.{field_name}({n}:)", arg.description) for n, arg in field.args.items())
        if isinstance(type_, GraphQLInputObjectType):
            yield from ((f"{name}.{field_name}", known.description) for field_name, known in type_.fields.items())


def _problems_of(union: GraphQLUnionType) -> set[str]:
    return {member.name for member in union.types if "Problem" in {i.name for i in member.interfaces}}


def test_the_throw_away_schema_offers_everything_that_is_declared() -> None:
    declared = {kind.__name__ for kind in KINDS} | set(RESULTS) | set(INPUTS)
    assert len(RESULTS) == 15
    assert len(INPUTS) == 20
    assert declared <= set(OURS)


def test_everything_a_client_sees_has_a_description() -> None:
    assert [place for place, text in _described() if text is None or len(text) < 10] == []


def test_descriptions_are_trimmed_sentences() -> None:
    crooked = [place for place, text in _described() if text and (text != text.strip() or text[-1] not in ".:…")]
    assert crooked == []


def test_left_out_is_never_printed_as_null() -> None:
    assert "= null" not in SDL


def test_defaults_are_printed_where_there_are_some() -> None:
    defaults = {line.strip() for line in SDL.splitlines() if " = " in line and "union" not in line}
    assert defaults == {
        "live: Boolean = true",
        "open: Boolean = true",
        "notMyEmployee: Boolean = false",
        "acknowledgeWarnings: Boolean = false",
        "admin: Boolean = false",
    }


def test_permissions_of_fields_are_printed() -> None:
    printed = {
        (type_.name, field_name): directive.permission
        for type_ in OURS.values()
        if isinstance(type_, GraphQLObjectType)
        for field_name, field in type_.fields.items()
        for directive in field.extensions["strawberry-definition"].directives
    }
    assert printed == {
        ("Practice", "staff"): "staff.read",
        ("Practice", "engagements"): "engagements.read",
        ("Practice", "invitations"): "staff.read",
        ("Practice", "reviews"): "agents.review",
        ("Practice", "auditEvents"): "audit.read",
        ("Practice", "auditCheckpoint"): "audit.read",
        ("Agent", "apiKeys"): "api_keys.manage",
        ("Agent", "members"): "members.read",
        ("Agent", "invitations"): "members.read",
        ("Agent", "tokens"): "tokens.read",
    }
    assert SDL.count(' @requires(permission: "') == len(printed)


def test_every_refusal_a_union_names_has_a_handler() -> None:
    handled = {handler.error_type.__name__ for handler in HANDLERS}
    unions = [type_ for type_ in OURS.values() if isinstance(type_, GraphQLUnionType)]
    assert len(unions) == len(RESULTS)
    assert {name for union in unions for name in _problems_of(union)} - handled == set()
    assert handled - {name for union in unions for name in _problems_of(union)} == set()


def test_every_union_has_exactly_one_success() -> None:
    unions = [type_ for type_ in OURS.values() if isinstance(type_, GraphQLUnionType)]
    assert {u.name: len(u.types) - len(_problems_of(u)) for u in unions} == dict.fromkeys(RESULTS, 1)


def test_values_of_enums_are_their_names_in_lower_case() -> None:
    lower = [kind for kind in KINDS if kind is not kinds.ProblemCode]
    assert len(lower) == 17
    odd = [member for kind in lower for member in kind if member.value != member.name.lower()]
    assert odd == []


def test_enums_and_the_life_of_an_engagement_use_the_same_words() -> None:
    pairs: list[tuple[type[Enum], type[Enum]]] = [
        (kinds.EngagementStatus, life.Status),
        (kinds.AgreementState, agreements.AgreementState),
        (kinds.Party, life.Party),
    ]
    for shown, derived in pairs:
        assert {member.value for member in shown} == {member.value for member in derived}


def test_a_password_or_code_is_in_no_repr() -> None:
    secret = "123412341234"
    token = agent.ConnectToken(
        id=strawberry.ID("1"),
        row={"code_hash": secret},
        letters="BCDF",
        spoken=[],
        status=kinds.TokenStatus.ISSUED,
        label=None,
        external_ref=None,
        issued_at=None,  # type: ignore[arg-type]
        expires_at=None,  # type: ignore[arg-type]
        attempts_remaining=5,
    )
    silent = [
        token,
        inputs.SignUpInput(name="a", email="b", password=secret),
        inputs.SignInInput(email="b", password=secret, second_factor=secret),
        inputs.ReauthenticateInput(password=secret, second_factor=secret),
        inputs.PreviewTokenInput(practice_id=strawberry.ID("1"), letters="BCDF", code=secret),
        inputs.ConnectAgentInput(
            practice_id=strawberry.ID("1"),
            letters="BCDF",
            code=secret,
            confirm_agent_id=strawberry.ID("2"),
            purpose=kinds.Purpose.CONTRACTED_SERVICE,
        ),
        results.IssueTokenSuccess(token=token, code=secret),
    ]
    assert [type(value).__name__ for value in silent if secret in repr(value)] == []


def test_connections_have_one_shape() -> None:
    shapes = {
        name: (sorted(type_.fields), str(type_.fields["edges"].type), str(type_.fields["nodes"].type))
        for name, type_ in OURS.items()
        if name.endswith("Connection") and isinstance(type_, GraphQLObjectType)
    }
    assert len(shapes) == 6
    for name, (fields, edges, nodes) in shapes.items():
        stem = name.removesuffix("Connection")
        assert fields == ["edges", "nodes", "pageInfo", "totalCount"]
        assert (edges, nodes) == (f"[{stem}Edge!]!", f"[{stem}!]!")


def test_the_type_that_connections_inherit_is_not_offered() -> None:
    assert "Page" not in OURS
    assert {get_args(union)[0] for union in RESULTS.values()}  # the unions above are real annotations
    assert problem.Problem.__name__ in OURS
