"""A code for the day on which the second factor is lost."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from models.identifier import uuid7
from models.user import User


class RecoveryCode(Model):
    """Stored as an HMAC under the pepper; works once. New codes replace the old ones, which are deleted."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False
    )
    code_hash = fields.BinaryField()
    made_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "recovery_codes"
        indexes = (Index(name="recovery_codes_of_user", fields=("user_id",)),)
