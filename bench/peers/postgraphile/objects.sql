-- What PostGraphile needs to answer the page, in the benchmark's own database: status worked out from the same facts
-- as in authz/life.py, with the numbers of the shipped policies. The roles, which are YAML elsewhere, are a table
-- that the benchmark fills. The benchmark compares the answers, so a difference stops it.

CREATE TABLE peer_roles (key text PRIMARY KEY, title text NOT NULL);
COMMENT ON TABLE role_grants IS E'@foreignKey (role) references peer_roles (key)';

CREATE FUNCTION role_grants_status(g role_grants) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN g.expires_at <= now() THEN 'lapsed' WHEN g.confirmed_at IS NULL THEN 'pending_confirmation'
        ELSE 'active' END
$$;

CREATE FUNCTION engagements_status(e engagements) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
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
        ELSE 'active' END
    FROM agents a, practices p WHERE a.id = e.agent_id AND p.id = e.practice_id
$$;
