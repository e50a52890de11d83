"""Who holds what now, counted for a plan: one GROUP BY over all live engagements, names only where asked.

A live engagement is one that has not ended: a suspended or expired one counts, because it comes back with a click.
The conditions are those of `authz/life.py` and `resolvers/actors.py`, said in SQL; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from authz.class_changes import Live
from authz.plan import NobodyLeft
from authz.policy import Policy
from authz.practice_holders import Holding
from models.connection import client

USED_WITHIN = timedelta(days=30)
MOST_EXAMPLES = 5  # of each class, and of practices for each permission
BITS = 62  # roles in one bigint

# $1 is now.
_LIVE_GRANT = "removed_at IS NULL AND confirmed_at IS NOT NULL AND (expires_at IS NULL OR expires_at > $1)"
_IN_FORCE = """
s.terminated_at IS NULL AND s.superseded_at IS NULL AND s.waived_at IS NULL
AND (s.covered_until >= ($1::timestamptz AT TIME ZONE 'UTC')::date OR (
    s.practice_signed_at IS NOT NULL AND (s.agent_signed_at IS NOT NULL OR s.basis = 'workforce_training')
    AND s.effective_on <= ($1::timestamptz AT TIME ZONE 'UTC')::date
    AND (s.expires_on IS NULL OR s.expires_on >= ($1::timestamptz AT TIME ZONE 'UTC')::date)))
"""
# $2 is when an engagement must expire to count, $3 since when use is recent, $4 the roles in the order of their bits.
_CLASSES = """
SELECT a.kind, x.in_force, {words}, sum(x.holders)::bigint AS holders, sum(x.used)::bigint AS used,
    (array_agg(a.id ORDER BY x.holders DESC, a.id))[1:{examples}] AS agents
FROM (
    SELECT e.agent_id, s.engagement_id IS NOT NULL AS in_force, {words_of_g},
        count(*) AS holders, count(*) FILTER (
            WHERE e.last_used_at > $3 OR e.id IN (SELECT engagement_id FROM role_uses WHERE last_used_at > $3)
        ) AS used
    FROM engagements e
    LEFT JOIN (SELECT engagement_id, {bits} FROM role_grants WHERE {live_grant} GROUP BY engagement_id) g
        ON g.engagement_id = e.id
    LEFT JOIN agreements s ON s.engagement_id = e.id AND {in_force}
    WHERE e.ended_at IS NULL AND (e.auto_extend OR e.expires_at > $2)
        AND NOT EXISTS (SELECT FROM practices p WHERE p.id = e.practice_id AND p.closed_at IS NOT NULL)
    GROUP BY e.agent_id, in_force, {words_of_g}
) x JOIN agents a ON a.id = x.agent_id
WHERE a.closed_at IS NULL GROUP BY a.kind, x.in_force, {words}
"""
_PEOPLE = """
SELECT 'staff' AS held_by, t.roles::text[] AS roles, count(*) AS holders
FROM staff_members t JOIN practices p ON p.id = t.practice_id
WHERE t.removed_at IS NULL AND p.closed_at IS NULL GROUP BY t.roles::text[]
UNION ALL
SELECT 'member', ARRAY[CASE WHEN m.admin THEN 'agent_admin' ELSE 'agent_member' END], count(*)
FROM agent_members m JOIN agents a ON a.id = m.agent_id
WHERE m.joined_at IS NOT NULL AND m.departed_at IS NULL AND a.closed_at IS NULL GROUP BY m.admin
UNION ALL
SELECT 'user', ARRAY['account_holder'], count(*) FROM users WHERE disabled_at IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'platform', ARRAY['operator'], count(*) FROM users WHERE operator AND disabled_at IS NULL HAVING count(*) > 0
"""
_GRANTS = f"SELECT role::text FROM role_grants WHERE engagement_id = e.id AND {_LIVE_GRANT} AND role = ANY"  # noqa: S608  (our own text)
_ROLES = f"ARRAY({_GRANTS} ($4))"
_SIGNED = f"EXISTS (SELECT FROM agreements s WHERE s.engagement_id = e.id AND {_IN_FORCE})"
_EXAMPLES = f"""
SELECT p.name AS practice, a.legal_name AS agent
FROM engagements e JOIN agents a ON a.id = e.agent_id JOIN practices p ON p.id = e.practice_id
WHERE e.agent_id = ANY ($3) AND e.ended_at IS NULL AND (e.auto_extend OR e.expires_at > $2) AND p.closed_at IS NULL
    AND {_ROLES} <@ $5 AND {_ROLES} @> $5 AND {_SIGNED} = $6
LIMIT $7
"""  # noqa: S608  (our own text)
_STAFF_EXAMPLES = """
SELECT p.name AS practice FROM staff_members t JOIN practices p ON p.id = t.practice_id
WHERE t.removed_at IS NULL AND p.closed_at IS NULL AND t.roles::text[] = $1 ORDER BY p.id LIMIT $2
"""
# $3: roles of staff before, $4: after; $5, $6: classes of agents before and after, as text.
_SORTED = f'ARRAY({_GRANTS} ($7) ORDER BY role::text COLLATE "C")'
_KNOWN_AS = f"a.kind || ' ' || array_to_string({_SORTED}, '+') || ' ' || ({_SIGNED})::text"
_OUTSIDER = f"""
(cardinality({{classes}}::text[]) > 0 AND EXISTS (SELECT FROM engagements e JOIN agents a ON a.id = e.agent_id
    WHERE e.practice_id = p.id AND e.ended_at IS NULL AND (e.auto_extend OR e.expires_at > $2) AND a.closed_at IS NULL
        AND {_KNOWN_AS} = ANY ({{classes}})))
"""
_STAFF = """
EXISTS (SELECT FROM staff_members t
    WHERE t.practice_id = p.id AND t.removed_at IS NULL AND t.roles::text[] && {roles}::text[])
"""
# First without staff who have it after: nearly always that leaves none, because an owner has nearly everything.
_NOBODY_LEFT = f"""
WITH unstaffed AS MATERIALIZED (
    SELECT id, name FROM practices p WHERE closed_at IS NULL AND NOT {_STAFF.format(roles="$4")})
SELECT name, count(*) OVER () AS practices FROM unstaffed p
WHERE NOT {_OUTSIDER.format(classes="$6")} AND ({_STAFF.format(roles="$3")} OR {_OUTSIDER.format(classes="$5")})
ORDER BY p.id LIMIT $8
"""  # noqa: S608  (our own text)


@dataclass(frozen=True, slots=True)
class Found:
    """A class and where to look for examples: its largest agents, or for staff the roles as they are stored."""

    live: Live
    agents: tuple[UUID, ...] = ()
    stored_roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Holders:
    """The questions of one plan. `roles` are those that agents may hold in either set: others give them nothing."""

    now: datetime
    grace_days: int
    roles: tuple[str, ...]

    @classmethod
    def of(cls, old: Policy | None, new: Policy, now: datetime) -> Holders:
        """What has ended is decided by the set in force."""
        sets = [policy for policy in (old, new) if policy is not None]
        roles = {role.key for policy in sets for role in policy.roles.values() if "agent" in role.held_by}
        return cls(now, sets[0].engagements.grace_days, tuple(sorted(roles)))

    @property
    def _expires_after(self) -> datetime:
        return self.now - timedelta(days=self.grace_days)

    async def found(self) -> list[Found]:
        """Every class with its exact count."""
        query = _classes_query(-(-len(self.roles) // BITS))
        given = [self.now, self._expires_after, self.now - USED_WITHIN, list(self.roles)]
        engagements = await client().execute_query_dict(query, given)
        people = await client().execute_query_dict(_PEOPLE)
        return [*map(self._engaged, engagements), *map(_person, people)]

    def _engaged(self, row: dict[str, Any]) -> Found:
        words = [row[f"w{n}"] or 0 for n in range(-(-len(self.roles) // BITS))]
        roles = frozenset(role for n, role in enumerate(self.roles) if words[n // BITS] >> n % BITS & 1)
        live = Live("agent", row["kind"], roles, row["in_force"], row["holders"], row["used"])
        return Found(live, tuple(row["agents"]))

    async def examples(self, found: Found) -> tuple[str, ...]:
        """A few of the class by name."""
        live = found.live
        if live.held_by == "staff":
            rows = await client().execute_query_dict(_STAFF_EXAMPLES, [list(found.stored_roles), MOST_EXAMPLES])
            return tuple(row["practice"] for row in rows)
        if live.held_by != "agent":
            return ()
        given = [self.now, self._expires_after, list(found.agents), list(self.roles), sorted(live.roles)]
        rows = await client().execute_query_dict(_EXAMPLES, [*given, live.agreement_in_force, MOST_EXAMPLES])
        return tuple(f"{row['agent']} in {row['practice']}" for row in rows)

    async def nobody_left(self, holdings: Sequence[Holding]) -> tuple[NobodyLeft, ...]:
        """Practices that lose their last holder: the exact number, and a few names."""
        found = []
        for holding in holdings:
            rows = await client().execute_query_dict(_NOBODY_LEFT, self._sides(holding))
            if rows:
                names = tuple(row["name"] for row in rows)
                found += [NobodyLeft(key, rows[0]["practices"], names) for key in holding.permissions]
        return tuple(sorted(found, key=lambda each: (-each.practices, each.permission)))

    def _sides(self, holding: Holding) -> list[Any]:
        staff = [sorted(holding.staff_before), sorted(holding.staff_after)]
        agents = [_texts(holding.agents_before), _texts(holding.agents_after)]
        return [self.now, self._expires_after, *staff, *agents, list(self.roles), MOST_EXAMPLES]


def _classes_query(words: int) -> str:
    """Roles as bits: a sum of bits is grouped three times faster than an array of names."""
    names = [f"w{n}" for n in range(words)]
    place = "array_position($4::text[], role::text) - 1"
    bits = [
        f"bit_or(1::bigint << ({place}) % {BITS}) FILTER (WHERE ({place}) / {BITS} = {n}) AS w{n}" for n in range(words)
    ]
    return _CLASSES.format(
        words=", ".join(f"x.{name}" for name in names),
        words_of_g=", ".join(f"g.{name}" for name in names),
        bits=", ".join(bits if words > 1 else [f"bit_or(1::bigint << {place}) AS w0"]),
        live_grant=_LIVE_GRANT,
        in_force=_IN_FORCE,
        examples=MOST_EXAMPLES,
    )


def _person(row: dict[str, Any]) -> Found:
    roles = tuple(row["roles"])
    return Found(Live(row["held_by"], None, frozenset(roles), False, row["holders"]), stored_roles=roles)


def _texts(classes: Collection[Live]) -> list[str]:
    return [f"{c.agent_kind} {'+'.join(sorted(c.roles))} {str(c.agreement_in_force).lower()}" for c in classes]
