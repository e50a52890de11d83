"""Which policy was active when."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from models.identifier import uuid7


class PolicyActivation(Model):
    """A row for each change of the active set; the newest is in force."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    digest = fields.CharField(max_length=12)
    source_digest = fields.CharField(max_length=64)
    name = fields.CharField(max_length=100)
    version = fields.CharField(max_length=40)
    activated_at = fields.DatetimeField()

    class Meta:
        table = "policy_activations"
        indexes = (Index(name="policy_activations_newest", fields=("activated_at",)),)
