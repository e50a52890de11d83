"""A signed-in browser. The reference lives in the cookie; only its sha256 is stored."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.identifier import uuid7
from models.user import User


class Session(Model):
    """Ends by sign-out, after a time without use, or at its absolute end: the last two are derived on reading.

    `address` and `browser` (the User-Agent header) are as of the sign-in, so that its person knows it again in a list.
    """

    id = fields.UUIDField(primary_key=True, default=uuid7)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name="sessions"
    )
    reference_hash = fields.BinaryField()
    started_at = fields.DatetimeField()
    last_seen_at = fields.DatetimeField()
    reauthenticated_at = fields.DatetimeField()
    second_factor = fields.BooleanField(db_default=False)
    expires_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    address = fields.CharField(max_length=64, null=True)
    browser = fields.CharField(max_length=200, null=True)

    class Meta:
        table = "sessions"
        constraints = (UniqueConstraint(name="sessions_reference", fields=("reference_hash",)),)
        indexes = (Index(name="sessions_of_user", fields=("user_id",)),)
