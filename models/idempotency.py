"""Which request was answered already, so that a repeat gets the same answer and no second effect."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.identifier import uuid7
from models.user import User


class IdempotencyKey(Model):
    """Written in the effect's transaction and kept 24 hours. Keys and inputs are stored as HMACs with the pepper."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False
    )
    key_hash = fields.BinaryField()
    input_hash = fields.BinaryField()
    answer: Any = fields.JSONField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "idempotency_keys"
        indexes = (Index(name="idempotency_keys_age", fields=("created_at",)),)
        constraints = (UniqueConstraint(name="idempotency_keys_one_each", fields=("user_id", "key_hash")),)
