"""The rows of an engagement's agreement: at most one counts, and each change of it is one event of the engagement.

A new one takes the place of the one there was. Where that one is in force, it goes on to count until the new one does,
so that renewing in time leaves no day without.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from authz.actor import Access
from authz.agreement import AgreementFacts, agreement_state, both_sides_acted, in_force_until
from errors import NotPermitted
from models import Agreement
from models.connection import Connection
from operations import engagement_change
from operations.facts import Held

_TOLD = ("basis", "effective_on", "expires_on", "document_sha256")


async def newest(connection: Connection, held: Held) -> Agreement | None:
    """The one that counts, also where it is over."""
    return (
        await Agreement.filter(engagement_id=held.id, superseded_at=None).using_db(connection).order_by("-id").first()
    )


def is_over(stored: Agreement, access: Access) -> bool:
    """Ended, waived, or expired: whoever acts now begins a new one."""
    expired = _agreed(stored) and stored.expires_on is not None and stored.expires_on < access.now.date()
    return stored.terminated_at is not None or stored.waived_at is not None or expired


def is_open(stored: Agreement, access: Access) -> bool:
    """It still waits for one of the sides."""
    return not is_over(stored, access) and not _agreed(stored)


def _agreed(stored: Agreement) -> bool:
    return both_sides_acted(_facts(stored))


async def begin(
    connection: Connection, access: Access, held: Held, stored: Agreement | None, values: dict[str, Any]
) -> Agreement:
    """A new one in the place of the one there was."""
    if stored is not None:
        stored.superseded_at = access.now
        await stored.save(using_db=connection, update_fields=["superseded_at"])
    covered = None if stored is None else in_force_until(_facts(stored), access.policy, access.now)
    made = Agreement(engagement_id=held.id, covered_until=covered, **{"basis": "baa", **values})
    made.covered_until = _cover(made, access.now.date())
    await made.save(using_db=connection)
    return made


async def change(connection: Connection, access: Access, stored: Agreement, values: dict[str, Any]) -> Agreement:
    """The same one, after another act."""
    stored.update_from_dict(values)
    stored.covered_until = _cover(stored, access.now.date())
    await stored.save(using_db=connection, update_fields=[*values, "covered_until"])
    return stored


def _cover(stored: Agreement, today: date) -> date | None:
    """The one before counts until this one does, and not again when this one is over."""
    covered = stored.covered_until
    if covered is None or not _agreed(stored) or stored.effective_on is None:
        return covered
    return None if stored.effective_on <= today else min(covered, stored.effective_on - timedelta(days=1))


async def tell(
    connection: Connection, access: Access, held: Held, event: str, summary: str, changed: Agreement
) -> None:
    """The event, with what the agreement was before and is now. The document itself is in nobody's record."""
    before = {**_told(held.life.agreement.value, None), "version": held.row["version"]}
    state = agreement_state(_facts(changed), access.policy, access.now)
    after = {**_told(state.value, changed), "version": held.row["version"] + 1}
    summary = f"{summary} {held.row['agent_legal_name']}"
    await engagement_change.change(connection, access, held, event, summary, before=before, after=after)


def _told(state: str, stored: Agreement | None) -> dict[str, Any]:
    if stored is None:
        return {"agreement": state}
    values = {name: getattr(stored, name) for name in _TOLD}
    if stored.waive_reason is not None:
        values["waive_reason"] = stored.waive_reason
    return {"agreement": state} | {
        name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()
    }


def refuse_own(access: Access, held: Held) -> None:
    """The two sides are two people: nobody acts for a practice about an agent they belong to. Raises NotPermitted."""
    if held.agent_id in access.actor.agents:
        holders = access.policy.roles_holding(access.permission, "staff")
        raise NotPermitted(access.permission, tuple(role.key for role in holders))


def _facts(stored: Agreement) -> AgreementFacts:
    return AgreementFacts(**{name: getattr(stored, name) for name in AgreementFacts._fields})
