"""One question for every field of the API and every place it can be asked about, and what came of it in two words.

What is typed is right, so that whoever may do it succeeds; the places are those of `tests/callers.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import orjson
from graphql import GraphQLField, GraphQLInputObjectType, GraphQLUnionType, build_schema, get_named_type

from resolvers.schema import schema
from tests.callers import PASSWORD, World

WAYS = ("own", "suspended", "expired", "ended", "other", "unknown")
SIDES = ("own", "other", "unknown")
PLACES = {
    "practice": WAYS,
    "engagement": WAYS,
    "agent": SIDES,
    "token": SIDES,
    "api_key": SIDES,
    "factor": SIDES,
    "enrolment": SIDES,
    "session": SIDES,
    "review": SIDES,
    "staff": ("own", "removed", "other", "unknown"),
    "member": SIDES,
    "invitation": SIDES,
    "agent_offer": SIDES,
    "user": SIDES,
    "event": SIDES,
    "agent_event": SIDES,
    "person_event": ("stranger", "unknown"),
}
ONE = "query ($id: ID!) {{ {field}(id: $id) {{ __typename {inner} }} }}"
CHANGES = "query ($id: ID!) { changes(agentId: $id) { __typename changes { type } } }"
EXPLAIN = 'query ($id: ID!) { explainAccess(engagementId: $id, permission: "claims.read") { __typename allowed } }'
AS_OF = 'query ($id: ID!) { accessAsOf(practiceId: $id, at: "2026-11-23T12:00:00Z") { engagement { id } } }'
PREVIEW = 'query ($id: ID!) { previewRoles(engagementId: $id, roles: ["manager"]) { __typename needsStepUp } }'
ONBOARDING = "query ($id: ID!) { clientOnboarding(agentId: $id) { totalCount } }"
REFUSED = "... on NotPermitted { permission }"
PLAIN = {
    "viewer": "{ viewer { __typename user { id } } }",
    "practices": "{ practices { totalCount } }",
    "agents": "{ agents { totalCount } }",
    "role": '{ role(key: "biller") { __typename } }',
    "roles": "{ roles { key } }",
    "policy": "{ policy { __typename } }",
    "suggestRoles": '{ suggestRoles(tasks: ["submit claims"]) { __typename } }',
    "signOut": "mutation { signOut }",
    **{
        name: f"mutation {{ {name} {{ __typename ... on Problem {{ problem: code message }} {REFUSED} }} }}"
        for name in (
            "endOtherSessions",
            "renewRecoveryCodes",
            "beginPasskey",
            "beginPasskeySignIn",
            "beginPasskeyReauthentication",
        )
    },
}
# Edges that say `requires` or show only a part, by the object they start from.
EDGES = {
    "Practice.staff": ("practice", "staff { totalCount }"),
    "Practice.engagements": ("practice", "engagements { totalCount }"),
    "Practice.invitations": ("practice", "invitations { id }"),
    "Practice.reviews": ("practice", "reviews { id }"),
    "Practice.auditEvents": ("practice", "auditEvents { totalCount }"),
    "Practice.auditCheckpoint": ("practice", "auditCheckpoint { sequence }"),
    "Agent.members": ("agent", "members { totalCount }"),
    "Agent.invitations": ("agent", "invitations { id }"),
    "Agent.apiKeys": ("agent", "apiKeys(live: false) { id }"),
    "Agent.tokens": ("agent", "tokens(live: false) { id }"),
    "Agent.engagements": ("agent", "engagements { totalCount }"),
}
# Mutation → what its id is of, the id's field, and the rest of its input.
MUTATIONS: dict[str, tuple[str | None, str, dict[str, Any]]] = {
    "signUp": (None, "", {"name": "Fresh", "email": "fresh@nowhere.example", "password": PASSWORD}),
    "signIn": (None, "", {"email": "clerk@elm.example", "password": PASSWORD}),
    "changePassword": (None, "", {"password": PASSWORD, "newPassword": "an altogether other one"}),
    "endSession": ("session", "sessionId", {}),
    "reauthenticate": (None, "", {"password": PASSWORD}),
    "beginTotp": (None, "", {"label": "Phone"}),
    "confirmTotp": ("enrolment", "factorId", {}),
    "removeFactor": ("factor", "factorId", {}),
    "finishPasskey": (None, "", {"label": "Laptop"}),
    "signInWithPasskey": (None, "", {}),
    "reauthenticateWithPasskey": (None, "", {}),
    "createPractice": (None, "", {"name": "Fresh", "kind": "INDEPENDENT_THERAPIST", "incorporated": False}),
    "registerAgent": (
        None,
        "",
        {
            "kind": "BILLING_COMPANY",
            "legalName": "Fresh",
            "address": "1 Example Street",
            "city": "Dayton",
            "phone": "+1 555 0100",
            "email": "fresh@nowhere.example",
        },
    ),
    "addStaff": ("practice", "practiceId", {"email": "fresh@nowhere.example", "name": "F", "roles": ["scheduler"]}),
    "setStaffRoles": ("staff", "staffId", {"roles": ["biller"]}),
    "recordTraining": ("staff", "staffId", {"completedOn": "2026-11-20"}),
    "removeStaff": ("staff", "staffId", {}),
    "transferOwnership": ("practice", "practiceId", {}),
    "verifyAgent": ("agent", "agentId", {}),
    "suspendAgent": ("agent", "agentId", {}),
    "resumeAgent": ("agent", "agentId", {}),
    "departMember": ("member", "memberId", {}),
    "inviteMember": ("agent", "agentId", {"email": "fresh@nowhere.example", "name": "Fresh"}),
    "cancelInvitation": ("invitation", "invitationId", {}),
    "previewInvitation": (None, "", {}),
    "acceptInvitation": (None, "", {}),
    "issueToken": ("agent", "agentId", {}),
    "cancelToken": ("token", "tokenId", {}),
    "createApiKey": ("agent", "agentId", {"label": "Fresh", "scopes": ["tokens.read"]}),
    "rotateApiKey": ("api_key", "apiKeyId", {}),
    "revokeApiKey": ("api_key", "apiKeyId", {}),
    "previewToken": ("practice", "practiceId", {}),
    "connectAgent": ("practice", "practiceId", {"purpose": "CONTRACTED_SERVICE"}),
    "setRoles": ("engagement", "engagementId", {"roles": [], "expectedVersion": 2}),
    "confirmRoles": ("engagement", "engagementId", {"expectedVersion": 2}),
    "renewEngagement": ("engagement", "engagementId", {"expiresAt": "2027-06-01T00:00:00Z", "expectedVersion": 2}),
    "decideReview": ("review", "reviewId", {"decision": "KEEP"}),
    "revokeAgent": ("engagement", "engagementId", {}),
    "leavePractice": ("engagement", "engagementId", {}),
    "suspendEngagement": ("engagement", "engagementId", {"reason": "holidays", "expectedVersion": 2}),
    "resumeEngagement": ("engagement", "engagementId", {"expectedVersion": 2}),
    "requestRoles": ("engagement", "engagementId", {"roles": ["auditor"], "reason": "reports"}),
    "assignMember": ("engagement", "engagementId", {"cap": ["biller"]}),
    "unassignMember": ("engagement", "engagementId", {}),
    "requestAgreement": ("engagement", "engagementId", {}),
    "signAgreement": ("engagement", "engagementId", {"documentRef": "cabinet 7", "documentSha256": "a" * 64}),
    "recordAgreement": ("engagement", "engagementId", {"basis": "BAA", "effectiveOn": "2026-11-23"}),
    "waiveAgreement": ("engagement", "engagementId", {"reason": "one afternoon a month"}),  # a company's is required
    "terminateAgreement": ("engagement", "engagementId", {"expectedVersion": 2}),
}
ROOTS: dict[str, GraphQLField] = {
    name: field
    for root in (schema.graphql_schema.query_type, schema.graphql_schema.mutation_type)
    if root is not None
    for name, field in root.fields.items()
}
HELD_BY = {"NotPermitted": "permission heldBy { key }", "InvalidInput": "field"}
INVITED = ("previewInvitation", "acceptInvitation")
OF_MEMBER = ("createApiKey", "assignMember", "unassignMember")
REDEEMING = ("previewToken", "connectAgent")


@dataclass(frozen=True)
class Ask:
    """One field at one place. `kind` and `place` name an id of the world; `changes` says to restore it."""

    field: str
    kind: str
    place: str
    document: str
    variables: Mapping[str, Any]
    changes: bool


def all_asks(world: World) -> Iterator[Ask]:
    """Every question of the table, in its order."""
    for field, document in PLAIN.items():
        yield Ask(field, "", "-", document, {}, document.startswith("mutation"))
    yield from _reads(world)
    for place in SIDES:
        typed = {"invitationId": _id(world, "agent_offer", place)}
        yield _mutation(world, "cancelInvitation", "agent_offer", place, typed)
    for field, (kind, name, rest) in MUTATIONS.items():
        for place in PLACES[kind] if kind else ("-",):
            yield _mutation(world, field, kind or "", place, {name: _id(world, kind, place)} | rest if kind else rest)


PERMISSIONS = """query ($id: ID!, $memberId: ID!) {
    engagement(id: $id) { __typename permissions(memberId: $memberId) { key } }
}"""


def _reads(world: World) -> Iterator[Ask]:
    for field in ("practice", "agent", "engagement"):
        yield from _of_each_place(world, field, field, ONE.format(field=field, inner="id"))
    yield from _of_each_place(world, "explainAccess", "engagement", EXPLAIN)
    yield from _of_each_place(world, "accessAsOf", "practice", AS_OF)
    yield from _of_each_place(world, "previewRoles", "engagement", PREVIEW)
    yield from _of_each_place(world, "changes", "agent", CHANGES)
    for ask in _of_each_place(world, "Engagement.permissions", "engagement", PERMISSIONS):
        yield replace(ask, variables={**ask.variables, "memberId": world.ids["member own"]})
    yield from _of_each_place(world, "clientOnboarding", "agent", ONBOARDING)
    for kind in PLACES:
        yield from _of_each_place(world, "node", kind, ONE.format(field="node", inner="id"))
    for place in SIDES:
        ids = [_id(world, kind, place) for kind in PLACES if set(SIDES) <= set(PLACES[kind])]
        document = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
        yield Ask("nodes", "all", place, document, {"ids": ids}, False)
    for field, (parent, inner) in EDGES.items():
        yield from _of_each_place(world, field, parent, ONE.format(field=parent, inner=inner))
    document = "query ($id: ID!) { viewer { permissions(practiceId: $id) } }"
    yield from _of_each_place(world, "Viewer.permissions", "practice", document)


def _of_each_place(world: World, field: str, kind: str, document: str) -> Iterator[Ask]:
    for place in PLACES[kind]:
        yield Ask(field, kind, place, document, {"id": _id(world, kind, place)}, False)


def _mutation(world: World, field: str, kind: str, place: str, typed: dict[str, Any]) -> Ask:
    typed |= world.factors.get(field, {})
    if field in REDEEMING:
        typed |= {"letters": world.letters, "code": world.code}
    if field in INVITED:
        typed |= {"code": world.invitation}
    if field in OF_MEMBER:
        typed["memberId"] = world.ids["member own"]
    if field == "transferOwnership":
        typed["toStaffId"] = world.ids["staff own"]
    if field == "connectAgent":
        typed["confirmAgentId"] = world.ids["agent newcomer"]
    document = mutation_document(field, HELD_BY)
    return Ask(field, kind, place, document, {"input": typed}, True)


def mutation_document(field: str, selections: Mapping[str, str]) -> str:
    """The mutation, asking of each refusal that it can give for what `selections` says."""
    definition = ROOTS[field]
    (argument,) = definition.args.values()
    union = get_named_type(definition.type)
    answers = [each.name for each in union.types] if isinstance(union, GraphQLUnionType) else []
    inner = " ".join(f"... on {name} {{ {asked} }}" for name, asked in selections.items() if name in answers)
    return (
        f"mutation ($input: {get_named_type(argument.type).name}!) {{ {field}(input: $input) "
        f"{{ __typename ... on Problem {{ problem: code message }} {inner} }} }}"
    )


def guarded_edges() -> Iterator[tuple[str, str]]:
    """`Type.field` and the permission, for everything below the roots that says `@requires` in the SDL."""
    for type_ in build_schema(schema.as_str()).type_map.values():
        for name, field in getattr(type_, "fields", {}).items():
            for directive in getattr(field.ast_node, "directives", ()) or ():
                if directive.name.value == "requires" and type_.name not in ("Query", "Mutation", "Subscription"):
                    yield f"{type_.name}.{name}", str(getattr(directive.arguments[0].value, "value", ""))


def ids_taken() -> Iterator[str]:
    """`Type.field.argument` or `Input.field` for everything that takes an ID."""
    for type_ in schema.graphql_schema.type_map.values():
        for name, field in getattr(type_, "fields", {}).items():
            if isinstance(type_, GraphQLInputObjectType):
                if get_named_type(field.type).name == "ID":
                    yield f"{type_.name}.{name}"
                continue
            yield from (
                f"{type_.name}.{name}.{argument}"
                for argument, taken in field.args.items()
                if get_named_type(taken.type).name == "ID"
            )


def _id(world: World, kind: str, place: str) -> str:
    return world.ids[f"{kind} {place}"]


def outcome(answer: httpx2.Response) -> str:
    """What came of it: `ok`, `ok 4` for a list of four, `null`, a refusal's code with what it names, or 401.

    A refusal that is no member of the answer's union is an `error`.
    """
    if answer.status_code != 200:
        return str(answer.status_code)
    body = orjson.loads(answer.content)
    if "errors" in body:
        return f"error {_said(body['errors'][0]['extensions'])}"
    (value,) = body["data"].values()
    return _value(value)


def _value(value: Any) -> str:
    """A success, or the problem that a union holds. Of an object with an edge the edge is what was asked for."""
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"ok {sum(each is not None for each in value)}"
    if not isinstance(value, dict):
        return "ok"
    if "problem" in value:
        return _said(value | {"code": value["problem"]})
    if "totalCount" in value:
        return f"ok {value['totalCount']}"
    inner = [each for name, each in value.items() if isinstance(each, dict | list) and name != "user"]
    return _value(inner[0]) if inner else "ok"


def _said(problem: Mapping[str, Any]) -> str:
    named = [problem[name] for name in ("permission", "field") if problem.get(name)]
    return " ".join([problem["code"], *named])
