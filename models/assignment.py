"""Which of the agent's people work in an engagement."""

from __future__ import annotations

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.engagement import Engagement
from models.identifier import uuid7
from models.member import AgentMember
from models.user import User


class Assignment(Model):
    """`cap`: the role keys this member is narrowed to, or null for all of the engagement's roles."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    engagement: fields.ForeignKeyRelation[Engagement] = fields.ForeignKeyField(
        "models.Engagement", on_delete=fields.OnDelete.RESTRICT, related_name="assignments"
    )
    practice_id = fields.UUIDField(null=True)  # both are the engagement's, and the database writes them
    agent_id = fields.UUIDField(null=True)
    member: fields.ForeignKeyRelation[AgentMember] = fields.ForeignKeyField(
        "models.AgentMember", on_delete=fields.OnDelete.RESTRICT, related_name="assignments"
    )
    cap: list[str] | None = ArrayField(element_type="text", null=True)
    assigned_at = fields.DatetimeField()
    assigned_by: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False
    )
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "assignments"
        indexes = (
            Index(name="assignments_of_member", fields=("member_id",)),
            Index(name="assignments_of_engagement", fields=("engagement_id",)),
        )
        constraints = (
            UniqueConstraint(
                name="assignments_one_live",
                fields=("engagement_id", "member_id"),
                condition="removed_at IS NULL",
            ),
        )
