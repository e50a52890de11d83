"""What a person proves themselves with besides the password: an authenticator app, or a passkey."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from models.identifier import uuid7
from models.user import User


class Factor(Model):
    """`kind` is totp or passkey. It counts from `confirmed_at` until `removed_at`.

    Of an app: `secret`, encrypted under the pepper, and `last_step`, the newest time step a code was used for, so that
    no code works twice (RFC 6238 §5.2). Of a passkey: `credential_id`, `public_key` (COSE) and `sign_count`.
    """

    id = fields.UUIDField(primary_key=True, default=uuid7)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name="factors"
    )
    kind = fields.CharField(max_length=16)
    label = fields.CharField(max_length=100)
    secret = fields.BinaryField(null=True)
    last_step = fields.BigIntField(null=True)
    credential_id = fields.BinaryField(null=True)
    public_key = fields.BinaryField(null=True)
    sign_count = fields.BigIntField(db_default=0)
    added_at = fields.DatetimeField()
    confirmed_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "factors"
        indexes = (Index(name="factors_of_user", fields=("user_id",)),)
        constraints = (
            UniqueConstraint(name="factors_credential", fields=("credential_id",)),
            CheckConstraint(
                name="factors_hold_what_they_need",
                check="CASE kind WHEN 'totp' THEN secret IS NOT NULL"
                " WHEN 'passkey' THEN credential_id IS NOT NULL AND public_key IS NOT NULL ELSE FALSE END",
            ),
        )
