"""What happens to engagements and tokens is told when it is committed: `models/listening.py` says to whom.

The feed's key for what is remembered (`models/freshness.py`) is noted here, too. One statement tells each topic once,
however many rows it adds.
"""

from tortoise import migrations
from tortoise.migrations import operations as ops

FEED = """
CREATE FUNCTION tell_of_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO row_changes (key) SELECT DISTINCT 'agent_changes.agent_id:' || agent_id FROM added;
    PERFORM pg_notify('sparekey_changes', topic) FROM (
        SELECT 'agent ' || agent_id AS topic FROM added UNION SELECT 'practice ' || practice_id FROM added
    ) told;
    RETURN NULL;
END $$;
CREATE TRIGGER agent_changes_told AFTER INSERT ON agent_changes REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_changes();
CREATE TRIGGER agent_changes_emptied AFTER TRUNCATE ON agent_changes
    FOR EACH STATEMENT EXECUTE FUNCTION note_any_change();
"""
CODES = """
CREATE FUNCTION tell_of_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('sparekey_changes', 'token ' || NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER connect_tokens_told AFTER UPDATE ON connect_tokens
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION tell_of_token();
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0008_audit")]

    operations = [ops.RunSQL(FEED + CODES)]
