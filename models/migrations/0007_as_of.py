"""The last event of each engagement before an instant is found in an index alone (`resolvers/history.py`)."""

from tortoise import migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0006_life")]

    operations = [
        ops.AddIndex(
            model_name="AuditEvent",
            index=Index(fields=["chain_id", "engagement_id", "sequence", "at"], name="audit_events_as_of"),
        ),
    ]
