"""What happened to an agent's engagements, in one order for each agent: the change feed that partners follow."""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.identifier import uuid7


class AgentChange(Model):
    """One audit event about an engagement, as its agent sees it. Written in the event's transaction, never altered.

    `number` counts from one for each agent, without a gap. It is given under the lock of the agent's `ChangeHead`,
    which is held until the commit: whoever has read up to a number has missed nothing below it.
    """

    id = fields.UUIDField(primary_key=True, default=uuid7)  # the audit event's
    agent_id = fields.UUIDField()
    number = fields.BigIntField()
    practice_id = fields.UUIDField()
    engagement_id = fields.UUIDField()
    at = fields.DatetimeField()
    type = fields.CharField(max_length=64)

    class Meta:
        table = "agent_changes"
        constraints = (UniqueConstraint(name="agent_changes_in_order", fields=("agent_id", "number")),)


class ChangeHead(Model):
    """The last number of each agent's feed."""

    agent_id = fields.UUIDField(primary_key=True)
    number = fields.BigIntField()

    class Meta:
        table = "change_heads"
