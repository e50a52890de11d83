"""The first tables. What the schema editor cannot say (it drops the constraints of a new model) is SQL at the end."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from models.identifier import uuid7
from orjson import loads
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

CONSTRAINTS = """
ALTER TABLE agent_members ADD CONSTRAINT agent_members_one_per_person UNIQUE (agent_id, user_id);
CREATE UNIQUE INDEX agreements_one_current ON agreements (engagement_id)
    WHERE terminated_at IS NULL AND superseded_at IS NULL;
CREATE UNIQUE INDEX assignments_one_live ON assignments (engagement_id, member_id) WHERE removed_at IS NULL;
ALTER TABLE attempt_budgets ADD CONSTRAINT attempt_budgets_one_each UNIQUE (scope, key);
ALTER TABLE audit_events ADD CONSTRAINT audit_events_chain UNIQUE (chain_id, sequence);
CREATE UNIQUE INDEX connect_tokens_live_letters ON connect_tokens (letters) WHERE state = 'issued';
ALTER TABLE connect_tokens ADD CONSTRAINT connect_tokens_state
    CHECK (state IN ('issued', 'consumed', 'cancelled', 'released'));
ALTER TABLE connect_tokens ADD CONSTRAINT connect_tokens_attempts CHECK (attempts >= 0);
CREATE UNIQUE INDEX engagements_one_live ON engagements (practice_id, agent_id) WHERE ended_at IS NULL;
ALTER TABLE engagements ADD CONSTRAINT engagements_expire_after_start CHECK (expires_at > started_at);
ALTER TABLE engagements ADD CONSTRAINT engagements_end_has_reason
    CHECK ((ended_at IS NULL) = (end_reason IS NULL));
ALTER TABLE idempotency_keys ADD CONSTRAINT idempotency_keys_one_each UNIQUE (user_id, key_hash);
ALTER TABLE practices ADD CONSTRAINT practices_true_group_has_tax_id
    CHECK (kind <> 'true_group' OR (incorporated AND group_tax_id IS NOT NULL));
CREATE UNIQUE INDEX role_grants_one_live ON role_grants (engagement_id, role) WHERE removed_at IS NULL;
ALTER TABLE sessions ADD CONSTRAINT sessions_reference UNIQUE (reference_hash);
ALTER TABLE staff_members ADD CONSTRAINT staff_members_one_per_person UNIQUE (practice_id, user_id);
CREATE UNIQUE INDEX staff_members_one_owner ON staff_members (practice_id)
    WHERE 'owner' = ANY (roles) AND removed_at IS NULL;
"""

APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="AttemptBudget",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("scope", fields.CharField(max_length=32)),
                ("key", fields.CharField(max_length=64)),
                ("short_since", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("short_count", fields.IntField()),
                ("long_since", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("long_count", fields.IntField()),
                ("blocks", fields.IntField(db_default=0)),
                ("blocked_until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "attempt_budgets",
                "app": "models",
                "constraints": [UniqueConstraint(fields=("scope", "key"), name="attempt_budgets_one_each")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AuditEvent",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("chain_id", fields.UUIDField()),
                ("sequence", fields.BigIntField()),
                ("practice_id", fields.UUIDField(null=True)),
                ("agent_id", fields.UUIDField(null=True)),
                ("engagement_id", fields.UUIDField(null=True)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("type", fields.CharField(max_length=64)),
                ("party", fields.CharField(max_length=16)),
                ("actor", fields.CharField(max_length=200)),
                ("actor_user_id", fields.UUIDField(null=True)),
                ("actor_member_id", fields.UUIDField(null=True)),
                ("actor_api_key_id", fields.UUIDField(null=True)),
                ("policy_digest", fields.CharField(max_length=12)),
                ("summary", fields.CharField(max_length=500)),
                ("before", fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
                ("after", fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
                ("previous_hash", fields.CharField(max_length=64)),
                ("hash", fields.CharField(max_length=64)),
            ],
            options={
                "table": "audit_events",
                "app": "models",
                "constraints": [UniqueConstraint(fields=("chain_id", "sequence"), name="audit_events_chain")],
                "indexes": [
                    Index(fields=["engagement_id", "id"], name="audit_events_engagement_page"),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AuditHead",
            fields=[
                ("chain_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("sequence", fields.BigIntField()),
                ("hash", fields.CharField(max_length=64)),
            ],
            options={"table": "audit_heads", "app": "models", "pk_attr": "chain_id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PolicyActivation",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("digest", fields.CharField(max_length=12)),
                ("source_digest", fields.CharField(max_length=64)),
                ("name", fields.CharField(max_length=100)),
                ("version", fields.CharField(max_length=40)),
                ("activated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "policy_activations",
                "app": "models",
                "indexes": [Index(fields=["activated_at"], name="policy_activations_newest")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="User",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("name", fields.CharField(max_length=200)),
                ("email", fields.CharField(unique=True, max_length=254)),
                ("password_hash", fields.CharField(null=True, max_length=255)),
                ("operator", fields.BooleanField(db_default=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("disabled_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "users", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Agent",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("kind", fields.CharField(max_length=32)),
                ("legal_name", fields.CharField(max_length=200)),
                ("address", fields.CharField(max_length=300)),
                ("city", fields.CharField(max_length=100)),
                ("phone", fields.CharField(max_length=32)),
                ("email", fields.CharField(max_length=254)),
                ("registered_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "registered_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="registered_by_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("verified_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "verified_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="verified_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("suspended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("closed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "agents", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AgentMember",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "agent",
                    fields.ForeignKeyField(
                        "models.Agent",
                        source_field="agent_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="members",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="member_of",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("admin", fields.BooleanField(db_default=False)),
                ("invited_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "invited_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="invited_by_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("joined_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("suspended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("departed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("last_active_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "agent_members",
                "app": "models",
                "constraints": [UniqueConstraint(fields=("agent_id", "user_id"), name="agent_members_one_per_person")],
                "indexes": [
                    Index(fields=["user_id"], name="agent_members_of_user"),
                    Index(fields=["agent_id", "id"], name="agent_members_page"),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="IdempotencyKey",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("key_hash", fields.BinaryField()),
                ("input_hash", fields.BinaryField()),
                ("answer", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "idempotency_keys",
                "app": "models",
                "constraints": [UniqueConstraint(fields=("user_id", "key_hash"), name="idempotency_keys_one_each")],
                "indexes": [Index(fields=["created_at"], name="idempotency_keys_age")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Practice",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("name", fields.CharField(max_length=200)),
                ("kind", fields.CharField(max_length=32)),
                ("incorporated", fields.BooleanField()),
                ("group_tax_id", fields.CharField(null=True, max_length=10)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "created_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="created_by_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("closed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "practices",
                "app": "models",
                "constraints": [
                    CheckConstraint(
                        check="kind <> 'true_group' OR (incorporated AND group_tax_id IS NOT NULL)",
                        name="practices_true_group_has_tax_id",
                    )
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Engagement",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "practice",
                    fields.ForeignKeyField(
                        "models.Practice",
                        source_field="practice_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="engagements",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "agent",
                    fields.ForeignKeyField(
                        "models.Agent",
                        source_field="agent_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="engagements",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("purpose", fields.CharField(max_length=32)),
                ("external_ref", fields.CharField(null=True, max_length=100)),
                ("version", fields.IntField(db_default=1)),
                ("started_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "started_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="started_by_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("auto_extend", fields.BooleanField(db_default=False)),
                ("suspended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "suspended_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="suspended_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("suspend_reason", fields.CharField(null=True, max_length=500)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "ended_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="ended_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("end_reason", fields.CharField(null=True, max_length=32)),
                ("end_note", fields.CharField(null=True, max_length=500)),
                (
                    "previous",
                    fields.ForeignKeyField(
                        "models.Engagement",
                        source_field="previous_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("last_used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "engagements",
                "app": "models",
                "constraints": [
                    UniqueConstraint(
                        fields=("practice_id", "agent_id"), name="engagements_one_live", condition="ended_at IS NULL"
                    ),
                    CheckConstraint(check="expires_at > started_at", name="engagements_expire_after_start"),
                    CheckConstraint(
                        check="(ended_at IS NULL) = (end_reason IS NULL)", name="engagements_end_has_reason"
                    ),
                ],
                "indexes": [
                    Index(fields=["practice_id", "id"], name="engagements_practice_page"),
                    Index(fields=["agent_id", "id"], name="engagements_agent_page"),
                    Index(fields=["started_by_id"], name="engagements_started_by"),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Agreement",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "engagement",
                    fields.ForeignKeyField(
                        "models.Engagement",
                        source_field="engagement_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="agreements",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("basis", fields.CharField(max_length=24)),
                ("requested_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("agent_signed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "agent_signed_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="agent_signed_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("practice_signed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "practice_signed_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="practice_signed_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("effective_on", fields.DateField(null=True)),
                ("expires_on", fields.DateField(null=True)),
                ("document_ref", fields.CharField(null=True, max_length=200)),
                ("document_sha256", fields.CharField(null=True, max_length=64)),
                ("waived_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "waived_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="waived_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("waive_reason", fields.CharField(null=True, max_length=500)),
                ("terminated_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("superseded_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "agreements",
                "app": "models",
                "constraints": [
                    UniqueConstraint(
                        fields=("engagement_id",),
                        name="agreements_one_current",
                        condition="terminated_at IS NULL AND superseded_at IS NULL",
                    )
                ],
                "indexes": [Index(fields=["engagement_id", "id"], name="agreements_newest")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Assignment",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "engagement",
                    fields.ForeignKeyField(
                        "models.Engagement",
                        source_field="engagement_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="assignments",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "member",
                    fields.ForeignKeyField(
                        "models.AgentMember",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="assignments",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("cap", ArrayField(null=True, element_type="TEXT")),
                ("assigned_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "assigned_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="assigned_by_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("removed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "assignments",
                "app": "models",
                "constraints": [
                    UniqueConstraint(
                        fields=("engagement_id", "member_id"),
                        name="assignments_one_live",
                        condition="removed_at IS NULL",
                    )
                ],
                "indexes": [Index(fields=["member_id"], name="assignments_of_member")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ConnectToken",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "agent",
                    fields.ForeignKeyField(
                        "models.Agent",
                        source_field="agent_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="tokens",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "issued_by",
                    fields.ForeignKeyField(
                        "models.AgentMember",
                        source_field="issued_by_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="tokens",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("letters", fields.CharField(max_length=4)),
                ("salt", fields.BinaryField()),
                ("code_hash", fields.BinaryField()),
                ("label", fields.CharField(null=True, max_length=200)),
                ("external_ref", fields.CharField(null=True, max_length=100)),
                ("state", fields.CharField(db_default="issued", max_length=16)),
                ("attempts", fields.SmallIntField(db_default=0)),
                ("issued_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "engagement",
                    fields.ForeignKeyField(
                        "models.Engagement",
                        source_field="engagement_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            options={
                "table": "connect_tokens",
                "app": "models",
                "constraints": [
                    UniqueConstraint(
                        fields=("letters",), name="connect_tokens_live_letters", condition="state = 'issued'"
                    ),
                    CheckConstraint(
                        check="state IN ('issued', 'consumed', 'cancelled', 'released')", name="connect_tokens_state"
                    ),
                    CheckConstraint(check="attempts >= 0", name="connect_tokens_attempts"),
                ],
                "indexes": [
                    Index(fields=["agent_id", "id"], name="connect_tokens_page"),
                    Index(fields=["issued_by_id", "state"], name="connect_tokens_of_member"),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RevocationReceipt",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "engagement",
                    fields.OneToOneField(
                        "models.Engagement",
                        source_field="engagement_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="receipt",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("by", fields.CharField(max_length=200)),
                ("roles_removed", ArrayField(element_type="TEXT")),
                ("members_cut", fields.IntField()),
                ("api_keys_cut", fields.IntField()),
                ("subscriptions_closed", fields.IntField()),
                ("tokens_cancelled", fields.IntField()),
                ("duties", ArrayField(element_type="TEXT")),
                ("audit_hash", fields.CharField(max_length=64)),
            ],
            options={"table": "revocation_receipts", "app": "models", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RoleGrant",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "engagement",
                    fields.ForeignKeyField(
                        "models.Engagement",
                        source_field="engagement_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="grants",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("role", fields.CharField(max_length=40)),
                ("granted_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "granted_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="granted_by_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("confirmed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "confirmed_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="confirmed_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("expires_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("removed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "removed_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="removed_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            options={
                "table": "role_grants",
                "app": "models",
                "constraints": [
                    UniqueConstraint(
                        fields=("engagement_id", "role"), name="role_grants_one_live", condition="removed_at IS NULL"
                    )
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Session",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="sessions",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("reference_hash", fields.BinaryField()),
                ("started_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("last_seen_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("reauthenticated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("second_factor", fields.BooleanField(db_default=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "sessions",
                "app": "models",
                "constraints": [UniqueConstraint(fields=("reference_hash",), name="sessions_reference")],
                "indexes": [Index(fields=["user_id"], name="sessions_of_user")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="StaffMember",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "practice",
                    fields.ForeignKeyField(
                        "models.Practice",
                        source_field="practice_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="staff",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="staff_of",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("roles", ArrayField(element_type="TEXT")),
                ("added_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "added_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="added_by_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("removed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("training_completed_on", fields.DateField(null=True)),
            ],
            options={
                "table": "staff_members",
                "app": "models",
                "constraints": [
                    UniqueConstraint(fields=("practice_id", "user_id"), name="staff_members_one_per_person"),
                    UniqueConstraint(
                        fields=("practice_id",),
                        name="staff_members_one_owner",
                        condition="'owner' = ANY (roles) AND removed_at IS NULL",
                    ),
                ],
                "indexes": [
                    Index(fields=["user_id"], name="staff_members_of_user"),
                    Index(fields=["practice_id", "id"], name="staff_members_page"),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.RunSQL(CONSTRAINTS),
        ops.RunSQL(APPEND_ONLY),
    ]
