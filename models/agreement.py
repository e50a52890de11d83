"""The business associate agreement of an engagement: a reference to the document, never the document."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.engagement import Engagement
from models.identifier import uuid7
from models.user import User


class Agreement(Model):
    """Both sides' recorded acts (45 CFR 164.504(e)); the state is derived by `authz.life`.

    At most one agreement of an engagement is neither terminated nor superseded.
    """

    id = fields.UUIDField(primary_key=True, default=uuid7)
    engagement: fields.ForeignKeyRelation[Engagement] = fields.ForeignKeyField(
        "models.Engagement", on_delete=fields.OnDelete.RESTRICT, related_name="agreements"
    )
    practice_id = fields.UUIDField(null=True)  # both are the engagement's, and the database writes them
    agent_id = fields.UUIDField(null=True)
    basis = fields.CharField(max_length=24)
    requested_at = fields.DatetimeField(null=True)
    agent_signed_at = fields.DatetimeField(null=True)
    agent_signed_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )
    practice_signed_at = fields.DatetimeField(null=True)
    practice_signed_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )
    effective_on = fields.DateField(null=True)
    expires_on = fields.DateField(null=True)
    document_ref = fields.CharField(max_length=200, null=True)
    document_sha256 = fields.CharField(max_length=64, null=True)
    waived_at = fields.DatetimeField(null=True)
    waived_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", on_delete=fields.OnDelete.RESTRICT, related_name=False, null=True
    )
    waive_reason = fields.CharField(max_length=500, null=True)
    terminated_at = fields.DatetimeField(null=True)
    covered_until = fields.DateField(null=True)  # the last day of the one before it, which counts until this one does
    training_completed_on = fields.DateField(null=True)
    superseded_at = fields.DatetimeField(null=True)

    class Meta:
        table = "agreements"
        indexes = (Index(name="agreements_newest", fields=("engagement_id", "id")),)
        constraints = (
            UniqueConstraint(
                name="agreements_one_current",
                fields=("engagement_id",),
                condition="terminated_at IS NULL AND superseded_at IS NULL",
            ),
        )
