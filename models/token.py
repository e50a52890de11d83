"""What a member of an agent reads out on the phone: letters that name it and a code that opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from models.agent import Agent
from models.identifier import uuid7
from models.member import AgentMember

if TYPE_CHECKING:
    from models.engagement import Engagement


class ConnectToken(Model):
    """The code is stored as scrypt(HMAC-SHA256(pepper, code), salt); the pepper is not in the database.

    `state` is issued, consumed, cancelled or released. *Released* frees the letters of a token that expired or
    locked; EXPIRED and LOCKED themselves are derived from `expires_at` and `attempts`.
    """

    id = fields.UUIDField(primary_key=True, default=uuid7)
    agent: fields.ForeignKeyRelation[Agent] = fields.ForeignKeyField(
        "models.Agent", on_delete=fields.OnDelete.RESTRICT, related_name="tokens"
    )
    issued_by: fields.ForeignKeyRelation[AgentMember] = fields.ForeignKeyField(
        "models.AgentMember", on_delete=fields.OnDelete.RESTRICT, related_name="tokens"
    )
    letters = fields.CharField(max_length=4)
    salt = fields.BinaryField()
    code_hash = fields.BinaryField()
    label = fields.CharField(max_length=200, null=True)
    external_ref = fields.CharField(max_length=100, null=True)
    state = fields.CharField(max_length=16, db_default="issued")
    attempts = fields.SmallIntField(db_default=0)
    issued_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    engagement: fields.ForeignKeyNullableRelation[Engagement] = fields.ForeignKeyField(
        "models.Engagement", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )

    class Meta:
        table = "connect_tokens"
        indexes = (
            Index(name="connect_tokens_page", fields=("agent_id", "id")),
            Index(name="connect_tokens_of_member", fields=("issued_by_id", "state")),
        )
        constraints = (
            UniqueConstraint(
                name="connect_tokens_live_letters",
                fields=("letters",),
                condition="state = 'issued'",
            ),
            CheckConstraint(
                name="connect_tokens_state",
                check="state IN ('issued', 'consumed', 'cancelled', 'released')",
            ),
            CheckConstraint(name="connect_tokens_attempts", check="attempts >= 0"),
        )
