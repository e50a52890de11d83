"""What a passkey is asked to sign: made here, used once, by whichever worker the answer reaches."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from models.identifier import uuid7
from models.user import User


class PasskeyChallenge(Model):
    """`purpose` is enrol, sign_in or reauthenticate; nobody is known yet who signs in, but the network of
    their `address`. Using one deletes it."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )
    address = fields.CharField(max_length=64, null=True)
    purpose = fields.CharField(max_length=16)
    challenge = fields.BinaryField()
    made_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "passkey_challenges"
        indexes = (
            Index(name="passkey_challenges_age", fields=("expires_at",)),
            Index(name="passkey_challenges_of_address", fields=("address",)),
            Index(name="passkey_challenges_of_user", fields=("user_id",)),
        )
        constraints = (
            CheckConstraint(
                name="passkey_challenges_purpose", check="purpose IN ('enrol', 'sign_in', 'reauthenticate')"
            ),
        )
