"""What time brings about in an engagement: its reviews with their evidence, and what the sweeper has told.

Every engagement that has not ended gets an open review and a first look of the sweeper, the older ones here.
"""

from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from typing import Any
from uuid import uuid4

from models.identifier import uuid7

CONSTRAINTS = """
CREATE UNIQUE INDEX reviews_one_open ON reviews (engagement_id) WHERE decided_at IS NULL;
ALTER TABLE reviews ADD CONSTRAINT reviews_decided_as_a_whole
    CHECK (num_nulls(decided_at, decided_by_id, decision, due_on) IN (0, 4));
ALTER TABLE notices ADD CONSTRAINT notices_told_once UNIQUE (engagement_id, kind, due_at);
ALTER TABLE role_uses ADD CONSTRAINT role_uses_one_each UNIQUE (engagement_id, role);
"""
EVERYWHERE = "(SELECT current_setting('sparekey.acting', true) = 'everywhere')"
STAFFED = (
    "practice_id = ANY (ARRAY(SELECT m.practice_id FROM staff_members m"
    " WHERE m.user_id = acting_user() AND m.removed_at IS NULL))"
)
OURS = (
    "agent_id = ANY (ARRAY(SELECT m.agent_id FROM agent_members m"
    " WHERE m.user_id = acting_user() AND m.joined_at IS NOT NULL AND m.departed_at IS NULL))"
)
# Reviews are the practice's own: whoever connects, decides or ends belongs to it or is an operator. The agent sees when
# it was there last.
PARTS = """
CREATE TRIGGER {table}_tenants BEFORE INSERT OR UPDATE OF engagement_id, practice_id, agent_id ON {table}
    FOR EACH ROW EXECUTE FUNCTION take_over_tenants();
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY {table}_select ON {table} FOR SELECT TO sparekey_app USING ({everywhere} OR {seen});
CREATE POLICY {table}_insert ON {table} FOR INSERT TO sparekey_app WITH CHECK ({everywhere} OR {staffed});
CREATE POLICY {table}_update ON {table} FOR UPDATE TO sparekey_app USING ({everywhere} OR {staffed});
CREATE POLICY {table}_migrated ON {table} TO CURRENT_USER USING ({everywhere});
GRANT SELECT, INSERT, UPDATE ON {table} TO sparekey_app;
"""
# Only the sweeper, which is the service, knows these; and the trigger, which is their owner.
OWN = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY {table}_service ON {table} TO sparekey_app USING ({everywhere});
CREATE POLICY {table}_migrated ON {table} TO CURRENT_USER USING ({everywhere} OR pg_trigger_depth() > 0);
"""
RIGHTS = """
GRANT SELECT, INSERT ON notices TO sparekey_app;
GRANT SELECT, UPDATE ON next_looks TO sparekey_app;
CREATE TRIGGER reviews_noted AFTER INSERT OR UPDATE OR DELETE ON reviews
    FOR EACH ROW EXECUTE FUNCTION note_engagement_change();
"""
# Long ago is before every clock. What is due for a look already is left alone.
LOOK = """
CREATE FUNCTION look_soon() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO next_looks AS n (engagement_id, look_at)
        VALUES ((to_jsonb(NEW) ->> TG_ARGV[0])::uuid, 'epoch')
        ON CONFLICT (engagement_id) DO UPDATE SET look_at = excluded.look_at
        WHERE n.look_at IS DISTINCT FROM excluded.look_at;
    RETURN NULL;
END $$;
CREATE TRIGGER engagements_looked AFTER INSERT OR UPDATE ON engagements
    FOR EACH ROW EXECUTE FUNCTION look_soon('id');
CREATE TRIGGER role_grants_looked AFTER INSERT OR UPDATE ON role_grants
    FOR EACH ROW EXECUTE FUNCTION look_soon('engagement_id');
CREATE TRIGGER agreements_looked AFTER INSERT OR UPDATE ON agreements
    FOR EACH ROW EXECUTE FUNCTION look_soon('engagement_id');
"""
OLDER = """
INSERT INTO reviews (id, engagement_id, practice_id, agent_id, opened_at)
    SELECT gen_random_uuid(), id, practice_id, agent_id, coalesce(reviewed_at, started_at)
    FROM engagements WHERE ended_at IS NULL;
INSERT INTO next_looks (engagement_id, look_at) SELECT id, 'epoch' FROM engagements WHERE ended_at IS NULL;
"""
SEEN = {"reviews": STAFFED, "role_uses": f"{STAFFED} OR {OURS}"}
WALL = [PARTS.format(table=table, everywhere=EVERYWHERE, staffed=STAFFED, seen=seen) for table, seen in SEEN.items()]
OWNED = [OWN.format(table=table, everywhere=EVERYWHERE) for table in ("notices", "next_looks")]


def _engagement(related_name: str) -> Any:
    return fields.ForeignKeyField(
        "models.Engagement",
        source_field="engagement_id",
        db_constraint=True,
        to_field="id",
        related_name=related_name,
        on_delete=OnDelete.RESTRICT,
    )


class Migration(migrations.Migration):
    dependencies = [("models", "0009_changes")]

    operations = [
        ops.CreateModel(
            name="Review",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("engagement", _engagement("reviews")),
                ("practice_id", fields.UUIDField(null=True)),
                ("agent_id", fields.UUIDField(null=True)),
                ("opened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("decided_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "decided_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="decided_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("decision", fields.CharField(null=True, max_length=16)),
                ("due_on", fields.DateField(null=True)),
                ("roles_before", ArrayField(null=True, element_type="TEXT")),
                ("roles_after", ArrayField(null=True, element_type="TEXT")),
            ],
            options={
                "table": "reviews",
                "app": "models",
                "indexes": [Index(fields=["practice_id", "decided_at"], name="reviews_of_practice")],
                "constraints": [
                    UniqueConstraint(
                        fields=("engagement_id",), name="reviews_one_open", condition="decided_at IS NULL"
                    ),
                    CheckConstraint(
                        check="num_nulls(decided_at, decided_by_id, decision, due_on) IN (0, 4)",
                        name="reviews_decided_as_a_whole",
                    ),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RoleUse",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("engagement", _engagement("role_uses")),
                ("practice_id", fields.UUIDField(null=True)),
                ("agent_id", fields.UUIDField(null=True)),
                ("role", fields.CharField(max_length=40)),
                ("last_used_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "role_uses",
                "app": "models",
                "constraints": [UniqueConstraint(fields=("engagement_id", "role"), name="role_uses_one_each")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Notice",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("engagement_id", fields.UUIDField()),
                ("kind", fields.CharField(max_length=64)),
                ("due_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("told_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "notices",
                "app": "models",
                "constraints": [UniqueConstraint(fields=("engagement_id", "kind", "due_at"), name="notices_told_once")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="NextLook",
            fields=[
                ("engagement_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("rules", fields.CharField(db_default="", max_length=16)),
                ("look_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "next_looks",
                "app": "models",
                "indexes": [
                    Index(fields=["look_at"], name="next_looks_in_order"),
                    Index(fields=["rules"], name="next_looks_by_rules"),
                ],
                "pk_attr": "engagement_id",
            },
            bases=["Model"],
        ),
        ops.RunSQL("\n".join([CONSTRAINTS, OLDER, *WALL, *OWNED, RIGHTS, LOOK])),
    ]
