"""Agreements that follow one another: how long the one before counts, and when a worker was trained."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0011_people")]

    operations = [
        ops.AddField(model_name="Agreement", name="covered_until", field=fields.DateField(null=True)),
        ops.AddField(model_name="Agreement", name="training_completed_on", field=fields.DateField(null=True)),
    ]
