"""Who a person is at a trusted issuer (OpenID Connect): the pair of issuer and subject never changes hands."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.identifier import uuid7
from models.user import User


class Identity(Model):
    """Linked once, by a verified e-mail address; from then on the subject alone counts."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name="identities"
    )
    issuer = fields.CharField(max_length=255)
    subject = fields.CharField(max_length=255)
    linked_at = fields.DatetimeField()

    class Meta:
        table = "identities"
        indexes = (Index(name="identities_of_user", fields=("user_id",)),)
        constraints = (UniqueConstraint(name="identities_one_each", fields=("issuer", "subject")),)
