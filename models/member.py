"""A person who belongs to an agent."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.agent import Agent
from models.identifier import uuid7
from models.user import User


class AgentMember(Model):
    """Its status is derived: DEPARTED, else SUSPENDED, else ACTIVE. Who never joined, in a time when people were
    members before they accepted, has departed, and `joined_at` is null."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    agent: fields.ForeignKeyRelation[Agent] = fields.ForeignKeyField(
        "models.Agent", on_delete=fields.OnDelete.RESTRICT, related_name="members"
    )
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name="member_of"
    )
    admin = fields.BooleanField(db_default=False)
    invited_at = fields.DatetimeField()
    invited_by: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False
    )
    joined_at = fields.DatetimeField(null=True)
    suspended_at = fields.DatetimeField(null=True)
    departed_at = fields.DatetimeField(null=True)
    last_active_at = fields.DatetimeField(null=True)

    class Meta:
        table = "agent_members"
        indexes = (
            Index(name="agent_members_of_user", fields=("user_id",)),
            Index(name="agent_members_page", fields=("agent_id", "id")),
        )
        constraints = (UniqueConstraint(name="agent_members_one_per_person", fields=("agent_id", "user_id")),)
