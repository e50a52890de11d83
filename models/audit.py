"""The record of every change: append-only, and chained so that a missing or altered event shows."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.identifier import uuid7


class AuditEvent(Model):
    """`chain_id` is the practice; for what happens outside a practice, the agent or the user.

    No foreign keys: the record outlives what it speaks of. A trigger refuses UPDATE and DELETE.
    """

    id = fields.UUIDField(primary_key=True, default=uuid7)
    chain_id = fields.UUIDField()
    sequence = fields.BigIntField()
    practice_id = fields.UUIDField(null=True)
    agent_id = fields.UUIDField(null=True)
    engagement_id = fields.UUIDField(null=True)
    at = fields.DatetimeField()
    type = fields.CharField(max_length=64)
    party = fields.CharField(max_length=16)
    actor = fields.CharField(max_length=200)
    actor_user_id = fields.UUIDField(null=True)
    actor_member_id = fields.UUIDField(null=True)
    actor_api_key_id = fields.UUIDField(null=True)
    policy_digest = fields.CharField(max_length=12)
    summary = fields.CharField(max_length=500)
    before: Any = fields.JSONField(null=True)
    after: Any = fields.JSONField(null=True)
    snapshot: Any = fields.JSONField(null=True)  # of the engagement, after the change: `operations/snapshot.py`
    previous_hash = fields.CharField(max_length=64)
    hash = fields.CharField(max_length=64)

    class Meta:
        table = "audit_events"
        indexes = (
            Index(name="audit_events_engagement_page", fields=("engagement_id", "id")),
            Index(name="audit_events_as_of", fields=("chain_id", "engagement_id", "sequence", "at")),
            Index(name="audit_events_by_type", fields=("chain_id", "type", "sequence")),
            Index(name="audit_events_by_user", fields=("chain_id", "actor_user_id", "sequence")),
        )
        constraints = (UniqueConstraint(name="audit_events_chain", fields=("chain_id", "sequence")),)


class AuditHead(Model):
    """The end of each chain. Its row lock puts the events of one chain in one order."""

    chain_id = fields.UUIDField(primary_key=True)
    sequence = fields.BigIntField()
    hash = fields.CharField(max_length=64)

    class Meta:
        table = "audit_heads"
