"""Engagements in every state that can be stored, with every date at its edges: drawn, and written into the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from authz.agreement import AgreementFacts
from authz.life import Facts, Grant
from models import Agent, Agreement, Engagement, Practice, RoleGrant, User
from models.identifier import uuid7

T = TypeVar("T")
Pick: TypeAlias = Callable[[Sequence[Any]], Any]

KINDS = ("billing_company", "practice_management_company", "front_office_worker", "gardener")  # the last is no kind
ROLES = ("auditor", "biller", "gone", "manager", "scheduler")  # `gone` is no role of the policy
INSTANT = timedelta(microseconds=1)
GRACE = timedelta(days=30)
SOON = (-INSTANT, timedelta(0), INSTANT, timedelta(days=90))
EXPIRIES = (-GRACE - INSTANT, -GRACE, INSTANT - GRACE, timedelta(days=-1), *SOON)
REVIEWED = (0, 0, 1, 119, 120, 121, 394, 395, 396)  # days ago: 90 or 365 days, and 30 more, are the last
DAYS = (None, -365, -1, 0, 1, 29, 30, 31, 365)


def drawn(pick: Pick, now: datetime) -> Facts:
    """One engagement; `pick` chooses from what it is given, at random or as a property test sees fit."""

    def maybe(chance: int = 4) -> datetime | None:
        return now - timedelta(days=1) if pick(range(chance)) == 0 else None

    ended = maybe(12)
    return Facts(
        started_at=now - timedelta(days=400),
        expires_at=now + pick(EXPIRIES),
        agent_kind=pick(KINDS),
        grants=tuple(_grant(pick, now, role) for role in ROLES if pick((True, False, False))),
        agreement=_agreement(pick, now) if pick((True, True, False)) else None,
        suspended_at=maybe(8),
        ended_at=ended,
        end_reason="left_by_agent" if ended else None,
        agent_suspended_at=maybe(8),
        agent_closed_at=maybe(12),
        practice_closed_at=maybe(12),
        auto_extend=pick((False, False, False, True)),
        reviewed_at=_midnight(now) + timedelta(days=-pick(REVIEWED)) + pick((timedelta(0), -INSTANT)),
        unassigned_since=now - timedelta(days=400),
        suspended_by_platform=pick((False, False, True)),
    )


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _grant(pick: Pick, now: datetime, role: str) -> Grant:
    ends = pick((None, None, *SOON))
    confirmed = pick((None, now, now))
    return Grant(role, now - timedelta(days=2), confirmed, None if ends is None else now + ends)


def _agreement(pick: Pick, now: datetime) -> AgreementFacts:
    def moment() -> datetime | None:
        return pick((None, now, now))  # type: ignore[no-any-return]  # one of the three

    def day() -> Any:
        days = pick(DAYS)
        return None if days is None else (now + timedelta(days=days)).date()

    return AgreementFacts(
        basis=pick(("baa", "baa", "workforce_training")),
        requested_at=moment(),
        agent_signed_at=moment(),
        practice_signed_at=moment(),
        effective_on=day(),
        expires_on=day(),
        waived_at=now if pick(range(8)) == 0 else None,
        terminated_at=now if pick(range(8)) == 0 else None,
        covered_until=pick((None, None, now.date() - timedelta(days=1), now.date(), now.date() + timedelta(days=1))),
    )


async def store(engagements: Sequence[Facts], now: datetime) -> dict[UUID, Facts]:
    """Each with a practice and an agent of its own, and with a history that must not count."""
    user = await User.create(name="Somebody", email=f"{uuid7()}@elm.example", created_at=now)
    made = [_rows(facts, user.id, now) for facts in engagements]
    models: list[Any] = [Practice, Agent, Engagement, RoleGrant, Agreement]
    for model in models:
        await model.bulk_create([row for rows in made for row in rows if isinstance(row, model)])
    keys = [row.id for rows in made for row in rows if isinstance(row, Engagement)]
    return dict(zip(keys, engagements, strict=True))


def _rows(facts: Facts, user: UUID, now: datetime) -> list[Any]:
    practice, agent, key = uuid7(), uuid7(), uuid7()
    rows: list[Any] = [
        Practice(
            id=practice,
            name="Elm",
            kind="independent_therapist",
            incorporated=False,
            created_at=now,
            created_by_id=user,
            closed_at=facts.practice_closed_at,
        ),
        Agent(
            id=agent,
            kind=facts.agent_kind,
            legal_name="ACME",
            address="1 Example Street",
            city="Dayton",
            phone="+1 555 0100",
            email="office@acme.example",
            registered_at=now,
            registered_by_id=user,
            suspended_at=facts.agent_suspended_at,
            closed_at=facts.agent_closed_at,
        ),
        Engagement(
            id=key,
            practice_id=practice,
            agent_id=agent,
            purpose="contracted_service",
            started_at=facts.started_at,
            started_by_id=user,
            expires_at=facts.expires_at,
            suspended_at=facts.suspended_at,
            suspended_by_platform=facts.suspended_by_platform,
            ended_at=facts.ended_at,
            end_reason=facts.end_reason,
            auto_extend=facts.auto_extend,
            reviewed_at=facts.reviewed_at,
        ),
        RoleGrant(engagement_id=key, role="biller", **_given(now, user), confirmed_at=now, removed_at=now),
        *(_row_of(key, grant, user) for grant in facts.grants),
    ]
    return rows + _agreements(key, facts.agreement, now)


def _given(at: datetime, by: UUID) -> dict[str, Any]:
    return {"id": uuid7(), "granted_at": at, "granted_by_id": by}


def _row_of(key: UUID, grant: Grant, user: UUID) -> RoleGrant:
    dates: dict[str, Any] = {"confirmed_at": grant.confirmed_at, "expires_at": grant.expires_at}
    return RoleGrant(engagement_id=key, role=grant.role, **_given(grant.granted_at, user), **dates)


def _agreements(key: UUID, current: AgreementFacts | None, now: datetime) -> list[Any]:
    """The current one, after one in force that was superseded and one that was terminated."""
    signed: dict[str, Any] = {"agent_signed_at": now, "practice_signed_at": now, "effective_on": now.date()}
    old = Agreement(id=_id(key, 1), engagement_id=key, basis="baa", **signed, superseded_at=now)
    if current is None:
        return [old]
    facts = {name: getattr(current, name) for name in AgreementFacts._fields}
    over = Agreement(id=_id(key, 2), engagement_id=key, basis="baa", **signed, terminated_at=now)
    return [old, over, Agreement(id=_id(key, 3), engagement_id=key, **facts)]


def _id(key: UUID, order: int) -> UUID:
    """Ids of one engagement's agreements, in the order in which they were made."""
    return UUID(int=key.int >> 4 << 4 | order)
