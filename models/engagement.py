"""The standing arrangement between one practice and one agent."""

from __future__ import annotations

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from models.agent import Agent
from models.identifier import uuid7
from models.practice import Practice
from models.user import User


class Engagement(Model):
    """Only dates are stored: status and blockers are derived by `authz.life`.

    At most one engagement of a practice and an agent has not ended: the partial unique index decides races.
    `version` grows by one with every change that both sides can see.
    """

    id = fields.UUIDField(primary_key=True, default=uuid7)
    practice: fields.ForeignKeyRelation[Practice] = fields.ForeignKeyField(
        "models.Practice", on_delete=fields.OnDelete.RESTRICT, related_name="engagements"
    )
    agent: fields.ForeignKeyRelation[Agent] = fields.ForeignKeyField(
        "models.Agent", on_delete=fields.OnDelete.RESTRICT, related_name="engagements"
    )
    purpose = fields.CharField(max_length=32)
    external_ref = fields.CharField(max_length=100, null=True)
    version = fields.IntField(db_default=1)
    started_at = fields.DatetimeField()
    started_by: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False
    )
    expires_at = fields.DatetimeField()
    auto_extend = fields.BooleanField(db_default=False)
    reviewed_at = fields.DatetimeField(null=True)  # when the practice last decided about the roles; null: not since
    suspended_at = fields.DatetimeField(null=True)
    suspended_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )
    suspend_reason = fields.CharField(max_length=500, null=True)
    suspended_by_platform = fields.BooleanField(db_default=False)  # then only the platform lifts it
    requested_roles: list[str] | None = ArrayField(element_type="text", null=True)  # until `setRoles` answers it
    request_reason = fields.CharField(max_length=500, null=True)
    requested_at = fields.DatetimeField(null=True)
    requested_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )
    ended_at = fields.DatetimeField(null=True)
    ended_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )
    end_reason = fields.CharField(max_length=32, null=True)
    end_note = fields.CharField(max_length=500, null=True)
    previous: fields.ForeignKeyNullableRelation[Engagement] = fields.ForeignKeyField(
        "models.Engagement", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )
    last_used_at = fields.DatetimeField(null=True)
    outline = fields.TextField(db_default=";")  # of grants and agreement, kept by triggers (migration 0013)

    class Meta:
        table = "engagements"
        indexes = (
            Index(name="engagements_practice_page", fields=("practice_id", "id")),
            Index(name="engagements_agent_page", fields=("agent_id", "id")),
            Index(name="engagements_started_by", fields=("started_by_id",)),
        )
        constraints = (
            UniqueConstraint(
                name="engagements_one_live",
                fields=("practice_id", "agent_id"),
                condition="ended_at IS NULL",
            ),
            CheckConstraint(name="engagements_expire_after_start", check="expires_at > started_at"),
            CheckConstraint(name="engagements_end_has_reason", check="(ended_at IS NULL) = (end_reason IS NULL)"),
        )
