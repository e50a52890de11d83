"""What the status of an engagement depends on of its grants and its agreement, kept beside the engagement itself.

A page of twenty engagements looked it up forty times, which was two fifths of what the page cost the database. It is
said in one text now, which triggers keep, whoever changes a grant or an agreement and by whatever means: in the same
transaction, and after the engagement was locked, so that of two changes the later one counts both. The triggers are
named to run before those that lock anything else. `operations/facts.py` reads the text.

    roles ; basis marks first-day last-day covered-until

A role is its key, then `?` while it is not confirmed, then its end, if it has one; roles are apart by commas. The marks
are letters: `a` the agent signed, `p` the practice signed, `w` waived, `t` terminated; `-` stands for none of anything.
"""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

OUTLINE = """
CREATE FUNCTION engagement_outline(engagement uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce((
        SELECT string_agg(concat_ws(' ', g.role, CASE WHEN g.confirmed_at IS NULL THEN '?' END,
            to_char(g.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US+00:00')), ',' ORDER BY g.role)
        FROM role_grants g WHERE g.engagement_id = engagement AND g.removed_at IS NULL
    ), '') || ';' || coalesce((
        SELECT concat_ws(' ', s.basis,
            concat('-', CASE WHEN s.agent_signed_at IS NOT NULL THEN 'a' END,
                CASE WHEN s.practice_signed_at IS NOT NULL THEN 'p' END,
                CASE WHEN s.waived_at IS NOT NULL THEN 'w' END,
                CASE WHEN s.terminated_at IS NOT NULL THEN 't' END),
            coalesce(to_char(s.effective_on, 'YYYY-MM-DD'), '-'), coalesce(to_char(s.expires_on, 'YYYY-MM-DD'), '-'),
            coalesce(to_char(s.covered_until, 'YYYY-MM-DD'), '-'))
        FROM agreements s WHERE s.engagement_id = engagement AND s.superseded_at IS NULL ORDER BY s.id DESC LIMIT 1
    ), '')
$$;
CREATE FUNCTION keep_outline() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    before uuid := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE OLD.engagement_id END;
    after uuid := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE NEW.engagement_id END;
BEGIN
    PERFORM 1 FROM engagements WHERE id IN (before, after) ORDER BY id FOR NO KEY UPDATE;
    UPDATE engagements e SET outline = engagement_outline(e.id)
        WHERE e.id IN (before, after) AND e.outline IS DISTINCT FROM engagement_outline(e.id);
    RETURN NULL;
END $$;
"""
PARTS = ("role_grants", "agreements")
KEPT = [
    f"CREATE TRIGGER {table}_kept AFTER INSERT OR UPDATE OR DELETE ON {table}"
    " FOR EACH ROW EXECUTE FUNCTION keep_outline();"
    for table in PARTS
]
# The trigger reads and writes as the tables' owner, who is behind the wall, too.
SEEN = [
    "CREATE POLICY engagements_outlined ON engagements FOR UPDATE TO CURRENT_USER USING (pg_trigger_depth() > 0);",
    *(
        f"CREATE POLICY {table}_outlined ON {table} FOR SELECT TO CURRENT_USER USING (pg_trigger_depth() > 0);"
        for table in PARTS
    ),
]
# Nobody remembers yet what was made of the new column.
FILLED = """
ALTER TABLE engagements DISABLE TRIGGER USER;
UPDATE engagements SET outline = engagement_outline(id);
ALTER TABLE engagements ENABLE TRIGGER USER;
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0012_agreements")]

    operations = [
        ops.AddField(model_name="Engagement", name="outline", field=fields.TextField(db_default=";")),
        ops.RunSQL("\n".join([OUTLINE, *KEPT, *SEEN, FILLED])),
    ]
