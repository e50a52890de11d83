"""The agent's people: whether the platform suspended an engagement, and the roles that the agent asks for there.

Both are of one engagement and read with it, so they are columns of its row and need no policy of their own.
"""

from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0010_time")]

    operations = [
        ops.AddField(
            model_name="Engagement", name="suspended_by_platform", field=fields.BooleanField(db_default=False)
        ),
        ops.AddField(
            model_name="Engagement",
            name="requested_roles",
            field=ArrayField(null=True, element_type="text"),
        ),
        ops.AddField(model_name="Engagement", name="request_reason", field=fields.CharField(null=True, max_length=500)),
        ops.AddField(
            model_name="Engagement",
            name="requested_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Engagement",
            name="requested_by",
            field=fields.ForeignKeyField(
                "models.User",
                source_field="requested_by_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name=False,
                on_delete=OnDelete.RESTRICT,
            ),
        ),
    ]
