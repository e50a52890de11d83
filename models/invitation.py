"""An offer to belong to a practice's staff or to an agent, which somebody accepts under their own login."""

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


class Invitation(Model):
    """Of exactly one practice (`roles` are what it gives) or one agent (`admin`). The code works once, until
    `expires_at`; only its sha256 is stored. Its status is derived: ACCEPTED, else CANCELLED, else EXPIRED, else OPEN.
    """

    id = fields.UUIDField(primary_key=True, default=uuid7)
    practice: fields.ForeignKeyNullableRelation[Practice] = fields.ForeignKeyField(
        "models.Practice", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )
    agent: fields.ForeignKeyNullableRelation[Agent] = fields.ForeignKeyField(
        "models.Agent", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )
    email = fields.CharField(max_length=254)
    name = fields.CharField(max_length=200)
    roles: list[str] = ArrayField(element_type="text")
    admin = fields.BooleanField(db_default=False)
    code_hash = fields.BinaryField()
    invited_at = fields.DatetimeField()
    invited_by: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False
    )
    expires_at = fields.DatetimeField()
    accepted_at = fields.DatetimeField(null=True)
    accepted_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )
    cancelled_at = fields.DatetimeField(null=True)

    class Meta:
        table = "invitations"
        indexes = (
            Index(name="invitations_of_practice", fields=("practice_id", "id")),
            Index(name="invitations_of_agent", fields=("agent_id", "id")),
        )
        constraints = (
            UniqueConstraint(name="invitations_code", fields=("code_hash",)),
            CheckConstraint(name="invitations_to_one_place", check="num_nonnulls(practice_id, agent_id) = 1"),
            CheckConstraint(name="invitations_end_once", check="accepted_at IS NULL OR cancelled_at IS NULL"),
        )
