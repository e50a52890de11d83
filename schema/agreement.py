"""What the two sides of an engagement type in about the agreement between them."""

from __future__ import annotations

from datetime import date

import strawberry
from strawberry import field

from schema.inputs import REPEAT, _optional
from schema.kinds import ComplianceBasis

ENGAGEMENT = "The engagement."
REF = "Where your side keeps the signed document, in your own words, at most 200 characters. Never the document."
SHA256 = "The SHA-256 of the signed document: 64 hexadecimal digits. Both sides have to name the same one."


@strawberry.input(description="An agreement that the practice asks the agent to sign.")
class RequestAgreementInput:
    engagement_id: strawberry.ID = field(description=ENGAGEMENT)
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="The agent's signature: that it has signed this document.")
class SignAgreementInput:
    engagement_id: strawberry.ID = field(description=ENGAGEMENT)
    document_ref: str = field(description=REF)
    document_sha256: str = field(description=SHA256)
    effective_on: date | None = _optional(
        "Its first day (UTC), if the document names one. The practice may leave it as it is, but not change it."
    )
    expires_on: date | None = _optional(
        "Its last day (UTC), if it has one: after the first, and not past. The practice cannot change it, either."
    )
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="The practice's attestation: what covers the agent's access, and from which day.")
class RecordAgreementInput:
    engagement_id: strawberry.ID = field(description=ENGAGEMENT)
    basis: ComplianceBasis = field(
        description="BAA for an agreement that both sides signed; WORKFORCE_TRAINING for a front-office worker whom "
        "you trained as your own. An engagement has one of them: recording one replaces the other."
    )
    effective_on: date = field(
        description="The first day (UTC) on which it counts: at most ten years ago, at most two years ahead."
    )
    expires_on: date | None = _optional(
        "Its last day (UTC): after the first, and not past. Left out, that of the agent's signature, or none. Not with "
        "WORKFORCE_TRAINING, which falls due again after the policy's months."
    )
    document_ref: str | None = _optional(REF + " Left out, what the agent named.")
    document_sha256: str | None = _optional(SHA256 + " Left out, the one that the agent signs.")
    training_completed_on: date | None = _optional(
        "The day on which the worker completed the training; not in the future. With WORKFORCE_TRAINING only, and then "
        "required."
    )
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="An agreement to go without, where it is only recommended.")
class WaiveAgreementInput:
    engagement_id: strawberry.ID = field(description=ENGAGEMENT)
    reason: str = field(description="Why, for the record; both sides see it. 1 to 500 characters.")
    idempotency_key: str | None = _optional(REPEAT)
