"""Invitations as the API shows them. Their columns leave the hash of the code out: what is not read cannot be shown."""

from __future__ import annotations

from datetime import datetime

import strawberry

from models.connection import Row
from schema.invitation import Invitation
from schema.kinds import InvitationStatus

COLUMNS = """
i.id, i.practice_id, i.agent_id, i.email, i.name, i.roles, i.admin, i.invited_at, i.invited_by_id, i.expires_at,
i.accepted_at, i.cancelled_at
"""


def invitation(row: Row, now: datetime) -> Invitation:
    return Invitation(
        id=strawberry.ID(str(row["id"])),
        row=row,
        email=row["email"],
        name=row["name"],
        admin=row["admin"],
        status=_status(row, now),
        invited_at=row["invited_at"],
        expires_at=row["expires_at"],
    )


def _status(row: Row, now: datetime) -> InvitationStatus:
    if row["accepted_at"]:
        return InvitationStatus.ACCEPTED
    if row["cancelled_at"]:
        return InvitationStatus.CANCELLED
    return InvitationStatus.EXPIRED if row["expires_at"] <= now else InvitationStatus.OPEN
