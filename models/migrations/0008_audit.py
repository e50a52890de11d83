"""The record is looked through by type and by who acted: two indexes, without which a page reads the whole chain.

The first one is also how many refused attempts were recorded lately (`operations/denials.py`).
"""

from tortoise import migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0007_as_of")]

    operations = [
        ops.AddIndex(
            model_name="AuditEvent",
            index=Index(fields=["chain_id", "type", "sequence"], name="audit_events_by_type"),
        ),
        ops.AddIndex(
            model_name="AuditEvent",
            index=Index(fields=["chain_id", "actor_user_id", "sequence"], name="audit_events_by_user"),
        ),
    ]
