"""Activations get an order of their own, and the sets that they activate are stored."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from orjson import loads
from tortoise.fields.data import JSON_DUMPS
from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

NUMBER = """
UPDATE policy_activations a SET number = o.number
    FROM (SELECT id, row_number() OVER (ORDER BY activated_at, id) AS number FROM policy_activations) o
    WHERE o.id = a.id;
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0001_initial")]

    operations = [
        ops.CreateModel(
            name="PolicySet",
            fields=[
                ("source_digest", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ("digest", fields.CharField(max_length=12)),
                ("files", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("stored_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={"table": "policy_sets", "app": "models", "pk_attr": "source_digest"},
            bases=["Model"],
        ),
        ops.AddField(model_name="PolicyActivation", name="number", field=fields.BigIntField(null=True)),
        ops.RunSQL(NUMBER),
        ops.AlterField(model_name="PolicyActivation", name="number", field=fields.BigIntField()),
        ops.AddConstraint(
            model_name="PolicyActivation",
            constraint=UniqueConstraint(fields=("number",), name="policy_activations_in_order"),
        ),
        ops.AddConstraint(
            model_name="PolicyActivation",
            constraint=CheckConstraint(check="number >= 1", name="policy_activations_count_from_one"),
        ),
    ]
