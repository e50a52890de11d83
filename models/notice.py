"""What time alone brought about, told once: the sweeper's memory of what it has told, and when it looks next."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.identifier import uuid7


class Notice(Model):
    """One event that was told. Written in the event's transaction: of any number of sweepers one writes it."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    engagement_id = fields.UUIDField()
    kind = fields.CharField(max_length=64)  # the event's type
    due_at = fields.DatetimeField()  # the instant that it is about; a renewal makes others
    told_at = fields.DatetimeField()

    class Meta:
        table = "notices"
        constraints = (UniqueConstraint(name="notices_told_once", fields=("engagement_id", "kind", "due_at")),)


class NextLook(Model):
    """When time may next bring something about in an engagement that nobody changes. A change of the engagement, of a
    grant or of an agreement sets it to long ago, by triggers; `rules` are those it was worked out under.
    """

    engagement_id = fields.UUIDField(primary_key=True)
    rules = fields.CharField(max_length=16, db_default="")
    look_at = fields.DatetimeField(null=True)  # null: never

    class Meta:
        table = "next_looks"
        indexes = (
            Index(name="next_looks_in_order", fields=("look_at",)),
            Index(name="next_looks_by_rules", fields=("rules",)),
        )
