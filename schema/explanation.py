"""Why somebody may or may not do something: the decision with its steps, for screens that answer "why not?"."""

from __future__ import annotations

from enum import Enum

import strawberry
from strawberry import field

from schema.kinds import value
from schema.policy import Role


@strawberry.enum(
    description="What a decision rests on. Of several denials the one furthest down this list is given, because it is "
    "the one thing to change."
)
class ReasonCode(Enum):
    ALLOWED = value("allowed", "Nothing stands in the way.")
    UNKNOWN_PERMISSION = value("unknown_permission", "The policy has no such permission.")
    NO_ENGAGEMENT = value("no_engagement", "Nothing connects the person with the practice.")
    NOT_ACTIVE = value(
        "not_active", "The engagement, its agent, the member or the practice is suspended, expired or ended."
    )
    ROLE_LACKS_PERMISSION = value("role_lacks_permission", "No role that is turned on gives the permission.")
    ABOVE_CEILING = value("above_ceiling", "A role gives it, but an outsider of this kind never has it.")
    AGREEMENT_MISSING = value("agreement_missing", "It waits for a business associate agreement to be in force.")
    MEMBER_NOT_ASSIGNED = value(
        "member_not_assigned", "The member is not assigned to the engagement, or only for other roles."
    )
    OUTSIDE_SCOPE = value("outside_scope", "The API key in use does not carry it.")
    SECOND_FACTOR_MISSING = value(
        "second_factor_missing", "Only sensitive roles give it, and the policy wants a second factor for those."
    )
    GUARD = value("guard", "Every role that gives it does so under a condition, and none of the conditions holds.")


@strawberry.type(description="One question that the decision asked, in the order in which it asks them.")
class ExplanationStep:
    check: str = field(description="What was asked, as it should be: `no agreement is missing`.")
    passed: bool = field(description="Whether it is so. Nothing is asked after the first that is not.")
    detail: str = field(
        description="What was found, in plain words: the chain from the grant over the role to the line of the policy, "
        "or what is missing and who can change it."
    )


@strawberry.type(description="A decision and everything it rests on.")
class Explanation:
    allowed: bool = field(description="The decision.")
    reason: ReasonCode = field(description="What it rests on.")
    policy_digest: str = field(description="The policy that decided: see `Policy.digest`.")
    steps: list[ExplanationStep] = field(description="What was asked, up to the first question that failed.")
    would_be_allowed_by: list[Role] = field(
        description="Roles that somebody can grant and that give what is missing, the smallest first. Empty when "
        "allowed, and when a role is not what is missing."
    )
