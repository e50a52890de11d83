"""The life of an engagement: when its roles were last decided, and what happened in it as a feed for its agent."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import UniqueConstraint
from uuid import uuid4

from models.identifier import uuid7

CONSTRAINTS = "ALTER TABLE agent_changes ADD CONSTRAINT agent_changes_in_order UNIQUE (agent_id, number);"
EVERYWHERE = "(SELECT current_setting('sparekey.acting', true) = 'everywhere')"
OURS = (
    "agent_id = ANY (ARRAY(SELECT m.agent_id FROM agent_members m"
    " WHERE m.user_id = acting_user() AND m.joined_at IS NOT NULL AND m.departed_at IS NULL))"
)
STAFFED = (
    "practice_id = ANY (ARRAY(SELECT m.practice_id FROM staff_members m"
    " WHERE m.user_id = acting_user() AND m.removed_at IS NULL))"
)
# An agent's feed tells of all its practices: its people read it, and whoever changes an engagement adds to it.
WALL = f"""
GRANT SELECT, INSERT ON agent_changes TO sparekey_app;
GRANT SELECT, INSERT, UPDATE ON change_heads TO sparekey_app;
ALTER TABLE agent_changes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY agent_changes_select ON agent_changes FOR SELECT TO sparekey_app USING ({EVERYWHERE} OR {OURS});
CREATE POLICY agent_changes_insert ON agent_changes FOR INSERT TO sparekey_app
    WITH CHECK ({EVERYWHERE} OR {OURS} OR {STAFFED});
CREATE POLICY agent_changes_migrated ON agent_changes TO CURRENT_USER USING ({EVERYWHERE});
CREATE TRIGGER agent_changes_append_only BEFORE UPDATE OR DELETE ON agent_changes
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0005_row_level_security")]

    operations = [
        ops.AddField(
            model_name="Engagement",
            name="reviewed_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="AuditEvent",
            name="snapshot",
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddIndex(model_name="Assignment", index=Index(fields=["engagement_id"], name="assignments_of_engagement")),
        ops.CreateModel(
            name="AgentChange",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("agent_id", fields.UUIDField()),
                ("number", fields.BigIntField()),
                ("practice_id", fields.UUIDField()),
                ("engagement_id", fields.UUIDField()),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("type", fields.CharField(max_length=64)),
            ],
            options={
                "table": "agent_changes",
                "app": "models",
                "constraints": [UniqueConstraint(fields=("agent_id", "number"), name="agent_changes_in_order")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ChangeHead",
            fields=[
                ("agent_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("number", fields.BigIntField()),
            ],
            options={"table": "change_heads", "app": "models", "pk_attr": "agent_id"},
            bases=["Model"],
        ),
        ops.RunSQL(CONSTRAINTS + WALL),
    ]
