"""Objects that only a mutation shows: the card of a preview, and the receipt of a revocation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import strawberry

from authz import policy as rules
from operations.connect import Preview
from schema.agent import AgentCard
from schema.engagement import RevocationReceipt
from schema.handlers import problem_of
from schema.kinds import AgentKind, AgreementRequirement
from schema.problem import UseStaffAccountInstead
from schema.results import PreviewTokenSuccess


def preview(found: Preview, policy: rules.Policy) -> PreviewTokenSuccess:
    row = found.agent
    kind = policy.agents.get(row["kind"])
    needed = AgreementRequirement(kind.agreement) if kind else AgreementRequirement.REQUIRED
    card = AgentCard(
        agent_id=strawberry.ID(str(row["id"])),
        legal_name=row["legal_name"],
        kind=AgentKind(row["kind"]),
        phone=row["phone"],
        city=row["city"],
        verified=row["verified_at"] is not None,
        member_since=row["registered_at"].date(),
        practice_count=row["practice_count"],
        agreement_requirement=needed,
        warnings=_card_warnings(needed),
    )
    advice = problem_of(found.advice) if found.advice else None
    return PreviewTokenSuccess(agent=card, advice=advice if isinstance(advice, UseStaffAccountInstead) else None)


def _card_warnings(needed: AgreementRequirement) -> list[str]:
    if needed is AgreementRequirement.REQUIRED:
        return ["It can do nothing until a business associate agreement is in force."]
    if needed is AgreementRequirement.RECOMMENDED:
        return ["A business associate agreement is recommended before it works for you."]
    return []


def receipt(row: Mapping[str, Any]) -> RevocationReceipt:
    return RevocationReceipt(
        id=strawberry.ID(str(row["id"])),
        engagement_id=strawberry.ID(str(row["engagement_id"])),
        at=row["at"],
        by=row["by"],
        roles_removed=[strawberry.ID(role) for role in row["roles_removed"]],
        members_cut=row["members_cut"],
        api_keys_cut=row["api_keys_cut"],
        subscriptions_closed=row["subscriptions_closed"],
        tokens_cancelled=row["tokens_cancelled"],
        duties=list(row["duties"]),
        audit_hash=row["audit_hash"],
    )
