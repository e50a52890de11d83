"""One role on one engagement."""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.engagement import Engagement
from models.identifier import uuid7
from models.user import User


class RoleGrant(Model):
    """Without `confirmed_at` the grant waits for the owner and gives nothing. Removed grants stay as history."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    engagement: fields.ForeignKeyRelation[Engagement] = fields.ForeignKeyField(
        "models.Engagement", on_delete=fields.OnDelete.RESTRICT, related_name="grants"
    )
    practice_id = fields.UUIDField(null=True)  # both are the engagement's, and the database writes them
    agent_id = fields.UUIDField(null=True)
    role = fields.CharField(max_length=40)
    granted_at = fields.DatetimeField()
    granted_by: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False
    )
    confirmed_at = fields.DatetimeField(null=True)
    confirmed_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )
    expires_at = fields.DatetimeField(null=True)
    removed_at = fields.DatetimeField(null=True)
    removed_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )

    class Meta:
        table = "role_grants"
        constraints = (
            UniqueConstraint(
                name="role_grants_one_live",
                fields=("engagement_id", "role"),
                condition="removed_at IS NULL",
            ),
        )
