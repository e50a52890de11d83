-- What PostGraphile needs to answer the page, in the benchmark's own database: status worked out from the same facts
-- as in authz/life.py, with the numbers of the shipped policies. The roles, which are YAML elsewhere, are a table
-- that the benchmark fills. The benchmark compares the answers, so a difference stops it.
--
-- A view and not a function on engagements: the planner merges it into PostGraphile's statement, which costs
-- PostgreSQL half as much as twenty calls.

CREATE TABLE peer_roles (key text PRIMARY KEY, title text NOT NULL);

CREATE VIEW peer_engagements WITH (security_invoker) AS
    SELECT e.id, e.practice_id, e.agent_id, CASE
        WHEN e.ended_at IS NOT NULL OR p.closed_at IS NOT NULL OR a.closed_at IS NOT NULL
            OR e.expires_at <= now() - interval '30 days' THEN 'ended'
        WHEN e.expires_at <= now() THEN 'expired'
        WHEN e.suspended_at IS NOT NULL OR a.suspended_at IS NOT NULL THEN 'suspended'
        WHEN NOT EXISTS (SELECT FROM role_grants g JOIN peer_roles r ON r.key = g.role WHERE g.engagement_id = e.id
            AND g.removed_at IS NULL AND g.confirmed_at IS NOT NULL AND (g.expires_at IS NULL OR g.expires_at > now()))
            THEN 'awaiting_roles'
        WHEN a.kind <> 'front_office_worker' AND NOT EXISTS (SELECT FROM agreements s WHERE s.engagement_id = e.id
            AND s.terminated_at IS NULL AND s.superseded_at IS NULL AND (s.waived_at IS NOT NULL OR (
            s.practice_signed_at IS NOT NULL AND (s.agent_signed_at IS NOT NULL OR s.basis = 'workforce_training')
            AND s.effective_on <= current_date AND (s.expires_on IS NULL OR s.expires_on >= current_date))))
            THEN 'awaiting_agreement'
        ELSE 'active' END AS status
    FROM engagements e JOIN agents a ON a.id = e.agent_id JOIN practices p ON p.id = e.practice_id;

COMMENT ON VIEW peer_engagements IS E'@primaryKey id\n@foreignKey (practice_id) references practices (id)\n'
    '@foreignKey (agent_id) references agents (id)';
COMMENT ON TABLE role_grants IS E'@foreignKey (role) references peer_roles (key)\n'
    '@foreignKey (engagement_id) references peer_engagements (id)';

CREATE FUNCTION role_grants_status(g role_grants) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN g.expires_at <= now() THEN 'lapsed' WHEN g.confirmed_at IS NULL THEN 'pending_confirmation'
        ELSE 'active' END
$$;

-- For the server that asks who it is: the practices of whoever the session names, and what belongs to them. Of a
-- function that depends on no row PostgreSQL asks once a statement.
CREATE FUNCTION peer_practices() RETURNS uuid[] LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT coalesce(array_agg(m.practice_id), '{}') FROM staff_members m JOIN sessions s ON s.user_id = m.user_id
    WHERE s.reference_hash = sha256(convert_to(current_setting('peer.session'), 'UTF8'))
        AND s.ended_at IS NULL AND s.expires_at > now() AND m.removed_at IS NULL
$$;
COMMENT ON FUNCTION peer_practices() IS E'@behavior -*';
DO $$ BEGIN CREATE ROLE peer_visitor NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT SELECT ON practices, engagements, agents, role_grants, agreements, peer_roles, peer_engagements TO peer_visitor;
CREATE POLICY peer_seen ON practices FOR SELECT TO peer_visitor
    USING (id = ANY ((SELECT peer_practices())::uuid[]));
CREATE POLICY peer_seen ON engagements FOR SELECT TO peer_visitor
    USING (practice_id = ANY ((SELECT peer_practices())::uuid[]));
CREATE POLICY peer_seen ON role_grants FOR SELECT TO peer_visitor
    USING (practice_id = ANY ((SELECT peer_practices())::uuid[]));
CREATE POLICY peer_seen ON agreements FOR SELECT TO peer_visitor
    USING (practice_id = ANY ((SELECT peer_practices())::uuid[]));
