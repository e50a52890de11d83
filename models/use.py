"""When an agent last did something in a practice by virtue of a role: what a review goes by."""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.engagement import Engagement
from models.identifier import uuid7


class RoleUse(Model):
    """The last use of one role in one engagement, to the minute."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    engagement: fields.ForeignKeyRelation[Engagement] = fields.ForeignKeyField(
        "models.Engagement", on_delete=fields.OnDelete.RESTRICT, related_name="role_uses"
    )
    practice_id = fields.UUIDField(null=True)  # both are the engagement's, and the database writes them
    agent_id = fields.UUIDField(null=True)
    role = fields.CharField(max_length=40)
    last_used_at = fields.DatetimeField()

    class Meta:
        table = "role_uses"
        constraints = (UniqueConstraint(name="role_uses_one_each", fields=("engagement_id", "role")),)
