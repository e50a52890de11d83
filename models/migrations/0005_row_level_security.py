"""The second wall: the application's role owns nothing, and sees of each tenant only what its caller belongs to.

`models/tenancy.py` says for whom a statement is made. The wall stands between tenants, practices and agents; what a
role may do within one is the policy's to say (`authz/decide.py`). FORCE binds the tables' owner, too.
"""

from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

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
GRANT SELECT, INSERT ON audit_events, identities, policy_activations, policy_sets TO sparekey_app;
GRANT SELECT, INSERT, UPDATE ON agents, agent_members, agreements, api_keys, assignments, audit_heads, connect_tokens,
    engagements, invitations, practices, revocation_receipts, role_grants, sessions, staff_members, users
    TO sparekey_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON access_tokens, attempt_budgets, factors, idempotency_keys, passkey_challenges,
    recovery_codes TO sparekey_app;
GRANT SELECT, INSERT, DELETE ON row_changes TO sparekey_app;
"""
# For whom a statement is made: a person's id, `everywhere`, or nobody. And what a policy cannot ask by itself, because
# it would ask itself: two that read as the tables' owner, for whom there are policies without such questions (OWNER).
QUESTIONS = """
CREATE FUNCTION acting_user() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN length(current_setting('sparekey.acting', true)) = 36
        THEN current_setting('sparekey.acting', true)::uuid END
$$;
CREATE FUNCTION acting_practices() RETURNS uuid[] LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
    SELECT coalesce(array_agg(practice_id), '{}') FROM staff_members
    WHERE user_id = acting_user() AND removed_at IS NULL
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
# The parts of an engagement carry its practice and its agent, so that a policy need not look for it row by row: that
# cost half of a page. They are taken over from the engagement whatever is written.
TENANTS = """
CREATE FUNCTION take_over_tenants() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    SELECT practice_id, agent_id INTO NEW.practice_id, NEW.agent_id FROM engagements WHERE id = NEW.engagement_id;
    RETURN NEW;
END $$;
"""
PARTS = ("role_grants", "agreements", "assignments", "revocation_receipts")
FILLED = [
    f"UPDATE {table} t SET practice_id = e.practice_id, agent_id = e.agent_id"  # noqa: S608  (our own text)
    f" FROM engagements e WHERE e.id = t.engagement_id;"
    f" CREATE TRIGGER {table}_tenants BEFORE INSERT OR UPDATE OF engagement_id, practice_id, agent_id ON {table}"
    f" FOR EACH ROW EXECUTE FUNCTION take_over_tenants();"
    for table in PARTS
]
EVERYWHERE = "(SELECT current_setting('sparekey.acting', true) = 'everywhere')"
ME = "(SELECT acting_user())"
# Subqueries that depend on no row: PostgreSQL asks them once a statement. Of the staff they read own rows.
STAFFED = (
    "practice_id = ANY (ARRAY(SELECT m.practice_id FROM staff_members m"
    " WHERE m.user_id = acting_user() AND m.removed_at IS NULL))"
)
OURS = (
    "agent_id = ANY (ARRAY(SELECT m.agent_id FROM agent_members m"
    " WHERE m.user_id = acting_user() AND m.joined_at IS NOT NULL AND m.departed_at IS NULL))"
)
COLLEAGUE = "practice_id = ANY ((SELECT acting_practices())::uuid[])"
FIRST = f"user_id = {ME} AND is_being_founded(practice_id)"
WORKED_FOR = f"EXISTS (SELECT 1 FROM engagements e WHERE e.practice_id = practices.id AND e.{OURS})"  # noqa: S608  (our own text)
EITHER = f"{STAFFED} OR {OURS}"
OWN_ACTS = f"actor_user_id = {ME} OR chain_id = {ME}"
OF_NO_TENANT = "practice_id IS NULL AND agent_id IS NULL"  # signing in, before anybody is known
SEES = {
    "practices": f"{STAFFED.replace('practice_id', 'id', 1)} OR {WORKED_FOR} OR is_being_founded(id)",
    "staff_members": f"user_id = {ME} OR {COLLEAGUE}",
    "engagements": EITHER,
    "audit_events": f"{EITHER} OR {OWN_ACTS}",
    "invitations": EITHER,
} | dict.fromkeys(PARTS, EITHER)
ADDS = {
    "practices": f"created_by_id = {ME}",
    "staff_members": f"{COLLEAGUE} OR ({FIRST})",
    "engagements": STAFFED,
    "audit_events": f"{EITHER} OR ({OF_NO_TENANT})",
    "invitations": EITHER,
} | dict.fromkeys(PARTS, EITHER)
CHANGES = {
    "practices": STAFFED.replace("practice_id", "id", 1),
    "staff_members": COLLEAGUE,
    "engagements": EITHER,
    "invitations": EITHER,
} | dict.fromkeys(PARTS, EITHER)


# What the questions above see, and the trigger; and a migration, which says that it is the service.
OWNER = {
    "practices": f"created_by_id = {ME}",
    "staff_members": f"user_id = {ME}",
    "engagements": "pg_trigger_depth() > 0",
}


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
    *(f"CREATE POLICY {table}_migrated ON {table} TO CURRENT_USER USING ({EVERYWHERE});" for table in SEES),
]


class Migration(migrations.Migration):
    dependencies = [("models", "0004_identity")]

    operations = [
        *(
            ops.AddField(model_name=model, name=column, field=fields.UUIDField(null=True))
            for model in ("RoleGrant", "Agreement", "Assignment", "RevocationReceipt")
            for column in ("practice_id", "agent_id")
        ),
        ops.RunSQL("\n".join([ROLE, RIGHTS, QUESTIONS, NOTED, TENANTS, *FILLED, *WALL])),
    ]
