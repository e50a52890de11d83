"""What changed is noted beside the change, in its transaction: see `models/freshness.py` for who reads it and why.

`row_changes` is unlogged: after a crash it is empty, and every connection that had read from it is gone, too.
"""

from tortoise import migrations
from tortoise.migrations import operations as ops

TABLE = """
CREATE UNLOGGED TABLE row_changes (xid xid8 NOT NULL DEFAULT pg_current_xact_id(), key text NOT NULL);
CREATE INDEX row_changes_since ON row_changes (xid);
"""
# A trigger's arguments are columns of its table. One key for each value, the old one and the new one.
NOTE = """
CREATE FUNCTION note_row_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before jsonb := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE to_jsonb(NEW) END;
BEGIN
    INSERT INTO row_changes (key)
        SELECT DISTINCT TG_TABLE_NAME || '.' || name || ':' || value
        FROM unnest(TG_ARGV) name CROSS JOIN LATERAL (VALUES (before ->> name), (after ->> name)) found (value)
        WHERE value IS NOT NULL;
    RETURN NULL;
END $$;
"""
# Grants, agreements and assignments are parts of an engagement: their change is one of the engagement.
PART = """
CREATE FUNCTION note_engagement_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before uuid := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE OLD.engagement_id END;
    after uuid := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE NEW.engagement_id END;
BEGIN
    INSERT INTO row_changes (key)
        SELECT 'engagements.' || found.name || ':' || found.value
        FROM engagements e CROSS JOIN LATERAL
            (VALUES ('id', e.id), ('practice_id', e.practice_id), ('agent_id', e.agent_id)) found (name, value)
        WHERE e.id IN (before, after);
    RETURN NULL;
END $$;
"""
EVERYTHING = """
CREATE FUNCTION note_any_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO row_changes (key) VALUES ('*');
    RETURN NULL;
END $$;
"""
COLUMNS = {
    "practices": "id",
    "users": "id",
    "staff_members": "id practice_id user_id",
    "agents": "id",
    "agent_members": "id agent_id user_id",
    "engagements": "id practice_id agent_id",
}
PARTS = ("role_grants", "agreements", "assignments")
# The last use of a session is written once a minute and read only where the session itself is looked up.
SESSION = "id, user_id, reference_hash, started_at, reauthenticated_at, second_factor, expires_at, ended_at"


def _trigger(table: str, function: str, event: str = "INSERT OR UPDATE OR DELETE") -> str:
    return f"CREATE TRIGGER {table}_noted AFTER {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {function};"


def _columns(names: str) -> str:
    return "note_row_change(" + ", ".join(f"'{name}'" for name in names.split()) + ")"


TRIGGERS = [
    *(_trigger(table, _columns(names)) for table, names in COLUMNS.items()),
    *(_trigger(table, "note_engagement_change()") for table in PARTS),
    _trigger("sessions", _columns("id"), f"UPDATE OF {SESSION} OR DELETE"),
    "CREATE TRIGGER policy_activations_noted AFTER INSERT OR UPDATE OR DELETE ON policy_activations"
    " FOR EACH STATEMENT EXECUTE FUNCTION note_any_change();",
    *(
        f"CREATE TRIGGER {table}_emptied AFTER TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION note_any_change();"
        for table in (*COLUMNS, *PARTS, "sessions", "policy_activations")
    ),
]


class Migration(migrations.Migration):
    dependencies = [("models", "0002_policy_sets")]

    operations = [ops.RunSQL("\n".join([TABLE, NOTE, PART, EVERYTHING, *TRIGGERS]))]
