"""People prove who they are in more ways: invitations, second factors, API keys, trusted issuers."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from models.identifier import uuid7
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

CONSTRAINTS = """
ALTER TABLE invitations ADD CONSTRAINT invitations_code UNIQUE (code_hash);
ALTER TABLE invitations ADD CONSTRAINT invitations_to_one_place
    CHECK (num_nonnulls(practice_id, agent_id) = 1);
ALTER TABLE invitations ADD CONSTRAINT invitations_end_once
    CHECK (accepted_at IS NULL OR cancelled_at IS NULL);
ALTER TABLE factors ADD CONSTRAINT factors_credential UNIQUE (credential_id);
ALTER TABLE factors ADD CONSTRAINT factors_hold_what_they_need
    CHECK (CASE kind WHEN 'totp' THEN secret IS NOT NULL
        WHEN 'passkey' THEN credential_id IS NOT NULL AND public_key IS NOT NULL ELSE FALSE END);
ALTER TABLE passkey_challenges ADD CONSTRAINT passkey_challenges_purpose
    CHECK (purpose IN ('enrol', 'sign_in', 'reauthenticate'));
ALTER TABLE api_keys ADD CONSTRAINT api_keys_secret UNIQUE (secret_hash);
ALTER TABLE api_keys ADD CONSTRAINT api_keys_expire_after_creation
    CHECK (expires_at > created_at);
ALTER TABLE access_tokens ADD CONSTRAINT access_tokens_token UNIQUE (token_hash);
ALTER TABLE identities ADD CONSTRAINT identities_one_each UNIQUE (issuer, subject);
"""
# As in 0003: who was found by one of these is looked up again once it changes. The last use of a key is left out.
NOTED = """
CREATE TRIGGER api_keys_noted AFTER UPDATE OF member_id, scopes, expires_at, revoked_at OR DELETE ON api_keys
    FOR EACH ROW EXECUTE FUNCTION note_row_change('id', 'member_id');
CREATE TRIGGER access_tokens_noted AFTER UPDATE OR DELETE ON access_tokens
    FOR EACH ROW EXECUTE FUNCTION note_row_change('id');
CREATE TRIGGER identities_noted AFTER INSERT OR UPDATE OR DELETE ON identities
    FOR EACH ROW EXECUTE FUNCTION note_row_change('id', 'user_id');
CREATE TRIGGER api_keys_emptied AFTER TRUNCATE ON api_keys FOR EACH STATEMENT EXECUTE FUNCTION note_any_change();
CREATE TRIGGER access_tokens_emptied AFTER TRUNCATE ON access_tokens
    FOR EACH STATEMENT EXECUTE FUNCTION note_any_change();
CREATE TRIGGER identities_emptied AFTER TRUNCATE ON identities FOR EACH STATEMENT EXECUTE FUNCTION note_any_change();
"""
# Until now an invitation made a user without a password and a membership in advance. What of that nobody has come for
# is closed, so that nobody comes in by it any more: memberships and staff that never joined, and the accounts, whose
# addresses are free again for their owners (`.invalid` delivers nowhere, RFC 2606 §2). What a repeated request was
# answered with has another form, too.
STUBS = """
UPDATE agent_members SET departed_at = now() WHERE joined_at IS NULL AND departed_at IS NULL;
UPDATE staff_members SET removed_at = now() WHERE removed_at IS NULL
    AND user_id IN (SELECT id FROM users WHERE password_hash IS NULL);
UPDATE users SET email = id || '@freed.invalid', disabled_at = coalesce(disabled_at, now()) WHERE password_hash IS NULL;
DELETE FROM idempotency_keys WHERE answer ? 'staff' OR answer ? 'member';
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0003_row_changes")]

    operations = [
        ops.CreateModel(
            name="Invitation",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "practice",
                    fields.ForeignKeyField(
                        "models.Practice",
                        source_field="practice_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "agent",
                    fields.ForeignKeyField(
                        "models.Agent",
                        source_field="agent_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("email", fields.CharField(max_length=254)),
                ("name", fields.CharField(max_length=200)),
                ("roles", ArrayField(element_type="text")),
                ("admin", fields.BooleanField(db_default=False)),
                ("code_hash", fields.BinaryField()),
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
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("accepted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "accepted_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="accepted_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("cancelled_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "invitations",
                "app": "models",
                "constraints": [
                    UniqueConstraint(fields=("code_hash",), name="invitations_code"),
                    CheckConstraint(check="num_nonnulls(practice_id, agent_id) = 1", name="invitations_to_one_place"),
                    CheckConstraint(check="accepted_at IS NULL OR cancelled_at IS NULL", name="invitations_end_once"),
                ],
                "indexes": [
                    Index(fields=["practice_id", "id"], name="invitations_of_practice"),
                    Index(fields=["agent_id", "id"], name="invitations_of_agent"),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Factor",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="factors",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("kind", fields.CharField(max_length=16)),
                ("label", fields.CharField(max_length=100)),
                ("secret", fields.BinaryField(null=True)),
                ("last_step", fields.BigIntField(null=True)),
                ("credential_id", fields.BinaryField(null=True)),
                ("public_key", fields.BinaryField(null=True)),
                ("sign_count", fields.BigIntField(db_default=0)),
                ("added_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("confirmed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("last_used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("removed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "factors",
                "app": "models",
                "constraints": [
                    UniqueConstraint(fields=("credential_id",), name="factors_credential"),
                    CheckConstraint(
                        check="CASE kind WHEN 'totp' THEN secret IS NOT NULL"
                        " WHEN 'passkey' THEN credential_id IS NOT NULL AND public_key IS NOT NULL ELSE FALSE END",
                        name="factors_hold_what_they_need",
                    ),
                ],
                "indexes": [Index(fields=["user_id"], name="factors_of_user")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RecoveryCode",
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
                ("code_hash", fields.BinaryField()),
                ("made_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "recovery_codes",
                "app": "models",
                "indexes": [Index(fields=["user_id"], name="recovery_codes_of_user")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PasskeyChallenge",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("address", fields.CharField(null=True, max_length=64)),
                ("purpose", fields.CharField(max_length=16)),
                ("challenge", fields.BinaryField()),
                ("made_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "passkey_challenges",
                "app": "models",
                "constraints": [
                    CheckConstraint(
                        check="purpose IN ('enrol', 'sign_in', 'reauthenticate')", name="passkey_challenges_purpose"
                    )
                ],
                "indexes": [
                    Index(fields=["expires_at"], name="passkey_challenges_age"),
                    Index(fields=["address"], name="passkey_challenges_of_address"),
                    Index(fields=["user_id"], name="passkey_challenges_of_user"),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ApiKey",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("client_id", fields.UUIDField()),
                (
                    "agent",
                    fields.ForeignKeyField(
                        "models.Agent",
                        source_field="agent_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="api_keys",
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
                        related_name="api_keys",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("label", fields.CharField(max_length=100)),
                ("prefix", fields.CharField(max_length=32)),
                ("secret_hash", fields.BinaryField()),
                ("scopes", ArrayField(element_type="text")),
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
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("last_used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("revoked_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "revoked_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="revoked_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            options={
                "table": "api_keys",
                "app": "models",
                "constraints": [
                    UniqueConstraint(fields=("secret_hash",), name="api_keys_secret"),
                    CheckConstraint(check="expires_at > created_at", name="api_keys_expire_after_creation"),
                ],
                "indexes": [
                    Index(fields=["agent_id", "id"], name="api_keys_of_agent"),
                    Index(fields=["client_id"], name="api_keys_of_client"),
                    Index(fields=["member_id"], name="api_keys_of_member"),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AccessToken",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "api_key",
                    fields.ForeignKeyField(
                        "models.ApiKey",
                        source_field="api_key_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("token_hash", fields.BinaryField()),
                ("scopes", ArrayField(element_type="text")),
                ("issued_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "access_tokens",
                "app": "models",
                "constraints": [UniqueConstraint(fields=("token_hash",), name="access_tokens_token")],
                "indexes": [
                    Index(fields=["api_key_id"], name="access_tokens_of_key"),
                    Index(fields=["expires_at"], name="access_tokens_age"),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Identity",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="identities",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("issuer", fields.CharField(max_length=255)),
                ("subject", fields.CharField(max_length=255)),
                ("linked_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "identities",
                "app": "models",
                "constraints": [UniqueConstraint(fields=("issuer", "subject"), name="identities_one_each")],
                "indexes": [Index(fields=["user_id"], name="identities_of_user")],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.AddField(model_name="Session", name="address", field=fields.CharField(null=True, max_length=64)),
        ops.AddField(model_name="Session", name="browser", field=fields.CharField(null=True, max_length=200)),
        ops.RunSQL(CONSTRAINTS + NOTED + STUBS),
    ]
