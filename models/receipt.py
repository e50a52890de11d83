"""What a revocation cut and what is still owed."""

from __future__ import annotations

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from models.engagement import Engagement
from models.identifier import uuid7


class RevocationReceipt(Model):
    """One per engagement, for ever: the second revocation finds the first one's receipt."""

    id = fields.UUIDField(primary_key=True, default=uuid7)
    engagement: fields.OneToOneRelation[Engagement] = fields.OneToOneField(
        "models.Engagement", on_delete=fields.OnDelete.RESTRICT, related_name="receipt"
    )
    practice_id = fields.UUIDField(null=True)  # both are the engagement's, and the database writes them
    agent_id = fields.UUIDField(null=True)
    at = fields.DatetimeField()
    by = fields.CharField(max_length=200)
    roles_removed: list[str] = ArrayField(element_type="text")
    members_cut = fields.IntField()
    api_keys_cut = fields.IntField()
    subscriptions_closed = fields.IntField()
    tokens_cancelled = fields.IntField()
    duties: list[str] = ArrayField(element_type="text")
    audit_hash = fields.CharField(max_length=64)

    class Meta:
        table = "revocation_receipts"
