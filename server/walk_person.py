"""One person of the walk with a browser of their own: cookies, GraphQL, and what an answer has to be."""

from __future__ import annotations

import functools
import ssl
from typing import Any

import httpx2

from server.walk_story import Story, Surprise

# mutation → the type of its input, the type of its success
MUTATIONS = {
    "signUp": ("SignUpInput", "SignInSuccess"),
    "signIn": ("SignInInput", "SignInSuccess"),
    "createPractice": ("CreatePracticeInput", "PracticeSuccess"),
    "addStaff": ("AddStaffInput", "InvitationSuccess"),
    "registerAgent": ("RegisterAgentInput", "AgentSuccess"),
    "verifyAgent": ("AgentInput", "AgentSuccess"),
    "inviteMember": ("InviteMemberInput", "InvitationSuccess"),
    "previewInvitation": ("PreviewInvitationInput", "PreviewInvitationSuccess"),
    "acceptInvitation": ("AcceptInvitationInput", "AcceptInvitationSuccess"),
    "issueToken": ("IssueTokenInput", "IssueTokenSuccess"),
    "cancelToken": ("CancelTokenInput", "CancelTokenSuccess"),
    "previewToken": ("PreviewTokenInput", "PreviewTokenSuccess"),
    "connectAgent": ("ConnectAgentInput", "ConnectAgentSuccess"),
    "setRoles": ("SetRolesInput", "SetRolesSuccess"),
    "confirmRoles": ("EngagementVersionInput", "SetRolesSuccess"),
    "requestAgreement": ("RequestAgreementInput", "EngagementSuccess"),
    "signAgreement": ("SignAgreementInput", "EngagementSuccess"),
    "recordAgreement": ("RecordAgreementInput", "EngagementSuccess"),
    "assignMember": ("AssignMemberInput", "EngagementSuccess"),
    "requestRoles": ("RequestRolesInput", "EngagementSuccess"),
    "suspendEngagement": ("SuspendEngagementInput", "EngagementSuccess"),
    "resumeEngagement": ("EngagementVersionInput", "EngagementSuccess"),
    "renewEngagement": ("RenewEngagementInput", "EngagementSuccess"),
    "decideReview": ("DecideReviewInput", "EngagementSuccess"),
    "departMember": ("MemberInput", "MemberSuccess"),
    "revokeAgent": ("RevokeAgentInput", "RevokeAgentSuccess"),
    "leavePractice": ("LeavePracticeInput", "RevokeAgentSuccess"),
}
# Shorter than the five seconds after which servers usually close an idle connection: a request must not meet that.
_LIMITS = httpx2.Limits(keepalive_expiry=2)


class Person:
    def __init__(self, name: str, email: str, url: str, story: Story) -> None:
        self.name = name
        self.email = email
        self.story = story
        self.url = url.rstrip("/").removesuffix("/graphql") + "/graphql"
        # Straight to the server: a proxy that the environment names is for other places.
        self.http = httpx2.Client(verify=_tls(), trust_env=False, timeout=30, limits=_LIMITS)

    def post(self, document: str, **variables: Any) -> httpx2.Response:
        return self._send("POST", self.url, json={"query": document, "variables": variables})

    def get(self, path: str) -> bytes:
        """A page beside the API."""
        return self._send("GET", self.url.removesuffix("/graphql") + path).content

    def _send(self, method: str, url: str, **sent: Any) -> httpx2.Response:
        try:
            return self.http.request(method, url, **sent)
        except (httpx2.TransportError, httpx2.InvalidURL, httpx2.UnsupportedProtocol) as failure:
            reason = f"{type(failure).__name__}: {failure}"
            raise Surprise("the server's address", f"an answer from {url}", reason) from None

    def ask(self, document: str, **variables: Any) -> Any:
        """The value of the operation's only root field."""
        answer = _body(self.post(document, **variables))
        data = answer.get("data")
        if answer.get("errors") or not isinstance(data, dict) or len(data) != 1:
            raise Surprise("the answer", "data without errors", answer)
        return next(iter(data.values()))

    def error_code(self, document: str, **variables: Any) -> Any:
        """The code of the first error of a query that has to fail."""
        answer = _body(self.post(document, **variables))
        errors = answer.get("errors")
        if not errors:
            raise Surprise("the answer", "an error", answer)
        return errors[0]["extensions"]["code"]

    def does(self, mutation: str, selection: str, **typed: Any) -> dict[str, Any]:
        """A mutation that has to succeed; `selection` is what to read of its success."""
        return self._mutate(mutation, MUTATIONS[mutation][1], selection, typed)

    def is_refused(self, problem: str, mutation: str, selection: str = "", /, **typed: Any) -> dict[str, Any]:
        """A mutation that has to be refused with exactly this problem, in words that repeat no code."""
        answer = self._mutate(mutation, problem, selection, typed)
        message = str(answer["message"])
        told = "a message for people that does not repeat the code"
        self.story.true("the refusal's message", bool(message) and typed.get("code", "-") not in message, message, told)
        return answer

    def _mutate(self, mutation: str, expected: str, selection: str, typed: dict[str, Any]) -> dict[str, Any]:
        wanted = f"... on {expected} {{ {selection} }}" if selection else ""
        document = (
            f"mutation ($input: {MUTATIONS[mutation][0]}!) {{ {mutation}(input: $input) "
            f"{{ __typename {wanted} ... on Problem {{ problem: code message }} }} }}"
        )
        answer = self.ask(document, input=typed)
        if not isinstance(answer, dict):
            raise Surprise(f"the answer of {mutation}", expected, answer)
        self.story.true(f"the answer of {mutation}", answer.get("__typename") == expected, answer, expected)
        return answer


@functools.cache
def _tls() -> ssl.SSLContext:
    """One for everybody: reading the system's certificates takes longer than a request."""
    return ssl.create_default_context()


def _body(response: httpx2.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Surprise("the answer", "a GraphQL answer", f"status {response.status_code}: {response.text[:200]}")
    return answer
