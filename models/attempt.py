"""How many wrong attempts were made, by whom: counts that no restart and no new token resets."""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.identifier import uuid7


class AttemptBudget(Model):
    """One row for each budget (`scope`) and whom it binds (`key`): counts within a short and a long window."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    scope = fields.CharField(max_length=32)
    key = fields.CharField(max_length=64)
    short_since = fields.DatetimeField()
    short_count = fields.IntField()
    long_since = fields.DatetimeField()
    long_count = fields.IntField()
    blocks = fields.IntField(db_default=0)
    blocked_until = fields.DatetimeField(null=True)

    class Meta:
        table = "attempt_budgets"
        constraints = (UniqueConstraint(name="attempt_budgets_one_each", fields=("scope", "key")),)
