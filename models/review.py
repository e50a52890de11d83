"""The practice's repeated look at an engagement: whether the agent still needs what it can do."""

from __future__ import annotations

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from models.engagement import Engagement
from models.identifier import uuid7
from models.user import User


class Review(Model):
    """One that nobody has decided stands open for each engagement that has not ended: the partial unique index says at
    most one, and whoever decides one opens the next. When an open one is due is derived by `authz.life`.
    """

    id = fields.UUIDField(primary_key=True, default=uuid7)
    engagement: fields.ForeignKeyRelation[Engagement] = fields.ForeignKeyField(
        "models.Engagement", on_delete=fields.OnDelete.RESTRICT, related_name="reviews"
    )
    practice_id = fields.UUIDField(null=True)  # both are the engagement's, and the database writes them
    agent_id = fields.UUIDField(null=True)
    opened_at = fields.DatetimeField()
    decided_at = fields.DatetimeField(null=True)
    decided_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )
    decision = fields.CharField(max_length=16, null=True)
    due_on = fields.DateField(null=True)  # the day by which it had to be decided, kept once it is
    roles_before: list[str] | None = ArrayField(element_type="text", null=True)
    roles_after: list[str] | None = ArrayField(element_type="text", null=True)

    class Meta:
        table = "reviews"
        indexes = (Index(name="reviews_of_practice", fields=("practice_id", "decided_at")),)
        constraints = (
            UniqueConstraint(name="reviews_one_open", fields=("engagement_id",), condition="decided_at IS NULL"),
            CheckConstraint(
                name="reviews_decided_as_a_whole",
                check="num_nulls(decided_at, decided_by_id, decision, due_on) IN (0, 4)",
            ),
        )
