"""A town to test in: real people, practices and agents behind the real application and a real PostgreSQL.

People are given a session without a password, because argon2 takes its time on purpose; signing in itself has
tests of its own. Everything else goes through GraphQL, as a client would do it.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import httpx2
import orjson
from starlette.applications import Starlette

from authz.load import load
from authz.policy import Policy
from models import Session, User
from models.connection import client
from operations import pepper
from operations.denials import Denials
from operations.passkey_answer import RelyingParty
from operations.session import reference_hash
from operations.spelling import check_digit
from resolvers.context import Context, Sessions, open_context
from resolvers.credential import Credential, of_session
from resolvers.execution import RequestFacts
from resolvers.remembered import Remembered
from resolvers.schema import schema
from server.app import create_app
from server.issuers import TrustedIssuers
from tests.canary import HOOKS
from tests.read_documents import Known

POLICIES = Path(__file__).parent.parent / "policies"
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
COOKIE = "sparekey"
PEPPER = b"p" * 32
SITE = RelyingParty("keys.example.org", "Sparekey", "https://keys.example.org")
# The others are named after theirs.
INPUTS = {
    "verifyAgent": "AgentInput",
    "suspendAgent": "AgentInput",
    "resumeAgent": "AgentInput",
    "confirmRoles": "EngagementVersionInput",
    "resumeEngagement": "EngagementVersionInput",
    "unassignMember": "AssignMemberInput",
    "departMember": "MemberInput",
    "terminateAgreement": "EngagementVersionInput",
    "signInWithPasskey": "PasskeyAnswerInput",
    "reauthenticateWithPasskey": "PasskeyAnswerInput",
}

RETRY = " ... on RateLimited { retryAfterSeconds }"
CONNECTED = """
... on ConnectAgentSuccess { engagement { id version } nextStep } ... on AlreadyEngaged { engagement { id version } }
... on UseStaffAccountInstead { overrideWith } ... on InvalidInput { field }
"""
SHOWN = "id version status endReason endedAt roles { role { key } status expiresAt }"
ROLES_SET = f"""
... on SetRolesSuccess {{ engagement {{ {SHOWN} }} }} ... on StaleVersion {{ current {{ {SHOWN} }} }}
... on UnknownRole {{ role didYouMean }} ... on RoleNotGrantable {{ role }} ... on InvalidInput {{ field }}
... on WarningsNotAcknowledged {{ warnings }} ... on EngagementEnded {{ endedAt endReason }}
... on StepUpRequired {{ maxAgeSeconds }} ... on NotPermitted {{ permission heldBy {{ key }} }}
"""
INVITED = "... on InvitationSuccess { code invitation { id } }"
RECEIPT = f"""
... on RevokeAgentSuccess {{
    receipt {{
        id engagementId at by rolesRemoved membersCut apiKeysCut subscriptionsClosed tokensCancelled duties auditHash
    }}
    engagement {{ {SHOWN} }}
}}
"""


@dataclass
class Clock:
    """The time in the town. It stands still until a test moves it."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Client:
    """One browser. `ask` returns the data of one operation and fails on errors; `send` returns the whole answer."""

    http: httpx2.AsyncClient
    user_id: str = ""
    email: str = ""

    async def send(self, document: str, **variables: Any) -> httpx2.Response:
        content = orjson.dumps({"query": document, "variables": variables})
        return await self.http.post("/graphql", content=content, headers={"content-type": "application/json"})

    async def answer(self, document: str, **variables: Any) -> dict[str, Any]:
        """The body, errors included."""
        answer: dict[str, Any] = orjson.loads((await self.send(document, **variables)).content)
        return answer

    async def ask(self, document: str, **variables: Any) -> Any:
        """The value of the operation's only root field."""
        answer = await self.answer(document, **variables)
        assert "errors" not in answer, answer["errors"]
        (value,) = answer["data"].values()
        return value

    async def refusal(self, document: str, **variables: Any) -> dict[str, Any]:
        """The first error of an operation that has errors."""
        answer = await self.answer(document, **variables)
        first: dict[str, Any] = answer["errors"][0]
        return first

    async def do(self, mutation: str, selection: str, /, **typed: Any) -> Any:
        """One mutation with this input, as its success or its problem.

        `selection` is what to ask of the success; `problem` is a problem's code (`code` is also a token's).
        """
        kind = INPUTS.get(mutation, f"{mutation[0].upper()}{mutation[1:]}Input")
        document = (
            f"mutation ($input: {kind}!) {{ {mutation}(input: $input) "
            f"{{ __typename {selection} ... on Problem {{ problem: code message }} }} }}"
        )
        return await self.ask(document, input=typed)

    @property
    def reference(self) -> str | None:
        """The session's reference in the cookie."""
        found = {cookie.value for cookie in self.http.cookies.jar if cookie.name == COOKIE}
        assert len(found) <= 1, "a browser holds one session"
        return next(iter(found), None)

    @property
    def credential(self) -> Credential | None:
        return of_session(self.reference) if self.reference else None

    async def preview(self, house: House, letters: str, code: str) -> Any:
        """Letters and a code typed into a practice's page. A wrong attempt may be told when to come back."""
        return await self.do("previewToken", RETRY, practiceId=house.id, letters=letters, code=code)

    async def connect(self, house: House, letters: str, code: str, agent: Agency, **typed: Any) -> Any:
        """The yes to an agent; `engagement` is the new one, or the one that stands."""
        typed = {"practiceId": house.id, "letters": letters, "code": code, "confirmAgentId": agent.id, **typed}
        return await self.do("connectAgent", CONNECTED + RETRY, **{"purpose": "CONTRACTED_SERVICE", **typed})

    async def set_roles(self, engagement: dict[str, Any], *roles: str | dict[str, Any], **typed: Any) -> Any:
        """All roles of an engagement, by key or with an end; the answer's engagement has the new version."""
        wanted = [{"role": role} if isinstance(role, str) else role for role in roles]
        typed = {"expectedVersion": engagement["version"], **typed}
        return await self.do("setRoles", ROLES_SET, engagementId=engagement["id"], roles=wanted, **typed)

    async def revoke(self, engagement: dict[str, Any], **typed: Any) -> Any:
        return await self.do("revokeAgent", RECEIPT, engagementId=engagement["id"], **typed)


@dataclass
class Agency:
    """An outside agent with its admin's browser."""

    id: str
    admin: Client

    async def issue(self, **typed: Any) -> tuple[str, str]:
        """A fresh token's letters and code, as they are read out."""
        issued = await self.admin.do(
            "issueToken", "... on IssueTokenSuccess { code token { letters } }", agentId=self.id, **typed
        )
        assert issued["__typename"] == "IssueTokenSuccess", issued
        return issued["token"]["letters"], issued["code"]


@dataclass
class House:
    """A practice with its owner's browser."""

    id: str
    owner: Client


@dataclass
class Town:
    """The application at an injected time. Sessions never idle out unless a test advances the clock past it."""

    app: Starlette
    clock: Clock
    policy: Policy
    open_context: Callable[[RequestFacts], Awaitable[Context]]
    remembered: Remembered
    clients: list[Client] = field(default_factory=list)

    async def context(self, client: Client) -> Context:
        """What resolvers work with in a request of this browser's."""
        return await self.open_context(RequestFacts(client.credential, "127.0.0.1", self.clock.now, "request"))

    def visitor(self, address: str = "127.0.0.1") -> Client:
        """A browser that nobody has signed in with."""
        transport = httpx2.ASGITransport(app=self.app, client=(address, 40000))
        client = Client(httpx2.AsyncClient(transport=transport, base_url="http://testserver", event_hooks=HOOKS))
        self.clients.append(client)
        return client

    async def person(
        self, email: str, *, operator: bool = False, address: str = "127.0.0.1", signed_in_ago: float = 0
    ) -> Client:
        """A signed-in person. `signed_in_ago`: seconds since the password was last entered."""
        user = await User.filter(email=email).first()
        if user is None:
            user = await User.create(
                name=email.split("@")[0].title(),
                email=email,
                password_hash="unusable",
                operator=operator,
                created_at=self.clock.now,
            )
        client = self.visitor(address)
        client.user_id, client.email = str(user.id), email
        reference = secrets.token_urlsafe(32)
        entered = self.clock.now - timedelta(seconds=signed_in_ago)
        await Session.create(
            user_id=user.id,
            reference_hash=reference_hash(reference),
            started_at=entered,
            last_seen_at=self.clock.now,
            reauthenticated_at=entered,
            expires_at=self.clock.now + timedelta(days=3650),
        )
        client.http.cookies.set(COOKIE, reference)
        return client

    async def operator(self) -> Client:
        return await self.person("operator@sparekey.example", operator=True)

    async def practice(self, name: str = "Elm Street Therapy", kind: str = "INDEPENDENT_THERAPIST") -> House:
        owner = await self.person(f"owner@{_domain(name)}")
        group = {"incorporated": kind == "TRUE_GROUP", "groupTaxId": "12-3456789" if kind == "TRUE_GROUP" else None}
        made = await owner.do(
            "createPractice", "... on PracticeSuccess { practice { id } }", name=name, kind=kind, **group
        )
        assert made["__typename"] == "PracticeSuccess", made
        return House(made["practice"]["id"], owner)

    async def staff(self, house: House, email: str, *roles: str) -> Client:
        """A person on a practice's staff with these roles, signed in."""
        typed = {"practiceId": house.id, "email": email, "name": "Somebody", "roles": list(roles)}
        return await self._comes(email, await house.owner.do("addStaff", INVITED, **typed))

    async def agency(
        self, name: str = "ACME Billing", kind: str = "BILLING_COMPANY", *, verified: bool = True
    ) -> Agency:
        admin = await self.person(f"admin@{_domain(name)}")
        made = await admin.do(
            "registerAgent",
            "... on AgentSuccess { agent { id } }",
            kind=kind,
            legalName=name,
            address="1 Example Street",
            city="Dayton",
            phone="+1 555 0100",
            email=f"office@{_domain(name)}",
        )
        assert made["__typename"] == "AgentSuccess", made
        agent = Agency(made["agent"]["id"], admin)
        if verified:
            await (await self.operator()).do("verifyAgent", "", agentId=agent.id)
        return agent

    async def member(self, agent: Agency, email: str, *, admin: bool = False) -> Client:
        """A person of an agent's, signed in."""
        typed = {"agentId": agent.id, "email": email, "name": "Member", "admin": admin}
        return await self._comes(email, await agent.admin.do("inviteMember", INVITED, **typed))

    async def _comes(self, email: str, invited: dict[str, Any]) -> Client:
        assert invited["__typename"] == "InvitationSuccess", invited
        client = await self.person(email)
        accepted = await client.do("acceptInvitation", "", code=invited["code"])
        assert accepted["__typename"] == "AcceptInvitationSuccess", accepted
        return client

    async def engage(self, house: House, agent: Agency, **typed: Any) -> dict[str, Any]:
        """A fresh engagement without roles: id and version."""
        letters, code = await agent.issue()
        connected = await house.owner.do(
            "connectAgent",
            "... on ConnectAgentSuccess { engagement { id version } }",
            practiceId=house.id,
            letters=letters,
            code=code,
            confirmAgentId=agent.id,
            **{"purpose": "CONTRACTED_SERVICE", **typed},
        )
        assert connected["__typename"] == "ConnectAgentSuccess", connected
        engagement: dict[str, Any] = connected["engagement"]
        return engagement


def wrong(code: str, by: int = 1) -> str:
    """Another code than this one, whose check digit is right."""
    other = f"{(int(code.replace('-', '')[:11]) + by) % 10**11:011d}"
    return other + check_digit(other)


def _domain(name: str) -> str:
    return f"{name.split()[0].lower()}.example"


@functools.cache
def shipped() -> Policy:
    """The shipped set, read once: nothing changes a policy, and reading it takes longer than most tests."""
    return load(POLICIES)


def build(
    clock: Clock,
    open_with: Callable[[Context], None] = lambda context: None,
    *,
    remembers: bool = True,
    issuers: TrustedIssuers | None = None,
    policy: Policy | None = None,
) -> Town:
    """The application over the connected database. `open_with` sees every context before it is used."""
    pepper.use(PEPPER)
    town: Town
    remembered = Remembered(client().dsn)
    remembered.denials = Denials(written_after=3600)  # a test that asks for them writes them itself

    async def open_town(request: RequestFacts) -> Context:
        sessions = Sessions(idle_seconds=900, absolute_seconds=43_200)
        if issuers is not None:
            request = await issuers.renewed(request)
        context = await open_context(
            request, town.policy, START, sessions, remembered=remembered if remembers else None
        )
        if issuers is not None:
            await issuers.welcome(context)
        context.relying_party = SITE
        open_with(context)
        return context

    async def ready() -> dict[str, bool]:
        return {"database": True}

    with mock.patch("server.app.Documents", Known):
        app = create_app(
            schema=schema,
            open_context=open_town,
            ready=ready,
            development=True,
            clock=clock,
            remembered=remembered if remembers else None,
            issuers=issuers,
        )
    town = Town(app, clock, policy or shipped(), open_town, remembered)
    return town
