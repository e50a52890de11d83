"""Which policy was active when, and the sets themselves, so that every worker decides by exactly the same bytes."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from models.identifier import uuid7


class PolicyActivation(Model):
    """A row for each change of the active set; the one with the highest `number` is in force.

    The number, not the time, puts activations in order: clocks of two machines may disagree. No foreign key to
    the set: activations from before sets were stored have none.
    """

    id = fields.UUIDField(primary_key=True, default=uuid7)
    number = fields.BigIntField()
    digest = fields.CharField(max_length=12)
    source_digest = fields.CharField(max_length=64)
    name = fields.CharField(max_length=100)
    version = fields.CharField(max_length=40)
    activated_at = fields.DatetimeField()

    class Meta:
        table = "policy_activations"
        indexes = (Index(name="policy_activations_newest", fields=("activated_at",)),)
        constraints = (
            UniqueConstraint(name="policy_activations_in_order", fields=("number",)),
            CheckConstraint(name="policy_activations_count_from_one", check="number >= 1"),
        )


class PolicySet(Model):
    """The files of a set, path to text, under the digest of their bytes. Never changed: other bytes are another row."""

    source_digest = fields.CharField(primary_key=True, max_length=64)
    digest = fields.CharField(max_length=12)
    files: Any = fields.JSONField()
    stored_at = fields.DatetimeField()

    class Meta:
        table = "policy_sets"
