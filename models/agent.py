"""An outside organisation or person that works for practices."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from models.identifier import uuid7
from models.user import User


class Agent(Model):
    """Its status is derived: CLOSED, else SUSPENDED, else ACTIVE once verified, else REGISTERED."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    kind = fields.CharField(max_length=32)
    legal_name = fields.CharField(max_length=200)
    address = fields.CharField(max_length=300)
    city = fields.CharField(max_length=100)
    phone = fields.CharField(max_length=32)
    email = fields.CharField(max_length=254)
    registered_at = fields.DatetimeField()
    registered_by: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False
    )
    verified_at = fields.DatetimeField(null=True)
    verified_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )
    suspended_at = fields.DatetimeField(null=True)
    closed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "agents"
