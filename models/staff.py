"""A person who belongs to a practice, with the staff roles they hold there."""

from __future__ import annotations

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.identifier import uuid7
from models.practice import Practice
from models.user import User


class StaffMember(Model):
    """Active until `removed_at`. A practice has exactly one owner: the partial unique index decides."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    practice: fields.ForeignKeyRelation[Practice] = fields.ForeignKeyField(
        "models.Practice", on_delete=fields.OnDelete.RESTRICT, related_name="staff"
    )
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name="staff_of"
    )
    roles: list[str] = ArrayField(element_type="text")
    added_at = fields.DatetimeField()
    added_by: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False
    )
    removed_at = fields.DatetimeField(null=True)
    training_completed_on = fields.DateField(null=True)

    class Meta:
        table = "staff_members"
        indexes = (
            Index(name="staff_members_of_user", fields=("user_id",)),
            Index(name="staff_members_page", fields=("practice_id", "id")),
        )
        constraints = (
            UniqueConstraint(name="staff_members_one_per_person", fields=("practice_id", "user_id")),
            UniqueConstraint(
                name="staff_members_one_owner",
                fields=("practice_id",),
                condition="'owner' = ANY (roles) AND removed_at IS NULL",
            ),
        )
