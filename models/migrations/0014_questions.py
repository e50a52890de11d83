"""Where a caller belongs is asked of two functions, and no longer written out in every policy.

A policy's subquery is part of the plan of every statement on its table, with the policies of the tables that it reads
itself in it, and a plan is set up anew for each execution: of a page's cost in the database that was a third. A
function is one expression there, and its own plan is kept by the connection. What the policies say is the same.
"""

from tortoise import migrations
from tortoise.migrations import operations as ops

# The first reads as the tables' owner, as before: the policy of `staff_members` asks it. Nobody's members are behind
# the wall.
QUESTIONS = """
CREATE OR REPLACE FUNCTION acting_practices() RETURNS uuid[] LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    RETURN ARRAY(SELECT practice_id FROM staff_members WHERE user_id = acting_user() AND removed_at IS NULL);
END $$;
CREATE FUNCTION acting_agents() RETURNS uuid[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ARRAY(
        SELECT agent_id FROM agent_members
        WHERE user_id = acting_user() AND joined_at IS NOT NULL AND departed_at IS NULL
    );
END $$;
"""
EVERYWHERE = "(SELECT current_setting('sparekey.acting', true) = 'everywhere')"
ME = "(SELECT acting_user())"
STAFFED = "practice_id = ANY ((SELECT acting_practices())::uuid[])"
OURS = "agent_id = ANY ((SELECT acting_agents())::uuid[])"
EITHER = f"{STAFFED} OR {OURS}"
OWN = STAFFED.replace("practice_id", "id", 1)
# For each practice by itself: whoever works for thousands would have to know them all to see one.
WORKED_FOR = f"EXISTS (SELECT 1 FROM engagements e WHERE e.practice_id = practices.id AND e.{OURS})"  # noqa: S608  (our own text)
OF_NO_TENANT = "practice_id IS NULL AND agent_id IS NULL"
PARTS = ("role_grants", "agreements", "assignments", "revocation_receipts", "invitations")
SEES = {
    "practices": f"{OWN} OR {WORKED_FOR} OR is_being_founded(id)",
    "engagements": EITHER,
    "audit_events": f"{EITHER} OR actor_user_id = {ME} OR chain_id = {ME}",
    "agent_changes": OURS,
    "reviews": STAFFED,
    "role_uses": EITHER,
} | dict.fromkeys(PARTS, EITHER)
ADDS = {
    "engagements": STAFFED,
    "audit_events": f"{EITHER} OR ({OF_NO_TENANT})",
    "agent_changes": EITHER,
    "reviews": STAFFED,
    "role_uses": STAFFED,
} | dict.fromkeys(PARTS, EITHER)
CHANGES = {
    "practices": OWN,
    "engagements": EITHER,
    "reviews": STAFFED,
    "role_uses": STAFFED,
} | dict.fromkeys(PARTS, EITHER)


def _policies(verb: str, clause: str, rules: dict[str, str]) -> list[str]:
    return [
        f"ALTER POLICY {table}_{verb} ON {table} {clause} ({EVERYWHERE} OR {rule});" for table, rule in rules.items()
    ]


WALL = [
    *_policies("select", "USING", SEES),
    *_policies("insert", "WITH CHECK", ADDS),
    *_policies("update", "USING", CHANGES),
]


class Migration(migrations.Migration):
    dependencies = [("models", "0013_outline")]

    operations = [ops.RunSQL("\n".join([QUESTIONS, *WALL]))]
