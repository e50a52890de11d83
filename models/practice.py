"""A therapy practice: the tenant."""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from models.identifier import uuid7
from models.user import User


class Practice(Model):
    """`kind` is lower snake as in the policy. A true group is incorporated and has one tax id for the group."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    name = fields.CharField(max_length=200)
    kind = fields.CharField(max_length=32)
    incorporated = fields.BooleanField()
    group_tax_id = fields.CharField(max_length=10, null=True)
    created_at = fields.DatetimeField()
    created_by: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False
    )
    closed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "practices"
        constraints = (
            CheckConstraint(
                name="practices_true_group_has_tax_id",
                check="kind <> 'true_group' OR (incorporated AND group_tax_id IS NOT NULL)",
            ),
        )
