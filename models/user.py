"""One human, one login (45 CFR 164.312(a)(2)(i): unique user identification)."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from models.identifier import uuid7


class User(Model):
    """`email` is stored in lower case. Without a `password_hash` no password opens it."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    name = fields.CharField(max_length=200)
    email = fields.CharField(max_length=254, unique=True)
    password_hash = fields.CharField(max_length=255, null=True)
    operator = fields.BooleanField(db_default=False)
    created_at = fields.DatetimeField()
    disabled_at = fields.DatetimeField(null=True)

    class Meta:
        table = "users"
