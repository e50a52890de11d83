"""A short-lived stand-in for an API key, as OAuth 2.0 client credentials give out (RFC 6749 §4.4)."""

from __future__ import annotations

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.api_key import ApiKey
from models.identifier import uuid7


class AccessToken(Model):
    """Opaque, 256 bits, only its sha256 stored. It ends with its key, if not by itself before."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    api_key: fields.ForeignKeyRelation[ApiKey] = fields.ForeignKeyField(
        "models.ApiKey", on_delete=fields.OnDelete.RESTRICT, related_name=False
    )
    token_hash = fields.BinaryField()
    scopes: list[str] = ArrayField(element_type="text")
    issued_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "access_tokens"
        indexes = (
            Index(name="access_tokens_of_key", fields=("api_key_id",)),
            Index(name="access_tokens_age", fields=("expires_at",)),
        )
        constraints = (UniqueConstraint(name="access_tokens_token", fields=("token_hash",)),)
