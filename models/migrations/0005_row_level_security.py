"""The second wall: the application's role owns nothing, and sees of each tenant only what its caller belongs to.

`models/tenancy.py` says for whom a statement is made. The wall stands between tenants, practices and agents; what a
role may do within one is the policy's to say (`authz/decide.py`). FORCE binds the tables' owner, too.
"""

from tortoise import migrations
from tortoise.migrations import operations as ops

# Without a password nobody can log in with it where passwords are asked for: ALTER ROLE sparekey_app PASSWORD '…'.
ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'sparekey_app') THEN
        CREATE ROLE sparekey_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;  -- another database of this server was faster
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role sparekey_app is missing, and this role may not create it'
            USING HINT = 'as a superuser: CREATE ROLE sparekey_app LOGIN PASSWORD ''…''';
END $$;
"""
# Records are added to, never changed; what is deleted is what has served: counts, keys, codes, challenges, notes.
RIGHTS = """
GRANT USAGE ON SCHEMA public TO sparekey_app;
GRANT SELECT ON tortoise_migrations TO sparekey_app;
GRANT SELECT, INSERT ON audit_events, policy_activations, policy_sets TO sparekey_app;
GRANT SELECT, INSERT, UPDATE ON agents, agent_members, agreements, api_keys, assignments, audit_heads, connect_tokens,
    engagements, factors, identities, invitations, practices, revocation_receipts, role_grants, sessions, staff_members,
    users TO sparekey_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON access_tokens, attempt_budgets, idempotency_keys, passkey_challenges,
    recovery_codes TO sparekey_app;
GRANT SELECT, INSERT, DELETE ON row_changes TO sparekey_app;
"""
# The first four are asked once a statement, because policies ask for them in subqueries that depend on no row. Those
# that read tables behind the wall do so as its owner, for whom there are policies without such questions (OWNER), or
# they would ask themselves.
QUESTIONS = """
CREATE FUNCTION acting_user() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('sparekey.acting_user', true), '')::uuid
$$;
CREATE FUNCTION acts_everywhere() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('sparekey.everywhere', true) = 'on', false)
        OR EXISTS (SELECT 1 FROM users WHERE id = acting_user() AND operator AND disabled_at IS NULL)
$$;
CREATE FUNCTION acting_practices() RETURNS uuid[] LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
    SELECT coalesce(array_agg(practice_id), '{}') FROM staff_members
    WHERE user_id = acting_user() AND removed_at IS NULL
$$;
CREATE FUNCTION acting_agents() RETURNS uuid[] LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
    SELECT coalesce(array_agg(agent_id), '{}') FROM agent_members
    WHERE user_id = acting_user() AND joined_at IS NOT NULL AND departed_at IS NULL
$$;
CREATE FUNCTION is_being_founded(practice uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM practices WHERE id = practice AND created_by_id = acting_user())
        AND NOT EXISTS (SELECT 1 FROM staff_members WHERE practice_id = practice)
$$;
"""
# Whoever changes a grant, everybody who remembers its engagement is told.
NOTED = """
ALTER FUNCTION note_engagement_change() SECURITY DEFINER;
ALTER FUNCTION note_engagement_change() SET search_path = public, pg_temp;
"""
EVERYWHERE, ME = "(SELECT acts_everywhere())", "(SELECT acting_user())"
STAFFED = "practice_id = ANY ((SELECT acting_practices())::uuid[])"
OURS = "agent_id = ANY ((SELECT acting_agents())::uuid[])"
FIRST = f"user_id = {ME} AND is_being_founded(practice_id)"
WORKED_FOR = f"EXISTS (SELECT 1 FROM engagements e WHERE e.practice_id = practices.id AND e.{OURS})"  # noqa: S608  (our own text)
OF_ENGAGEMENT = "EXISTS (SELECT 1 FROM engagements e WHERE e.id = engagement_id)"  # behind the same wall
OWN_ACTS = f"actor_user_id = {ME} OR chain_id = {ME}"
OF_NO_TENANT = "practice_id IS NULL AND agent_id IS NULL"  # signing in, before anybody is known
PARTS = ("role_grants", "agreements", "assignments", "revocation_receipts")
SEES = {
    "practices": f"{STAFFED.replace('practice_id', 'id')} OR {WORKED_FOR} OR is_being_founded(id)",
    "staff_members": f"user_id = {ME} OR {STAFFED}",
    "engagements": f"{STAFFED} OR {OURS}",
    "audit_events": f"{STAFFED} OR {OURS} OR {OWN_ACTS}",
    "invitations": f"{STAFFED} OR {OURS}",
} | dict.fromkeys(PARTS, OF_ENGAGEMENT)
ADDS = {
    "practices": f"created_by_id = {ME}",
    "staff_members": f"{STAFFED} OR ({FIRST})",
    "engagements": STAFFED,
    "audit_events": f"{STAFFED} OR {OURS} OR ({OF_NO_TENANT})",
    "invitations": f"{STAFFED} OR {OURS}",
} | dict.fromkeys(PARTS, OF_ENGAGEMENT)
CHANGES = {
    "practices": STAFFED.replace("practice_id", "id"),
    "staff_members": STAFFED,
    "engagements": f"{STAFFED} OR {OURS}",
    "invitations": f"{STAFFED} OR {OURS}",
} | dict.fromkeys(PARTS, OF_ENGAGEMENT)


# What the questions above see, and the trigger; and a migration, which says that it is the service.
OWNER = {
    "practices": f"created_by_id = {ME}",
    "staff_members": f"user_id = {ME}",
    "engagements": "pg_trigger_depth() > 0",
}
IS_SERVICE = "current_setting('sparekey.everywhere', true) = 'on'"


def _policy(table: str, verb: str, clause: str, rule: str) -> str:
    name = f"{table}_{verb.lower()}"
    return f"CREATE POLICY {name} ON {table} FOR {verb} TO sparekey_app {clause} ({EVERYWHERE} OR {rule});"


WALL = [
    *(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;" for table in SEES),
    *(_policy(table, "SELECT", "USING", rule) for table, rule in SEES.items()),
    *(_policy(table, "INSERT", "WITH CHECK", rule) for table, rule in ADDS.items()),
    *(_policy(table, "UPDATE", "USING", rule) for table, rule in CHANGES.items()),
    *(
        f"CREATE POLICY {table}_asked ON {table} FOR SELECT TO CURRENT_USER USING ({rule});"
        for table, rule in OWNER.items()
    ),
    *(f"CREATE POLICY {table}_migrated ON {table} TO CURRENT_USER USING ({IS_SERVICE});" for table in SEES),
]


class Migration(migrations.Migration):
    dependencies = [("models", "0004_identity")]

    operations = [ops.RunSQL("\n".join([ROLE, RIGHTS, QUESTIONS, NOTED, *WALL]))]
