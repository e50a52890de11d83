"""Every enum of the API, on one page.

Names are the API's; values are the same words in lower case, as YAML, SQL and the operations spell them. So
`AgentKind("billing_company")` reads a row and `AgentKind["BILLING_COMPANY"]` reads the API's name.
"""

from __future__ import annotations

from enum import Enum
from typing import cast

import strawberry


def value(word: str, description: str) -> str:
    """The cast tells what `strawberry.enum` makes of it: it puts the plain word back as the member's value."""
    return cast("str", strawberry.enum_value(word, description=description))


@strawberry.enum(description="How a practice is organised. It decides whether its own receptionist can be an agent.")
class PracticeKind(Enum):
    INDEPENDENT_THERAPIST = value("independent_therapist", "One therapist in business alone.")
    SHARED_OFFICE_MEMBER = value(
        "shared_office_member",
        "A therapist in business alone who shares rooms or a front office with others.",
    )
    TRUE_GROUP = value("true_group", "Incorporated, with one tax id for the whole group.")


@strawberry.enum(
    description="What sort of outsider an agent is. It decides which roles it can get and the agreement it needs."
)
class AgentKind(Enum):
    FRONT_OFFICE_WORKER = value(
        "front_office_worker", "One person at the front desk, often shared by several therapists."
    )
    PRACTICE_MANAGEMENT_COMPANY = value(
        "practice_management_company", "A company that runs the office: scheduling, billing, set-up."
    )
    BILLING_COMPANY = value("billing_company", "A company that submits claims and posts payments.")


@strawberry.enum(description="Where an agent stands with the platform. Only an ACTIVE agent can issue tokens.")
class AgentStatus(Enum):
    REGISTERED = value("registered", "Registered; the platform has not verified it yet.")
    ACTIVE = value("active", "Verified by the platform and able to work.")
    SUSPENDED = value("suspended", "Stopped by the platform: no access in any practice until it is lifted.")
    CLOSED = value("closed", "Closed for good.")


@strawberry.enum(description="Where a person stands with their agent.")
class MemberStatus(Enum):
    ACTIVE = value("active", "Works for the agent.")
    SUSPENDED = value("suspended", "Stopped for a while: no access in any of the agent's practices.")
    DEPARTED = value("departed", "Left the agent; access in all of its practices is cut.")


@strawberry.enum(description="Where an invitation stands.")
class InvitationStatus(Enum):
    OPEN = value("open", "Its code can be used until it expires.")
    ACCEPTED = value("accepted", "Somebody came in with its code.")
    EXPIRED = value("expired", "Its hour ran out. Invite again.")
    CANCELLED = value("cancelled", "Taken back before it was used.")


@strawberry.enum(
    description="Where a connect token stands. Only the agent sees it; a practice is told nothing but yes or no."
)
class TokenStatus(Enum):
    ISSUED = value("issued", "Ready to be read out and typed by a practice.")
    CONSUMED = value("consumed", "Used: `engagement` is what came of it.")
    EXPIRED = value("expired", "Its time ran out. Issue a new one.")
    CANCELLED = value("cancelled", "Taken back, or replaced by a newer token, before it was used.")
    LOCKED = value("locked", "Mistyped too often. Issue a new one.")


@strawberry.enum(description="Why the agent works in the practice.")
class Purpose(Enum):
    SHARED_FRONT_OFFICE = value("shared_front_office", "A front-office worker shared with other practices.")
    CONTRACTED_SERVICE = value("contracted_service", "A service under contract, such as billing.")


@strawberry.enum(
    description="Where an engagement stands: the first that applies of ENDED, EXPIRED, SUSPENDED, AWAITING_ROLES, "
    "AWAITING_AGREEMENT, ACTIVE. Only ACTIVE gives permissions; `blockers` says what is missing."
)
class EngagementStatus(Enum):
    AWAITING_ROLES = value("awaiting_roles", "Connected, with no role yet: next is `setRoles`.")
    AWAITING_AGREEMENT = value(
        "awaiting_agreement", "Has roles, but the agreement it needs is not in force: no permission yet."
    )
    ACTIVE = value("active", "The agent's people can do what its roles allow.")
    SUSPENDED = value("suspended", "Stopped for a while; roles are kept and give nothing.")
    EXPIRED = value("expired", "Its time ran out; it can still be renewed within the days of grace.")
    ENDED = value("ended", "Over for good. Coming back takes a new token and a new engagement.")


@strawberry.enum(description="Why an engagement ended.")
class EndReason(Enum):
    REVOKED_BY_PRACTICE = value("revoked_by_practice", "The practice took the access back.")
    LEFT_BY_AGENT = value("left_by_agent", "The agent left the practice.")
    EXPIRED = value("expired", "Its time and the days of grace ran out.")
    PLATFORM = value("platform", "The platform's operator ended it.")
    PRACTICE_CLOSED = value("practice_closed", "The practice closed.")
    AGENT_CLOSED = value("agent_closed", "The agent closed.")


@strawberry.enum(description="Whether a role that was granted gives anything at present.")
class GrantStatus(Enum):
    PENDING_CONFIRMATION = value(
        "pending_confirmation",
        "A sensitive role that waits for the owner (`confirmRoles`): gives nothing yet.",
    )
    ACTIVE = value("active", "Counts as soon as the engagement itself is ACTIVE.")
    LAPSED = value("lapsed", "Its own end has passed, or the policy has no such role any more: gives nothing.")


@strawberry.enum(description="Where the agreement of an engagement stands. IN_FORCE and EXPIRING count as in force.")
class AgreementState(Enum):
    NONE = value("none", "Nothing is recorded.")
    REQUESTED = value("requested", "The practice asked for it or recorded its own side; the agent has not signed.")
    SIGNED_BY_AGENT = value(
        "signed_by_agent",
        "The agent signed; the practice has not recorded its side, or the first day has not come.",
    )
    IN_FORCE = value("in_force", "Recorded by both sides and in effect today.")
    EXPIRING = value("expiring", "In effect today, and about to run out.")
    EXPIRED = value("expired", "Its last day has passed.")
    TERMINATED = value("terminated", "Ended by one of the sides.")
    WAIVED = value(
        "waived", "The owner went without it, with a reason. It counts only where an agreement is not required."
    )


@strawberry.enum(description="Whether an agent needs a business associate agreement (BAA) before its roles count.")
class AgreementRequirement(Enum):
    REQUIRED = value("required", "Without it in force the engagement gives no permission.")
    RECOMMENDED = value("recommended", "Roles count without it, but the practice acknowledges a warning.")
    NOT_NEEDED = value("not_needed", "Neither required nor recommended.")


@strawberry.enum(description="What covers the agent's access to health information under HIPAA.")
class ComplianceBasis(Enum):
    BAA = value("baa", "A business associate agreement between practice and agent.")
    WORKFORCE_TRAINING = value(
        "workforce_training", "The worker is under the practice's own control and trained as its workforce."
    )


@strawberry.enum(description="One of the sides that act.")
class Party(Enum):
    PRACTICE = value("practice", "The practice: its owner or somebody of its staff.")
    AGENT = value("agent", "The outside agent: one of its people.")
    PLATFORM = value("platform", "The platform: its operator, or the service itself.")


@strawberry.enum(description="What a review came to.")
class ReviewDecision(Enum):
    KEEP = value("keep", "Nothing changes: the agent still needs all that it can do.")
    REDUCE = value("reduce", "Some roles are taken away, or end sooner.")
    END = value("end", "The engagement ends at once and for good, as by `revokeAgent`.")


@strawberry.enum(description="What keeps an engagement from giving permissions.")
class BlockerCode(Enum):
    NO_ROLES = value("no_roles", "No role is granted. The practice uses `setRoles`.")
    AGREEMENT_MISSING = value("agreement_missing", "The required agreement is not recorded by both sides.")
    AGREEMENT_EXPIRED = value("agreement_expired", "The required agreement has run out.")
    ROLE_CONFIRMATION_PENDING = value(
        "role_confirmation_pending", "A sensitive role waits for the owner. The owner uses `confirmRoles`."
    )
    SUSPENDED = value("suspended", "The engagement is suspended.")
    EXPIRED = value("expired", "The engagement's time has run out.")
    AGENT_SUSPENDED = value("agent_suspended", "The agent is not active in any practice at present.")
    MEMBER_NOT_ASSIGNED = value("member_not_assigned", "None of the agent's people is assigned to this practice.")
    REVIEW_OVERDUE = value("review_overdue", "The periodic review of this access was not answered in time.")
    UNKNOWN_ROLE = value("unknown_role", "A granted role is no longer in the policy and gives nothing.")


@strawberry.enum(description="What sort of second factor it is.")
class FactorKind(Enum):
    TOTP = value("totp", "An authenticator app, which shows another code of six digits every 30 seconds.")
    PASSKEY = value("passkey", "A passkey of a device or a password manager. It opens the account without a password.")


@strawberry.enum(description="The machine name of a refusal: one for each type that implements Problem.")
class ProblemCode(Enum):
    """Here names and values are one: the `code` of the classes in `errors.py`."""

    TOKEN_REJECTED = value("TOKEN_REJECTED", "Letters and code do not open anything, for whatever reason.")
    INVITATION_REJECTED = value(
        "INVITATION_REJECTED", "The invitation's code does not open anything, for whatever reason."
    )
    CHECK_DIGIT_MISMATCH = value("CHECK_DIGIT_MISMATCH", "A digit was misheard; no attempt was spent.")
    RATE_LIMITED = value("RATE_LIMITED", "Too many wrong attempts; wait.")
    ALREADY_ENGAGED = value("ALREADY_ENGAGED", "This agent is connected to the practice already.")
    USE_STAFF_ACCOUNT = value("USE_STAFF_ACCOUNT", "A true group's own receptionist needs a staff account.")
    AGENT_NOT_ACTIVE = value("AGENT_NOT_ACTIVE", "The agent is not verified, is suspended or is closed.")
    AGENT_CONFIRMATION_MISMATCH = value(
        "AGENT_CONFIRMATION_MISMATCH", "The token belongs to another agent than the one confirmed."
    )
    NOT_PERMITTED = value("NOT_PERMITTED", "Visible to you, but you lack the permission.")
    STEP_UP_REQUIRED = value("STEP_UP_REQUIRED", "Enter the password again first (`reauthenticate`).")
    ROLE_NOT_GRANTABLE = value("ROLE_NOT_GRANTABLE", "You cannot grant this role to this holder.")
    UNKNOWN_ROLE = value("UNKNOWN_ROLE", "The policy has no role with this key.")
    STALE_VERSION = value("STALE_VERSION", "Somebody changed the engagement since you read it.")
    ENGAGEMENT_ENDED = value("ENGAGEMENT_ENDED", "The engagement is over and never changes again.")
    NOT_FOUND = value("NOT_FOUND", "Nothing with this id is visible to you.")
    INVALID_INPUT = value("INVALID_INPUT", "One input field is malformed.")
    LIMIT_REACHED = value("LIMIT_REACHED", "A count has reached its limit.")
    WARNINGS_NOT_ACKNOWLEDGED = value(
        "WARNINGS_NOT_ACKNOWLEDGED", "The change has warnings that were not acknowledged."
    )
    SEPARATION_OF_DUTY = value(
        "SEPARATION_OF_DUTY", "The roles together hold permissions that must stay with different people."
    )
    IDEMPOTENCY_CONFLICT = value("IDEMPOTENCY_CONFLICT", "The idempotency key was used with another input.")
    SIGN_IN_FAILED = value("SIGN_IN_FAILED", "E-mail, password or second factor is not right.")
