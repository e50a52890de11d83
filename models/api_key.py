"""A partner platform's credential: it belongs to an agent and acts for one of its members."""

from __future__ import annotations

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from models.agent import Agent
from models.identifier import uuid7
from models.member import AgentMember
from models.user import User


class ApiKey(Model):
    """`spk_` + id + secret + checksum; only the sha256 of the whole text is stored. `prefix` is what may be shown.

    `scopes` are permissions: the key has those of them that its member has, too. Keys of one `client_id` are one
    client's: at most two are live while it rotates. Live until `revoked_at` or `expires_at`.
    """

    id = fields.UUIDField(primary_key=True, default=uuid7)
    client_id = fields.UUIDField()
    agent: fields.ForeignKeyRelation[Agent] = fields.ForeignKeyField(
        "models.Agent", on_delete=fields.OnDelete.RESTRICT, related_name="api_keys"
    )
    member: fields.ForeignKeyRelation[AgentMember] = fields.ForeignKeyField(
        "models.AgentMember", on_delete=fields.OnDelete.RESTRICT, related_name="api_keys"
    )
    label = fields.CharField(max_length=100)
    prefix = fields.CharField(max_length=32)
    secret_hash = fields.BinaryField()
    scopes: list[str] = ArrayField(element_type="text")
    created_at = fields.DatetimeField()
    created_by: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False
    )
    expires_at = fields.DatetimeField()
    last_used_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    revoked_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )

    class Meta:
        table = "api_keys"
        indexes = (
            Index(name="api_keys_of_agent", fields=("agent_id", "id")),
            Index(name="api_keys_of_client", fields=("client_id",)),
            Index(name="api_keys_of_member", fields=("member_id",)),
        )
        constraints = (
            UniqueConstraint(name="api_keys_secret", fields=("secret_hash",)),
            CheckConstraint(name="api_keys_expire_after_creation", check="expires_at > created_at"),
        )
